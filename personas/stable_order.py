"""The one order that a seed gives to names, whatever order they come in."""

import hashlib


def rank(seed: object, name: object) -> bytes:
    """Where a name stands: sha256(seed, 0x1f, name). More names never change the order of those that are there."""
    return hashlib.sha256(f"{seed}\x1f{name}".encode()).digest()

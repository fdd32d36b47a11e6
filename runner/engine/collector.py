"""Python's garbage collector during a run: what the study is made of is not walked through again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLD = (50_000, 20, 20)  # objects; Python's own first one of 700 to 2,000 is reached by a few requests


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely, and leave alone what exists now: people, items and modules outlive the run anyway."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*THRESHOLD)
    try:
        yield
    finally:
        if before != THRESHOLD:  # else another run is on in this process, which puts back what was there before it
            gc.set_threshold(*before)
        gc.unfreeze()

"""Embeddings of texts, from an endpoint in OpenAI's shape: POST embeddings {"model", "input": [texts]}."""

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from personas.errors import InputError, MachineError
from runner.backends.catalogue.prices import FREE, price_of
from runner.backends.connection import open_session
from runner.backends.errors import BackendError, Transient
from runner.backends.http import post_json, timeout
from runner.backends.keys import api_key
from runner.backends.local import LocalBackend
from runner.backends.request import ModelIdentity
from runner.backends.retry import retrying
from runner.study.sections import ModelSection

TOGETHER = 16
Post = Callable[[bytes], Awaitable[dict[str, Any]]]


async def embed(section: ModelSection, identity: ModelIdentity, texts: Sequence[str]) -> list[list[float]]:
    """An embedding a text, in their order: a local model's, or an unpriced openai-compatible one's.

    What it costs would not stand in the ledger: a priced model is refused. Raises InputError or MachineError.
    """
    if section.backend not in ("local", "openai-compatible"):
        raise InputError(
            f"model {section.name!r}: embeddings need a local or openai-compatible model, not {section.backend}"
        )
    if price_of(section) != FREE:
        raise InputError(
            f"model {section.name!r} has a price, and embeddings do not count against a budget; name another"
        )
    found: list[list[float]] = []
    async with _endpoint(section, identity) as post:
        for start in range(0, len(texts), TOGETHER):
            found += await _batch(post, section, texts[start : start + TOGETHER])
    if len({len(each) for each in found}) > 1:
        raise MachineError(
            f"model {section.name!r}: its embeddings differ in length; the endpoint does not hold one model"
        )
    return found


@asynccontextmanager
async def _endpoint(section: ModelSection, identity: ModelIdentity) -> AsyncIterator[Post]:
    """What posts a body to the embeddings endpoint."""
    if section.is_local:
        backend = LocalBackend(section, identity)
        try:
            yield lambda payload: backend.post("embeddings", payload)
        finally:
            await backend.close()
        return
    key, url = api_key(section), f"{section.base_urls[0].rstrip('/')}/embeddings"
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    async with open_session(url, timeout(section.timeout), headers) as session:
        yield lambda payload: post_json(session, url, payload)


async def _batch(post: Post, section: ModelSection, texts: Sequence[str]) -> list[list[float]]:
    payload = json.dumps({"model": section.id, "input": list(texts)}).encode()
    try:
        try:
            body = await post(payload)
        except Transient as error:
            body = await retrying(error, lambda: post(payload))
    except BackendError as error:
        remedy = "" if section.is_local else f"; see that it serves {section.base_urls[0]}/embeddings"
        raise MachineError(f"model {section.name!r} gives no embeddings: {error}{remedy}") from None
    return _read(section, body, len(texts))


def _read(section: ModelSection, body: dict[str, Any], count: int) -> list[list[float]]:
    """The vectors in the order of the texts. Raises MachineError where they are not what was asked for."""
    try:
        data = sorted(body["data"], key=lambda each: each["index"])
        found = [[float(number) for number in each["embedding"]] for each in data]
    except (KeyError, TypeError, ValueError):
        found = []
    whole = len(found) == count and all(each and all(map(math.isfinite, each)) for each in found)
    if not whole:
        raise MachineError(f"model {section.name!r}: the endpoint did not answer with one embedding a text")
    return found

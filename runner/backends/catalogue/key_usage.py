"""What a provider says that an API key has been charged so far: OpenRouter's `GET key`, in credits, which are dollars.

Its number is of the key: of everything that anyone ever asked with it.
"""

import asyncio
import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

import aiohttp

from personas.errors import InputError
from runner.backends.connection import open_session
from runner.backends.errors import BackendError
from runner.backends.http import read_body
from runner.backends.keys import Account, Pairing, api_key, endpoints, origin, unfamiliar
from runner.study.sections import ModelSection

SECONDS = 5.0
TELLING = frozenset({"openrouter.ai"})  # hosts below whose base URL `key` reports what the key has used


def account(section: ModelSection, agreed: Collection[Pairing] = ()) -> Account | None:
    """Whose usage can be read of a model; None where the endpoint tells none, or the key may not be sent there."""
    if section.backend != "openai-compatible":
        return None
    (url, *others), asked = endpoints(section), set(unfamiliar(section)) - set(agreed)
    if others or asked or urlsplit(url).hostname not in TELLING:
        return None
    try:
        key = api_key(section)
    except InputError:
        return None
    return Account(origin(url), int.from_bytes(hashlib.sha256(key.encode()).digest()[:2], "big")) if key else None


async def key_usage(models: Sequence[ModelSection], agreed: Collection[Pairing] = ()) -> Mapping[Account, float]:
    """What each key that the models are asked with has been charged, in dollars; without those that cannot be read."""
    asked = {found: model for model in models if (found := account(model, agreed))}
    told = await asyncio.gather(*map(_read, asked.values()))
    return {each: dollars for each, dollars in zip(asked, told, strict=True) if dollars is not None}


async def _read(section: ModelSection) -> float | None:
    url = f"{endpoints(section)[0].rstrip('/')}/key"
    headers = {"Authorization": f"Bearer {api_key(section)}"}
    limit = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            open_session(url, limit, headers, guarded=True) as session,
            session.get(url, allow_redirects=False) as reply,
        ):
            told = json.loads(await read_body(reply))["data"]
            amounts = [told["usage"], told.get("byok_usage") or 0]  # the latter is billed by the provider behind it
    except (aiohttp.ClientError, BackendError, InputError, OSError, RecursionError, ValueError, LookupError, TypeError):
        return None
    except AttributeError:  # "data" is no object
        return None
    known = all(type(each) in (int, float) and 0 <= each < math.inf for each in amounts)
    return float(sum(amounts)) if known and reply.status == 200 else None

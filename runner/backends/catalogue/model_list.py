"""What an endpoint's own list of models says of the study's, before anything is paid for."""

import asyncio
import json
from collections.abc import Collection, Sequence
from typing import Any

import aiohttp

from personas.errors import InputError
from runner.backends.connection import open_session
from runner.backends.errors import BackendError
from runner.backends.http import read_body
from runner.backends.keys import Pairing, api_key, endpoints, unfamiliar
from runner.study.sections import ModelSection

SECONDS = 3.0
SHUTDOWN_FIELDS = ("shutdown_date", "deprecation_date", "deprecation", "retired_at")


async def catalogue_remarks(models: Sequence[ModelSection], agreed: Collection[Pairing] = ()) -> list[str]:
    """A remark for each model that its endpoint does not list, or lists with a shutdown date.

    An endpoint that cannot be asked (no key, no network, no such list) says nothing; one that a key is not known to
    belong to, and that is not among those `agreed` to, is not asked.
    """
    found = await asyncio.gather(*(_remark(model, agreed) for model in models))
    return [remark for remark in found if remark]


async def _remark(model: ModelSection, agreed: Collection[Pairing]) -> str | None:
    if model.backend not in ("openai", "openai-compatible"):
        return None
    if asked := [each for each in unfamiliar(model) if each not in agreed]:
        return f"{model.name}: not looked up, for that sends {asked[0]}; a run asks whether it belongs there"
    try:
        key = api_key(model)
    except InputError:
        return None
    url = f"{endpoints(model)[0].rstrip('/')}/models"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        limit = aiohttp.ClientTimeout(total=SECONDS)
        async with open_session(url, limit, headers, guarded=True) as session, session.get(url) as reply:
            body = await read_body(reply)
        listed: dict[str, Any] = {entry["id"]: entry for entry in json.loads(body)["data"]}
    except (aiohttp.ClientError, BackendError, InputError, OSError, ValueError, KeyError, TypeError):
        return None
    if model.id not in listed:
        return f"{model.name}: {url} does not list {model.id!r}: it is retired or misspelt"
    dates = [f"{field} {listed[model.id][field]}" for field in SHUTDOWN_FIELDS if listed[model.id].get(field)]
    return f"{model.name}: {url} gives {model.id!r} a {dates[0]}" if dates else None

"""What an endpoint's own list of models says of the study's, before anything is paid for."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from runner.backends.errors import BackendError
from runner.backends.http import BoundedResponse
from runner.study.sections import ModelSection

SECONDS = 3.0
OPENAI = "https://api.openai.com/v1"
SHUTDOWN_FIELDS = ("shutdown_date", "deprecation_date", "deprecation", "retired_at")


async def catalogue_remarks(models: Sequence[ModelSection]) -> list[str]:
    """A remark for each model that its endpoint does not list, or lists with a shutdown date.

    An endpoint that cannot be asked (no key, no network, no such list) says nothing.
    """
    found = await asyncio.gather(*(_remark(model) for model in models))
    return [remark for remark in found if remark]


def _session(headers: Mapping[str, str]) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    return aiohttp.ClientSession(timeout=timeout, headers=headers, response_class=BoundedResponse)


async def _remark(model: ModelSection) -> str | None:
    if model.backend not in ("openai", "openai-compatible"):
        return None
    key = os.environ.get(model.key_env or ("OPENAI_API_KEY" if model.backend == "openai" else ""), "")
    if model.backend == "openai" and not key:
        return None
    url = f"{(model.base_urls or (OPENAI,))[0].rstrip('/')}/models"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with _session(headers) as session, session.get(url) as response:
            listed: dict[str, Any] = {entry["id"]: entry for entry in (await response.json())["data"]}
    except (aiohttp.ClientError, BackendError, TimeoutError, OSError, ValueError, KeyError, TypeError):
        return None
    if model.id not in listed:
        return f"{model.name}: {url} does not list {model.id!r}: it is retired or misspelt"
    dates = [f"{field} {listed[model.id][field]}" for field in SHUTDOWN_FIELDS if listed[model.id].get(field)]
    return f"{model.name}: {url} gives {model.id!r} a {dates[0]}" if dates else None

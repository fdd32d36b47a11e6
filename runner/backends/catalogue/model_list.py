"""What an endpoint's own list of models says of the study's, before anything is paid for."""

import asyncio
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import aiohttp

from personas.errors import InputError
from runner.backends.connection import open_session
from runner.backends.errors import BackendError
from runner.backends.http import read_body
from runner.backends.keys import Pairing, api_key, endpoints, key_headers, unfamiliar
from runner.study.sections import ModelSection

SECONDS = 3.0
MOST_MODELS = 1000  # the largest page of Gemini's list, and of Anthropic's
# openai.types.Model has the first, anthropic.types.ModelInfo the last; the others are routers' and Gemini's
SHUTDOWN_FIELDS = (
    "shutdown_date",
    "deprecation_date",
    "deprecation",
    "retired_at",
    "expiration_date",
    "retirementTime",
    "retires_at",
)


async def catalogue_remarks(models: Sequence[ModelSection], agreed: Collection[Pairing] = ()) -> list[str]:
    """A remark for each model that its endpoint does not list, or lists with a shutdown date.

    One that nothing answers at says so; one that cannot be asked otherwise (no key, no such list) says nothing, and one
    that a key is not known to belong to, and that is not among those `agreed` to, is not asked.
    """
    found = await asyncio.gather(*(_remark(model, agreed) for model in models))
    return [remark for remark in found if remark]


async def _remark(model: ModelSection, agreed: Collection[Pairing]) -> str | None:
    # Vertex AI lists models to nobody but itself
    if model.is_local or model.kind.from_logs or model.endpoint.is_vertex or not endpoints(model):
        return None
    if asked := [each for each in unfamiliar(model) if each not in agreed]:
        return f"{model.name}: not looked up, for that sends {asked[0]}; a run asks whether it belongs there"
    url = ""
    try:
        url, headers = _question(model)
        limit = aiohttp.ClientTimeout(total=SECONDS)
        async with open_session(url, limit, headers, guarded=True) as session, session.get(url) as reply:
            body = await read_body(reply)
        listed = _entries(json.loads(body))
    except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError, TimeoutError):
        return f"{model.name}: nothing answers at {url.partition('?')[0]}: is the server on, and the address right?"
    except (aiohttp.ClientError, BackendError, InputError, OSError, RecursionError, ValueError, LookupError, TypeError):
        return None
    except AttributeError:  # what is listed is no object
        return None
    where, entry = url.partition("?")[0], _entry(listed, model)
    if entry is None:
        return f"{model.name}: {where} does not list {model.id!r}: it is retired or misspelled"
    dates = [f"{field} {entry[field]}" for field in SHUTDOWN_FIELDS if entry.get(field)]
    return f"{model.name}: {where} gives {model.id!r} a {dates[0]}" if dates else None


def _question(model: ModelSection) -> tuple[str, Mapping[str, str]]:
    """Where an endpoint lists its models, and the headers to ask with. Raises InputError without a key."""
    key, base = api_key(model), endpoints(model)[0].rstrip("/")
    if model.backend == "gemini":
        return f"{base}/v1beta/models?pageSize={MOST_MODELS}", {"x-goog-api-key": key} if key else {}
    if model.backend == "anthropic":
        headers = {"anthropic-version": "2023-06-01"} | ({"x-api-key": key} if key else {})
        return f"{base.removesuffix('/v1')}/v1/models?limit={MOST_MODELS}", headers
    version = model.endpoint.api_version
    return f"{base}/models" + (f"?api-version={version}" if version else ""), key_headers(model, key)


def _entry(listed: Mapping[str, Mapping[str, Any]], model: ModelSection) -> Mapping[str, Any] | None:
    """What a list says of a model; Anthropic's may have it by its dated name alone."""
    name = model.id.removeprefix("models/")
    if name in listed or model.backend != "anthropic":
        return listed.get(name)
    return next((listed[each] for each in sorted(listed) if re.fullmatch(rf"{re.escape(name)}-\d{{8}}", each)), None)


def _entries(listed: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The models of a list by their ids. Raises KeyError for one that is no list of models, or not the whole of it."""
    if listed.get("has_more"):
        raise KeyError("has_more")
    if "models" not in listed:
        return {entry["id"]: entry for entry in listed["data"]}
    if listed.get("nextPageToken"):
        raise KeyError("nextPageToken")
    return {entry["name"].removeprefix("models/"): entry for entry in listed["models"]}

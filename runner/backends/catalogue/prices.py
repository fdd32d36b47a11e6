"""What a request costs, in millionths of a US dollar."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from personas.errors import InputError
from runner.backends.request import ModelIdentity, Request, Usage
from runner.study.sections import ModelSection, Price

# Every tokenizer in use spends at most one token on a byte; chat templates add a few tokens a message.
MESSAGE_TOKENS = 16
FREE = Price(input=0.0, output=0.0)


class Listed(BaseModel):
    """A row of `prices.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = None
    cache_write: float | None = None
    alias: bool = False
    shutdown: date | None = None


class Terms(BaseModel):
    """What a provider's prices share: the factor of a batch, and the fewest tokens of a prompt that it caches."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    batch: float = Field(1.0, gt=0, le=1)
    cached_from: int | None = None


@cache
def price_list() -> tuple[date, Mapping[str, Mapping[str, Listed]]]:
    """The date of the list, and provider → model → row."""
    raw: dict[str, Any] = tomllib.loads(_text())
    as_of = date.fromisoformat(raw.pop("as_of"))
    raw.pop("terms")
    return as_of, {
        provider: {name: Listed.model_validate(row) for name, row in rows.items()} for provider, rows in raw.items()
    }


@cache
def terms_of(provider: str) -> Terms:
    """A provider's terms; those of an endpoint that is not listed give no discount."""
    raw = tomllib.loads(_text())["terms"]
    return Terms.model_validate(raw.get(provider, {}))


def _text() -> str:
    return files("runner.backends.catalogue").joinpath("prices.toml").read_text(encoding="utf-8")


def price_of(section: ModelSection) -> Price:
    """The study's price, else the listed one; nothing for models on one's own machines.

    Raises InputError for a paid model without a price, unless the study says `unpriced = "allow"`.
    """
    if section.price is not None:
        return section.price
    listed = price_list()[1].get(section.backend, {}).get(section.id)
    if listed is not None:
        return Price(input=listed.input, output=listed.output, cached=listed.cached, cache_write=listed.cache_write)
    if section.backend == "local" or not section.leaves_machine or section.unpriced == "allow":
        return FREE
    raise InputError(
        f"model {section.name!r}: no price is known for {section.id!r}; give price = {{ input = …, output = … }} in "
        'dollars per million tokens, or unpriced = "allow"'
    )


def batch_price_of(section: ModelSection) -> Price:
    """The price in a batch. A cached token never costs more than another; the two discounts are not multiplied, since
    not every provider does that. Raises InputError as `price_of` does."""
    price, factor = price_of(section), terms_of(section.backend).batch
    if price == FREE:
        return FREE
    cached = min(price.input if price.cached is None else price.cached, price.input * factor)
    return Price(input=price.input * factor, output=price.output * factor, cached=cached, cache_write=price.cache_write)


def mode_price_of(section: ModelSection) -> Price:
    """The price of nearly all of a model's requests: an `auto` model's pilot alone goes live."""
    return price_of(section) if section.mode == "live" else batch_price_of(section)


def warnings(section: ModelSection) -> list[str]:
    """What there is to know about a model's name before it is paid for."""
    as_of, table = price_list()
    listed = table.get(section.backend, {}).get(section.id)
    found = []
    if listed and listed.shutdown:
        verb = "was" if listed.shutdown <= datetime.now(UTC).date() else "will be"
        found.append(f"{section.id} {verb} shut down on {listed.shutdown} (as listed on {as_of})")
    if listed and listed.alias:
        found.append(f"{section.id} is an alias that the provider moves; name a dated version to be reproducible")
    if listed and section.price is None:
        found.append(f"prices of {section.id} are those of {as_of}; override them with price = {{ … }}")
    return found


def cost(price: Price, usage: Usage) -> int:
    """What an answer cost, in millionths of a dollar, rounded up; reasoning tokens are output tokens. A count that is
    not known adds nothing: whether all are known is the caller's to ask."""
    prompt, output = usage.prompt_tokens or 0, usage.completion_tokens or 0
    cached = min(usage.cached_tokens, prompt)
    written = min(usage.written_tokens, prompt - cached)
    cached_price = price.input if price.cached is None else price.cached
    write_price = price.input if price.cache_write is None else price.cache_write
    dollars = (prompt - cached - written) * price.input + cached * cached_price + written * write_price
    return math.ceil(dollars + output * price.output)


def saved_by_caching(price: Price, usage: Usage) -> int:
    """What the provider's cache took off the cost of an answer, in millionths of a dollar."""
    return cost(price, replace(usage, cached_tokens=0)) - cost(price, usage)


def worst_prompt_tokens(request: Request) -> int:
    """The most tokens that a request's prompt can be: one a byte, and the template's."""
    return sum(len(message["content"].encode()) + MESSAGE_TOKENS for message in request.messages)


def most_output_tokens(identity: ModelIdentity) -> int | None:
    """The most tokens that may come back, where the parameters say so."""
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        if name in identity.parameters:
            return int(identity.parameters[name])
    return None


def worst_cost(price: Price, identity: ModelIdentity, request: Request) -> int:
    """What a request can cost at most. Raises InputError where the number of output tokens has no bound."""
    if price == FREE:
        return 0
    output = most_output_tokens(identity)
    if output is None:
        raise InputError(f"model {identity.model!r} is paid for, but has no bound: set decoding.max_tokens")
    return math.ceil(worst_prompt_tokens(request) * max(price.input, price.cache_write or 0) + output * price.output)

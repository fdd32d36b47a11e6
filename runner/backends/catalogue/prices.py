"""What a request costs, in millionths of a US dollar."""

import math
from collections.abc import Sequence
from dataclasses import replace

from personas.errors import InputError
from runner.backends.catalogue.price_list import batch_factor, in_words, listed, price_list, refuse_unpriced
from runner.backends.request import ModelIdentity, Request, Usage
from runner.study.sections import ModelSection, Price, Rates

# Every tokenizer in use spends at most one token on a byte; chat templates add a few tokens a message.
MESSAGE_TOKENS = 16
FREE = Price(input=0.0, output=0.0)


def price_of(section: ModelSection) -> Price:
    """The study's price, else the listed one; nothing for models on one's own machines.

    Raises InputError for a paid model without a price, unless the study says `unpriced = "allow"`.
    """
    if section.price is not None:
        return section.price
    if section.is_local:
        return FREE
    if (known := listed(section)) is not None:
        return known.price
    if not section.leaves_machine or section.unpriced == "allow":
        return FREE
    raise refuse_unpriced(section)


def batch_price_of(section: ModelSection) -> Price:
    """The price in a batch: as listed, else the study's with the provider's discount.

    There, a cached token never costs more than another, and the two discounts are not multiplied, since not every
    provider does that. Raises InputError as `price_of` does.
    """
    price = price_of(section)
    if price == FREE:
        return FREE
    if section.price is None:
        known = listed(section)
        return known.batch if known and known.batch else price
    factor = batch_factor(section)
    tiers = tuple(tier.model_copy(update=_discounted(tier, factor)) for tier in price.tiers)
    return price.model_copy(update={**_discounted(price, factor), "tiers": tiers})


def _discounted(rates: Rates, factor: float) -> dict[str, float]:
    cached = rates.input if rates.cached is None else rates.cached
    return {
        "input": rates.input * factor,
        "output": rates.output * factor,
        "cached": min(cached, rates.input * factor),
    }


def mode_price_of(section: ModelSection) -> Price:
    """The price of nearly all of a model's requests: an `auto` model's pilot alone goes live."""
    return price_of(section) if section.mode == "live" else batch_price_of(section)


def price_source(models: Sequence[ModelSection]) -> str:
    """Where the prices of a study's models come from, as its report says it; "" where nothing is paid for."""
    paid = [model for model in models if price_of(model) != FREE]
    found = [price_list().source] if any(model.price is None for model in paid) else []
    return " and ".join([*found, *(["the study file"] if any(model.price for model in paid) else [])])


def warnings(section: ModelSection) -> list[str]:
    """What there is to know about a model's name before it is paid for."""
    if section.is_local or (known := listed(section)) is None:
        return []
    source, found = price_list().source, []
    if known.deprecated:
        found.append(f"{section.id} is deprecated by its provider and may be shut down soon ({source})")
    if known.alias:
        found.append(f"{section.id} is an alias that the provider moves; name a dated version to be reproducible")
    if section.price is None:
        found.append(
            f"prices of {section.id} ({in_words(known.price)}) are from {source}; `mtpa-run data fetch prices` brings "
            "newer ones, price = { … } overrides them"
        )
        if known.changes and known.later:
            found.append(f"from {known.changes} on {section.id} costs {in_words(known.later)}")
    return found


def cost(price: Price, usage: Usage) -> int:
    """What an answer cost, in millionths of a dollar, rounded up; reasoning tokens are output tokens.

    The length of the prompt decides about the rates of all of its tokens. A count that is not known adds nothing:
    whether all are known is the caller's to ask.
    """
    if price is FREE:
        return 0
    return cost_at(price.at(usage.prompt_tokens or 0), usage)


def cost_at(rates: Rates, usage: Usage) -> int:
    """What the tokens of one answer, or of many whose prompts have the same rates, cost; as `cost` counts them."""
    prompt, output = usage.prompt_tokens or 0, usage.completion_tokens or 0
    cached = min(usage.cached_tokens, prompt)
    written = min(usage.written_tokens, prompt - cached)
    cached_price = rates.input if rates.cached is None else rates.cached
    write_price = rates.input if rates.cache_write is None else rates.cache_write
    dollars = (prompt - cached - written) * rates.input + cached * cached_price + written * write_price
    return _rounded_up(dollars + output * rates.output)


def _rounded_up(amount: float) -> int:
    """The next whole number, but not for what only the arithmetic of fractions adds."""
    return math.ceil(round(amount, 6))


def saved_by_caching(price: Price, usage: Usage) -> int:
    """What the provider's cache took off the cost of an answer, in millionths of a dollar."""
    return cost(price, replace(usage, cached_tokens=0)) - cost(price, usage) if usage.cached_tokens else 0


def worst_prompt_tokens(request: Request) -> int:
    """The most tokens that a request's prompt can be: one a byte, and the template's.

    For log-likelihoods, an endpoint gets the prompt once for each continuation.
    """
    prompt = sum(len(message["content"].encode()) + MESSAGE_TOKENS for message in request.messages)
    if request.kind != "loglik":
        return prompt
    return sum(prompt + len(option.encode()) for option in request.options)


def most_output_tokens(asked: ModelIdentity | Request) -> int | None:
    """The most tokens that may come back, where the parameters say so."""
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        if name in asked.parameters:
            return int(asked.parameters[name])
    return None


def worst_cost(price: Price, identity: ModelIdentity, request: Request) -> int:
    """What a request can cost at most. Raises InputError where the number of output tokens has no bound."""
    if price == FREE:
        return 0
    # a token is written behind each continuation: some servers take no bound of 0
    own = most_output_tokens(request) or most_output_tokens(identity)
    output = len(request.options) if request.kind == "loglik" else own
    if output is None:
        raise InputError(f"model {identity.model!r} is paid for, but has no bound: set decoding.max_tokens")
    tokens = worst_prompt_tokens(request)
    reached = [price, *(tier for tier in price.tiers if tier.over < tokens)]
    return max(_worst(rates, tokens, output) for rates in reached)


def _worst(rates: Rates, prompt: int, output: int) -> int:
    dearest = max(rates.input, rates.cached or 0, rates.cache_write or 0)
    return _rounded_up(prompt * dearest + output * rates.output)

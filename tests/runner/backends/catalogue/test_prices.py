"""What answers cost, against genai-prices' own arithmetic and against figures worked out by hand."""

import math
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.backends.catalogue.prices import batch_price_of, cost, price_of, worst_cost
from runner.backends.request import ModelIdentity, Request, Usage
from runner.study.sections import ModelSection, Price

MODELS = [
    ("openai", "openai", "gpt-6-luna"),
    ("openai", "openai", "gpt-5.6-terra-2026-07-09"),
    ("openai", "openai", "gpt-4o-mini"),
    ("gemini", "google", "gemini-2.5-pro"),
    ("gemini", "google", "gemini-3.5-flash-lite"),
]
WRITES = Price(input=1, output=4, cached=0.1, cache_write=1.25)
LONG = Price.model_validate(
    {"input": 1, "output": 4, "cached": 0.1, "tiers": [{"over": 1000, "input": 2, "output": 6, "cached": 0.2}]}
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(MODELS),
    st.booleans(),
    st.one_of(st.integers(1, 2_000), st.integers(199_990, 272_010), st.integers(1, 900_000)),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 100_000),
)
def test_costs_are_those_of_the_list_itself(
    model: tuple[str, str, str], batch: bool, prompt: int, read: float, written: float, output: int
) -> None:
    backend, provider, name = model
    section = ModelSection.model_validate({"name": "m", "backend": backend, "id": name})
    cached = int(prompt * read)
    new = int((prompt - cached) * written)
    tokens = {"input_tokens": prompt, "output_tokens": output, "cache_read_tokens": cached, "cache_write_tokens": new}
    context: Any = {"processing": "batch"} if batch else None
    found = calc_price(TheirUsage(**tokens), name, provider_id=provider, price_context=context)
    price = batch_price_of(section) if batch else price_of(section)
    usage = Usage(prompt, output, cached_tokens=cached, written_tokens=new)
    assert cost(price, usage) == math.ceil(found.total_price * Decimal(10**6))


@pytest.mark.parametrize(
    ("usage", "micro_usd"),
    [
        (Usage(1000, 10), 1000 * 1 + 10 * 4),
        (Usage(1001, 10), 1001 * 2 + 10 * 6),
        (Usage(1001, 0, cached_tokens=1000), 1 * 2 + 200),
        (Usage(3, 0, cached_tokens=1), 3),  # 2.1 millionths are 3
    ],
)
def test_a_long_prompt_costs_its_tiers_rates_in_whole(usage: Usage, micro_usd: int) -> None:
    assert cost(LONG, usage) == micro_usd


@given(st.integers(0, 1006), st.floats(0, 1), st.floats(0, 1), st.integers(0, 10))
def test_no_answer_costs_more_than_was_reserved(prompt: int, read: float, written: float, output: int) -> None:
    identity = ModelIdentity("openai", "m", "", "", {"max_tokens": 10})
    request = Request(b"", [{"role": "user", "content": "x" * 990}], {}, "text", ())
    cached = int(prompt * read)
    usage = Usage(prompt, output, cached_tokens=cached, written_tokens=int((prompt - cached) * written))
    for price in (LONG, WRITES):
        assert cost(price, usage) <= worst_cost(price, identity, request)


def test_what_is_reserved_covers_the_tier_that_the_longest_prompt_may_reach() -> None:
    identity = ModelIdentity("openai", "m", "", "", {"max_tokens": 10})
    request = Request(b"", [{"role": "user", "content": "x" * 990}], {}, "text", ())
    assert worst_cost(LONG, identity, request) == 1006 * 2 + 10 * 6
    assert worst_cost(WRITES, identity, request) == math.ceil(1006 * 1.25 + 40)

"""Refusals: of one prompt, of one request, of everything; and errors inside a 200."""

import json
from typing import Any

import pytest

from runner.backends.errors import BackendError, BadRequest, ModelUnavailable, PromptRefused, Transient
from runner.backends.replies.provider_errors import error_in, refusal
from runner.engine.recorder import declined


def said(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, said("bad content", code="data_inspection_failed"), PromptRefused),
        (400, said("The message was blocked by our moderation."), PromptRefused),
        (403, said("no", metadata={"flagged_input": "…"}), PromptRefused),
        (451, {}, PromptRefused),
        (422, said("x", innererror={"code": "ContentFilter"}), PromptRefused),
        (403, said("Your account was flagged for content that violates our policies"), ModelUnavailable),
        (403, said("no access to this project"), ModelUnavailable),
        (400, said("x", details=[{"reason": "API_KEY_INVALID"}]), ModelUnavailable),
        (400, said("Incorrect API key provided"), ModelUnavailable),
        (429, said("x", code="insufficient_balance"), ModelUnavailable),
        (429, said("You exceeded your current quota", status="RESOURCE_EXHAUSTED"), Transient),
        (402, said("top up"), BadRequest),
        (400, said("logprobs are not available"), BadRequest),
        (405, {}, BadRequest),
        (422, {"detail": [{"loc": ["body", "seed"], "msg": "not an integer"}]}, BadRequest),
        (529, said("overloaded"), Transient),
    ],
)
def test_what_a_refusal_is_about(status: int, body: dict[str, Any], kind: type[BackendError]) -> None:
    found = refusal(status, json.dumps(body).encode())
    assert type(found) is kind
    assert found.charged == (status >= 500)


def test_a_refusal_is_told_in_the_providers_own_sentence() -> None:
    body = json.dumps({"detail": [{"loc": ["body", "seed"], "msg": "not an integer"}]}).encode()
    assert str(refusal(422, body)).startswith("HTTP 422: not an integer ['body', 'seed']")


@pytest.mark.parametrize(
    ("reply", "kind", "word"),
    [
        ({"error": {"code": 503, "message": "busy"}}, Transient, "503"),
        ({"error": {"message": "slow down", "type": "rate_limit_error"}, "choices": []}, Transient, "429"),
        ({"error": "Insufficient credits"}, BadRequest, "402"),
        ({"error": {"code": "content_filter", "message": "no"}}, PromptRefused, "400"),
        ({"object": "error", "message": "unknown model x", "code": 404}, ModelUnavailable, "404"),
        ({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}, "choices": None}, Transient, "429"),
        ({"error": {"message": "?"}}, Transient, "500"),
    ],
)
def test_an_error_in_a_200_is_that_error_and_costs_nothing(
    reply: dict[str, Any], kind: type[BackendError], word: str
) -> None:
    found = error_in(reply)
    assert type(found) is kind and not found.charged
    assert found.kind == word and "200" in str(found)


def test_an_error_in_a_200_costs_what_the_provider_says_it_used() -> None:
    found = error_in(
        {"error": {"code": 502, "message": "lost"}, "usage": {"prompt_tokens": 50, "completion_tokens": 2}}
    )
    assert found is not None and found.charged
    assert found.usage is not None and (found.usage.prompt_tokens, found.usage.completion_tokens) == (50, 2)


def test_a_refusal_costs_what_the_provider_says_it_used() -> None:
    used = {"usage": {"prompt_tokens": 90, "completion_tokens": 4}}
    filtered = {"error": {"code": "content_filter", "message": "no"}}
    for body, charged in (({**filtered, **used}, True), (filtered, False), ({**used, "error": "no"}, True)):
        found = refusal(400, json.dumps(body).encode())
        assert (found.charged, found.usage is not None) == (charged, charged)
    kept = refusal(400, json.dumps({**filtered, **used}).encode())
    assert isinstance(kept, PromptRefused) and declined(kept).usage.total == 94
    assert not declined(PromptRefused("400", "no")).usage.total


def test_an_answer_is_no_error() -> None:
    choice = {"message": {"content": "A"}, "finish_reason": "stop"}
    assert error_in({"choices": [choice], "error": None, "message": "fine"}) is None
    assert error_in({"choices": [], "model": "m"}) is None


def test_an_error_inside_a_200_says_how_long_to_wait() -> None:
    found = error_in({"error": {"message": "Rate limit reached, try again in 1m30s", "code": 429}})
    assert isinstance(found, Transient)
    assert (found.retry_after, found.charged) == (90.0, False)


@pytest.mark.parametrize("odd", ["half of a pair: \ud800", float("nan"), ["x"] * 100_000])
def test_whatever_an_error_holds_is_an_error(odd: Any) -> None:
    found = error_in({"error": {"message": "no", "code": 400, "more": odd}})
    assert isinstance(found, BadRequest)
    assert len(str(error_in({"error": {"more": odd}}))) < 400

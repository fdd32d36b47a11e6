"""What is learnt from a refusal: how providers word theirs, and what is asked instead."""

from typing import Any

import pytest

from runner.backends.base import Answer
from runner.backends.catalogue.probe import change, with_room
from runner.backends.errors import BackendError, ModelUnavailable, PromptRefused
from runner.backends.replies.provider_errors import refusal
from runner.backends.request import Usage, canonical
from runner.study.sections import ModelSection
from scoring.answers.responses import Response

SENT = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 3, "seed": 1}


def section(answer: str = "text", **changes: Any) -> ModelSection:
    table = {"name": "m", "backend": "openai-compatible", "id": "new-1", "base_urls": ["http://x"], "decoding": SENT}
    return ModelSection.model_validate({**table, "answer": answer, **changes})


def said(message: str, status: int = 400, **fields: Any) -> BackendError:
    return refusal(status, canonical({"error": {"message": message, **fields}}))


LEFT_OUT = [
    # OpenAI's shape: openai.types.shared.ErrorObject (code, message, param, type)
    (
        said("Unsupported value: 'temperature' does not support 0.7 with this model. Only 1 is.", param="temperature"),
        "temperature",
    ),
    (said("Unsupported parameter: 'top_p'", param="top_p", code="unsupported_parameter"), "top_p"),
    # Anthropic's sentences, as routers pass them on
    (said("`temperature` is deprecated for this model."), "temperature"),
    (said("`temperature` and `top_p` cannot both be specified for this model."), "top_p"),
    # google.rpc.BadRequest of generateContent
    (said("Invalid value", details=[{"fieldViolations": [{"field": "generation_config.top_p"}]}]), "top_p"),
    (said("topP is not supported by this model"), "top_p"),
    # a validation error of FastAPI servers (pydantic's "loc")
    (refusal(422, canonical({"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]})), "seed"),
    (said("Unknown parameter: seed"), "seed"),
    (said("top p must not be set"), "top_p"),
    (said("temperature is not supported here. Use top_p instead"), "temperature"),
]


@pytest.mark.parametrize(("error", "name"), LEFT_OUT, ids=[error.message[:60] for error, _ in LEFT_OUT])
def test_a_parameter_that_is_refused_by_name_is_left_out(error: BackendError, name: str) -> None:
    found = change(error, section(), SENT, set())
    assert found is not None
    assert found.parameters == {each: value for each, value in SENT.items() if each != name}
    assert found.dropped == ((name,) if name != "seed" else ())
    assert name in found.remark
    allowed = change(error, section(allow_dropped=[name]), SENT, set())
    assert allowed is not None
    assert allowed.dropped == ()


def test_a_bound_of_length_gets_another_name_or_number_and_is_never_left_out() -> None:
    tried: set[str] = set()
    renamed = change(
        said("'max_tokens' is not supported. Use 'max_completion_tokens' instead."), section(), SENT, tried
    )
    assert renamed is not None
    assert renamed.parameters == {"temperature": 0.7, "top_p": 0.9, "seed": 1, "max_completion_tokens": 3}
    text = "Invalid 'max_completion_tokens': integer below minimum value. Expected a value >= 16, but got 3 instead."
    raised = change(said(text), section(), renamed.parameters, tried)
    assert raised is not None
    assert raised.parameters["max_completion_tokens"] == 16
    lowered = change(
        said("max_tokens is too large: 9. This model supports at most 5."), section(), {"max_tokens": 9}, set()
    )
    assert lowered is not None
    assert lowered.parameters == {"max_tokens": 5}
    once_more = change(said("no 'max_completion_tokens' here"), section(), renamed.parameters, tried)
    assert once_more is not None
    assert "max_output_tokens" in once_more.parameters
    with pytest.raises(ModelUnavailable, match="extra_body"):  # whose SDK knows no third name
        change(said("no 'max_completion_tokens'"), section(backend="openai"), renamed.parameters, {"max_tokens"})
    with pytest.raises(ModelUnavailable, match="extra_body"):
        change(said("no 'max_output_tokens' here"), section(), once_more.parameters, tried)


@pytest.mark.parametrize(
    ("error", "asked", "sentence"),
    [
        (
            said("You are not allowed to request logprobs from this model", 403),
            section("probabilities"),
            "answer = 'text'",
        ),
        (said("Logprobs is not enabled for models/new-1"), section("probabilities"), "answer = 'text'"),
        (said("'logprobs' is not supported with reasoning models."), section("probabilities"), "thinking off"),
        (said("System role not supported"), section(), "placement = 'prompt'"),
        (said("Developer instruction is not enabled for models/new-1"), section(), "placement = 'prompt'"),
        (said("Unsupported value: 'none'", param="reasoning_effort"), section(), "name a value"),
    ],
)
def test_what_a_study_needs_is_a_sentence(error: BackendError, asked: ModelSection, sentence: str) -> None:
    with pytest.raises(ModelUnavailable, match="needs") as found:
        change(error, asked, {**SENT, "reasoning_effort": "none"}, set())
    assert sentence in str(found.value)


@pytest.mark.parametrize(
    "error",
    [
        said("This model's maximum context length is 4096 tokens, you asked for 5000; lower max_tokens"),
        said("The temperature in your prompt", 500),
        said("rate limited by max_tokens", 429),
        said("messages: at least one is needed"),
        said("stop it, user"),
        said("'5' is no token", param="logit_bias.5"),
        PromptRefused("400", "temperature"),
    ],
)
def test_other_refusals_teach_nothing(error: BackendError) -> None:
    assert change(error, section(), {**SENT, "stop": ["."], "user": "u", "logit_bias": {"5": 1}}, set()) is None


def test_a_model_that_was_cut_off_while_it_thought_gets_room() -> None:
    def answered(text: str, reasoning: int, finish: str = "length") -> Answer:
        return Answer(Response(text=text, finish=finish), Usage(10, 3, reasoning))

    found = with_room(answered("", 3), section(), SENT)
    assert found is not None
    assert found.parameters["max_tokens"] >= 1000
    assert with_room(answered("A", 3), section(), SENT) is None
    assert with_room(answered("", 0), section(), SENT) is None
    assert with_room(answered("", 3), section(), found.parameters) is None

"""Whatever a provider sends in the place of a reply: an answer that the file can hold, or one of our errors."""

import json
import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fuzzed_files import changed_json

from runner.backends import anthropic, chat_completions, gemini
from runner.backends.base import Answer
from runner.backends.batches import anthropic_jobs, gemini_jobs, openai_jobs
from runner.backends.batches.base import JobView, named
from runner.backends.errors import LONGEST, BackendError
from runner.backends.http import failure, json_object
from runner.backends.request import Request
from runner.store.cache import as_stored

CHAT = {
    "model": "m",
    "choices": [
        {
            "message": {"role": "assistant", "content": "A", "refusal": None},
            "finish_reason": "stop",
            "logprobs": {
                "content": [{"top_logprobs": [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -3}]}]
            },
        }
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 1,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 3},
    },
}
MESSAGE = {
    "model": "m",
    "content": [{"type": "text", "text": "A"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 1},
}
SHOWN = [{"token": "A", "logProbability": -0.4}, {"token": "B", "logProbability": -2.0}]
GENERATED = {
    "candidates": [
        {
            "content": {"parts": [{"text": "A"}]},
            "finishReason": "STOP",
            "logprobsResult": {"topCandidates": [{"candidates": SHOWN}]},
        }
    ],
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10, "thoughtsTokenCount": 0},
    "modelVersion": "m",
}
ERROR = {
    "error": {"message": "Slow down: try again in 2s", "code": "429", "param": "temperature", "details": [{"a": 1}]}
}


def _request(kind: Any = "letters") -> Request:
    return Request(bytes(32), [{"role": "user", "content": "?"}], {}, kind, ("A", "B"))


def _result(job: Any, read: Callable[[Mapping[str, Any]], Answer]) -> Callable[[Mapping[str, Any]], Answer]:
    def reading(line: Mapping[str, Any]) -> Answer:
        found = job._result(line)
        if isinstance(found, BackendError):
            raise found
        return read(found)

    return reading


def _failed(body: Mapping[str, Any]) -> Answer:
    raise failure(429, {}, json.dumps(body).encode(), "http://x")


def _chat(reply: Mapping[str, Any]) -> Answer:
    return chat_completions.read(reply, _request(), 0)


def _gemini(reply: Mapping[str, Any]) -> Answer:
    return gemini.read(reply, _request(), 0)


def _message(reply: Mapping[str, Any]) -> Answer:
    return anthropic.read(reply, 0)


READERS: Mapping[str, tuple[Any, Callable[[Mapping[str, Any]], Answer]]] = {
    "chat": (CHAT, _chat),
    "message": (MESSAGE, _message),
    "gemini": (GENERATED, _gemini),
    "error": (ERROR, _failed),
    "error in a 200": (ERROR, _chat),
    "OpenAI's result": ({"response": {"status_code": 200, "body": CHAT}}, _result(openai_jobs, _chat)),
    "OpenAI's refusal": ({"response": {"status_code": 400, "body": ERROR}}, _result(openai_jobs, _chat)),
    "Gemini's refusal": ({"error": ERROR["error"]}, _result(gemini_jobs, _gemini)),
    "Anthropic's result": ({"result": {"type": "succeeded", "message": MESSAGE}}, _result(anthropic_jobs, _message)),
    "Anthropic's refusal": ({"result": {"type": "errored", "error": ERROR}}, _result(anthropic_jobs, _message)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.filterwarnings("ignore:.*is not a valid:UserWarning")
def test_an_odd_reply_is_an_answer_that_can_be_kept_or_an_error_of_ours(reader: str) -> None:
    valid, read = READERS[reader]
    chance = random.Random(reader)
    for _ in range(300):
        body = changed_json(json.dumps(valid), chance)
        try:
            found = read(json_object("http://x", body.encode()))
        except BackendError as error:
            assert len(str(error).encode()) <= 4 * LONGEST
            continue
        response, used = as_stored(found.response), found.usage
        "".join((response.text or "", response.finish, found.served)).encode()
        counts = (used.prompt_tokens, used.completion_tokens, used.reasoning_tokens, used.cached_tokens)
        assert all(type(each) is int and 0 <= each < 1 << 33 for each in counts if each is not None), body
        assert not any(map(math.isnan, response.letter_logprobs or ())), body


def test_a_code_of_thousands_of_digits_is_an_error_like_others() -> None:
    with pytest.raises(BackendError, match="try again"):
        _chat({"error": {**ERROR["error"], "code": "9" * 5000}})


@pytest.mark.parametrize("odd", [None, "", 5, [], "\ud800x", "a\x00b", "a" * 2000])
def test_what_is_no_id_never_reaches_the_file(odd: Any) -> None:
    with pytest.raises(ValueError):
        named(odd)
    with pytest.raises(ValueError):
        JobView(odd)
    with pytest.raises(ValueError):
        JobView("completed", files=(odd,))


@pytest.mark.parametrize("odd", [None, "5", -1, 1e9, True, 1 << 70])
def test_what_is_no_count_never_reaches_the_file(odd: Any) -> None:
    with pytest.raises(ValueError):
        JobView("completed", answered=odd)

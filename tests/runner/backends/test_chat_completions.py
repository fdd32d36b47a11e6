"""Reading chat completions in every form that servers give them."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows

from runner.backends.chat_completions import read
from runner.backends.request import Request
from runner.engine.run import run


async def test_letter_probabilities_and_text_are_both_kept(tmp_path: Path) -> None:
    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url, answer="probabilities", decoding={})]))
    body = json.loads(next(iter(server.bodies)))
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 20, 1)
    assert rows(tmp_path, "SELECT count(*) FROM completion WHERE answer IN ('A', 'B') AND length(letters) = 8") == [
        (50,)
    ]
    same = "SELECT count(*) FROM score WHERE chosen_by_text = chosen_by_probability AND expected > 0 AND expected < 1"
    assert rows(tmp_path, same) == [(50,)]


async def test_a_content_filter_is_a_refusal_not_a_failure(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        choice = {"message": {"content": None}, "finish_reason": "content_filter"}
        if server.requests % 2:
            choice = {"message": {"content": None, "refusal": "I won't."}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "model": server.model})

    with FakeLLM(misbehave=misbehave) as server:
        state = await run(load(tmp_path, [model(server.url)], n=1, groups=4))
    assert state.exit_code == 0
    assert rows(tmp_path, "SELECT DISTINCT status FROM score") == [("refused",)]


@pytest.mark.parametrize(
    ("message", "text", "finish"),
    [
        ({"content": [{"type": "reasoning", "text": "It is C."}, {"type": "output_text", "text": "A"}]}, "A", "stop"),
        ({"content": ["The answer ", {"text": "is B"}]}, "The answer is B", "stop"),
        ({"content": {"type": "text", "text": "B"}}, "B", "stop"),
        ({"content": "A", "reasoning_content": "So it must be B."}, "A", "stop"),
        ({"content": None, "reasoning": "So it must be B."}, None, "stop"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "B"}]}]}, None, "stop"),
        ({"content": [{"type": "refusal", "refusal": "I will not."}]}, "I will not.", "content_filter"),
    ],
)
def test_the_answer_is_what_was_said_and_not_what_was_thought(
    message: dict[str, object], text: str | None, finish: str
) -> None:
    reply = {"choices": [{"message": message, "finish_reason": "eos"}]}
    response = read(reply, Request(b"", (), {}, "text", ()), 0).response
    assert (response.text, response.finish) == (text, finish)

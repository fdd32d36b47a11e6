"""Endpoints that do not say how their answers end, and replies that do not where others do."""

from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows

from runner.engine.run import run


async def test_an_endpoint_that_names_no_end_is_taken_at_its_word_and_named(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return web.json_response({"choices": [{"message": {"content": "A"}}], "model": server.model})

    with FakeLLM(misbehave=misbehave) as server:
        study = load(tmp_path, [model(server.url, concurrency=4)], n=2)
        state = await run(study)
        assert (state.exit_code, state.total("answered"), state.total("unparsed")) == (0, 30, 0)
        assert server.repeats <= 16  # the first were asked again, until it was clear
        assert any("does not say how its answers end" in remark for remark in state.remarks)
        before = server.requests
        await run(load(tmp_path, [model(server.url, concurrency=4)], n=3))
        assert server.requests == before + 10
    assert rows(tmp_path, "SELECT DISTINCT unnamed_ends FROM model") == [("whole",)]


@pytest.mark.parametrize("finish", [None, "preempted"])
async def test_a_reply_that_was_broken_off_is_asked_once_more_and_never_scored(
    finish: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.backends.retry._full_jitter", lambda state: 0.0)
    monkeypatch.setattr("runner.engine.limits.OPEN_SECONDS", 0.01)  # of the breaker, which so many failures open
    seen: Counter[bytes] = Counter()

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        seen[raw] += 1
        lost = b"interviewed" in raw and (len(raw) % 2 or seen[raw] == 1)
        choice = {"message": {"content": "The answer is B"}, "finish_reason": finish}
        return web.json_response({"choices": [choice], "model": server.model}) if lost else None

    with FakeLLM(misbehave=misbehave) as server:
        state = await run(load(tmp_path, [model(server.url, concurrency=4)], n=2))
    assert max(server.bodies.values()) == 2
    assert rows(tmp_path, "SELECT DISTINCT answer FROM completion ORDER BY 1") == [("A",), ("B",)]
    assert state.total("failed") == sum(b"interviewed" in raw and len(raw) % 2 for raw in seen) > 0
    assert rows(tmp_path, "SELECT DISTINCT kind, attempt FROM failure") == [("broken off", 2)]

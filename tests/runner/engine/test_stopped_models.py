"""What stops one model with a sentence, while the others go on."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows
from waiting import HUNG, until

from personas.errors import InputError
from runner.engine.run import run
from runner.engine.state import State


async def test_an_unknown_model_stops_alone_while_the_other_goes_on(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        wrong = json.loads(raw)["model"] == "wrong"
        return web.json_response({"error": {"message": "no such model"}}, status=404) if wrong else None

    with FakeLLM(misbehave=misbehave) as server:
        models = [model(server.url), model(server.url, name="wrong", id="wrong", concurrency=2)]
        state = await run(load(tmp_path, models))
    assert state.exit_code == 3
    assert "no such model" in state.stopped["wrong"]
    assert state.tallies["fake", "crows_pairs:choice"].done == 50
    assert sum(count for body, count in server.bodies.items() if json.loads(body)["model"] == "wrong") <= 2


async def test_another_served_version_is_not_mixed_in(tmp_path: Path) -> None:
    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url)], n=2))
        server.model = "fake-2"
        state = await run(load(tmp_path, [model(server.url, concurrency=1)], n=4))
    assert "fake-2" in state.stopped["fake"]
    assert "fake-1" in state.stopped["fake"]
    assert rows(tmp_path, "SELECT count(*) FROM completion") == [(30,)]


async def test_the_pilot_stops_a_model_whose_answers_are_of_no_use(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        choice = {"message": {"content": ""}, "finish_reason": "length"}
        return web.json_response({"choices": [choice], "model": server.model})

    with FakeLLM(misbehave=misbehave) as server:
        study = load(tmp_path, [model(server.url)], n=20)
        state = await run(study)
        assert server.requests == 50
        assert "max_tokens" in state.stopped["fake"]
        assert "cut off" in state.stopped["fake"]
        await run(study, pilot=False)
        assert server.requests == 210


@pytest.mark.parametrize(("seconds", "stops"), [("5400s", True), ("90s", False)])
async def test_a_long_wait_is_said_at_once_and_a_very_long_one_ends_the_model(
    seconds: str, stops: bool, tmp_path: Path
) -> None:
    async def refuse(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse:
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds}
        error = {"message": "no quota left on this plan", "details": [detail]}
        return web.json_response({"error": error}, status=429)

    state, stop = State(), asyncio.Event()
    with FakeLLM(misbehave=refuse) as server:
        task = asyncio.create_task(run(load(tmp_path, [model(server.url, concurrency=4)]), state, stop))
        await until(lambda: state.stopped if stops else state.notices, task)
        stop.set()
        await asyncio.wait_for(task, HUNG)
        assert server.requests <= 16
    said = state.stopped["fake"] if stops else state.notices[0]
    assert "no quota left on this plan" in said
    assert ("90 minutes" if stops else "90 seconds") in said


async def test_one_id_on_two_endpoints_is_told_apart_by_a_revision(tmp_path: Path) -> None:
    here, there = model("http://127.0.0.1:1/v1"), model("http://127.0.0.1:2/v1", name="other")
    with pytest.raises(InputError, match=r"'fake' and 'other' have the same id on two endpoints.*revision"):
        await run(load(tmp_path, [here, there]))
    with pytest.raises(InputError, match="are the same; drop one"):
        await run(load(tmp_path, [here, {**here, "name": "other"}]))


async def test_a_404_names_what_was_asked(tmp_path: Path) -> None:
    async def refuse(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse:
        return web.json_response({"detail": "no such thing"}, status=404)

    with FakeLLM(misbehave=refuse) as server:
        root = server.url.removesuffix("/v1")
        state = await run(load(tmp_path, [model(root)]))
    assert f"HTTP 404: no such thing ({root}/chat/completions; base_urls usually ends in /v1)" in state.stopped["fake"]


@pytest.mark.parametrize("status", [402, 405])
async def test_what_is_refused_for_good_and_for_all_stops_after_a_few(status: int, tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return web.json_response({"error": {"message": "top up your wallet"}}, status=status)

    with FakeLLM(misbehave=misbehave) as server:
        state = await run(load(tmp_path, [model(server.url)], n=20))
        assert server.requests <= 20
        assert (state.exit_code, state.left_over > 180) == (3, True)
        assert "top up your wallet" in state.stopped["fake"]
        server.misbehave = None
        assert (await run(load(tmp_path, [model(server.url)], n=20), pilot=False)).exit_code == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [("<!doctype html><title>Sign in</title>", "a web page"), ('{"object": "chat.completion.chunk"}', "streams")],
)
async def test_an_endpoint_whose_every_answer_is_none_stops_after_a_few(body: str, said: str, tmp_path: Path) -> None:
    async def misbehave(fake: FakeLLM, request: web.Request, raw: bytes) -> web.Response:
        return web.Response(text=body, content_type="text/html")

    with FakeLLM(misbehave=misbehave) as fake:
        study = load(tmp_path, [model(fake.url, concurrency=4)], n=20)
        state = await run(study)
    assert state.exit_code == 3
    assert fake.requests <= 20
    assert said in state.stopped["fake"]

"""The engine against a server on loopback: what is sent, what is kept, and how it fails."""

import asyncio
import hashlib
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows
from waiting import HUNG, until

from personas.errors import InputError, MachineError
from runner.backends import chat_completions as chat
from runner.backends.base import Answer
from runner.backends.errors import BadRequest, Transient
from runner.backends.request import Request, Usage
from runner.crossing.prepare import prepared
from runner.engine.run import rescore, run
from runner.engine.state import State
from runner.planning.plan import plan
from runner.store.scores import load_scores
from scoring.answers.responses import Response
from scoring.tables.shown_traits import set_sizes


async def test_a_second_run_sends_nothing_and_scores_stay(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)])
        first = await run(study)
        before = rows(tmp_path, "SELECT * FROM score ORDER BY id")
        second = await run(study)
    assert first.exit_code == second.exit_code == 0
    assert server.repeats == 0
    assert second.sent == 0
    assert first.total("done") == second.total("hits") == 50
    assert rows(tmp_path, "SELECT * FROM score ORDER BY id") == before


async def test_respondents_who_read_the_same_share_a_request(tmp_path: Path) -> None:
    with FakeLLM(latency=0.01) as server:
        study = load(tmp_path, [model(server.url)], n=300, groups=3)
        state = await run(study)
    (clusters,) = rows(tmp_path, "SELECT count(DISTINCT cluster) FROM persona")[0]
    assert clusters < 300
    assert server.requests == len(server.bodies) == 3 * (clusters + 1)
    assert state.total("done") == 3 * 301 == rows(tmp_path, "SELECT count(*) FROM score")[0][0]


async def test_extending_a_study_sends_only_the_new_part_and_the_plan_says_so(tmp_path: Path) -> None:
    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url)], n=4, groups=10))
        sent = server.requests
        larger = load(tmp_path, [model(server.url), model(server.url, name="two", id="other")], n=6, groups=12)
        with prepared(larger) as ready:
            planned = plan(ready).rows
        await run(larger)
    assert [row.answered for row in planned] == [sent, 0]
    assert server.requests - sent == sum(row.to_send for row in planned)
    assert server.repeats == 0


async def test_half_a_character_does_not_end_the_file(tmp_path: Path) -> None:
    """A lone surrogate, as a cut emoji leaves one, is no text for a file."""

    class Cut(FakeLLM):
        def letter(self, body: str) -> str:
            return "A \ud83d"

    with Cut() as server:
        state = await run(load(tmp_path, [model(server.url)]), pilot=False)
    assert state.exit_code == 0
    assert rows(tmp_path, "SELECT count(*), min(answer), max(answer) FROM completion") == [(50, "A \ufffd", "A \ufffd")]


@pytest.mark.parametrize("count", [-1, 1e999, 1 << 70, "many"])
async def test_a_count_of_tokens_that_cannot_be_is_no_answer(count: Any, tmp_path: Path) -> None:
    request = Request(b"", [{"role": "user", "content": "?"}], {}, "text", ())
    reply = {"choices": [{"message": {"content": "A"}}], "usage": {"prompt_tokens": count}}
    with pytest.raises(Transient, match="no answer in it"):
        chat.read(reply, request, 0)


async def test_whatever_stops_the_writer_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.store.cache._completion_row", lambda number, each, texts: (1 << 70,) * 20)
    with FakeLLM() as server, pytest.raises(MachineError, match=r"study\.sqlite: an? answer cannot be written"):
        await asyncio.wait_for(run(load(tmp_path, [model(server.url)])), HUNG)


async def test_a_plan_names_no_minutes_that_nobody_can_know(tmp_path: Path) -> None:
    """What a local model takes depends on the machine; what an endpoint takes is guessed, and said to be."""
    local = {"name": "local", "backend": "local", "id": "smollm2-135m-instruct", "dtype": "float32"}
    with prepared(load(tmp_path, [local, model("http://127.0.0.1:9/v1", concurrency=2)])) as ready:
        found = plan(ready)
    assert [row.minutes for row in found.rows] == [None, 50 / 2 / 60]
    assert "unknown" in found.remarks[0] and "1 s a request" in found.remarks[1]


async def test_a_replicate_adds_requests_and_a_new_name_does_not(tmp_path: Path) -> None:
    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url)]))
        await run(load(tmp_path, [model(server.url, name="renamed", concurrency=7, timeout=9)]))
        assert server.requests == 50
        state = await run(load(tmp_path, [model(server.url, replicates=2)]))
    assert (state.sent, state.total("hits")) == (50, 50)


async def test_transient_failures_are_retried_until_nothing_is_lost(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        dice = server.random.random()
        if dice < 0.10:
            return web.Response(status=429, headers={"Retry-After": "0.05"}, text="slow down")
        if dice < 0.15:
            return web.Response(status=500, headers={"Retry-After": "0.02"}, text="oops")
        if dice < 0.18:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return None

    with FakeLLM(misbehave=misbehave) as server:
        state = await run(load(tmp_path, [model(server.url, concurrency=16)], n=20, groups=20))
    assert state.exit_code == 0
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT completion) FROM score") == [(420, 420)]
    assert set(server.answered.values()) == {1}
    assert server.requests > 420


HOSTILE = {
    "html": lambda: web.Response(text="<html>gateway</html>", content_type="text/html"),
    "no choices": lambda: web.json_response({"choices": [], "model": "fake-1"}),
    "a list": lambda: web.json_response([1, 2]),
    "null": lambda: web.json_response({"choices": [{"message": None}]}),
    "a number": lambda: web.json_response({"choices": [{"message": {"content": 5}}]}),
    "redirect": lambda: web.Response(status=302, headers={"Location": "/v1/chat/completions"}),
    "bad request": lambda: web.Response(status=400, text="no"),
    "huge": lambda: web.Response(body=b"x" * 10_000_000),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_answer_is_a_recorded_failure_and_the_run_ends(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.backends.retry._full_jitter", lambda state: 0.0)

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return HOSTILE[kind]() if b"interviewed" in raw else None

    with FakeLLM(misbehave=misbehave) as server:
        study = load(tmp_path, [model(server.url, concurrency=2)], n=1, groups=2)
        state = await asyncio.wait_for(run(study), HUNG)
        assert state.exit_code == 3
        assert rows(tmp_path, "SELECT count(*) FROM failure") == [(2,)]
        assert rows(tmp_path, "SELECT count(*) FROM score") == [(2,)]
        server.misbehave = None
        again = await run(study)
    assert (again.exit_code, again.sent) == (0, 2)


async def test_a_slow_drip_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.backends.retry.ATTEMPTS", 2)
    monkeypatch.setattr("runner.backends.retry._full_jitter", lambda state: 0.0)

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    with FakeLLM(misbehave=misbehave) as server:
        state = await asyncio.wait_for(run(load(tmp_path, [model(server.url, timeout=0.5)], n=1, groups=1)), HUNG)
    assert state.failures == {("fake", "timeout"): 2}


async def test_terminal_escapes_in_an_answer_are_kept_as_they_are_and_not_scored(tmp_path: Path) -> None:
    hostile = "\x1b]0;owned\x07\x1b[31m"

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return web.json_response({"choices": [{"message": {"content": hostile}}], "model": server.model})

    with FakeLLM(misbehave=misbehave) as server:
        state = await run(load(tmp_path, [model(server.url)]))
    assert state.total("unparsed") == 50
    assert rows(tmp_path, "SELECT DISTINCT answer FROM completion") == [(hostile,)]
    assert rows(tmp_path, "SELECT count(*) FROM score WHERE value IS NOT NULL") == [(0,)]


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


async def test_a_stop_drains_what_is_in_flight(tmp_path: Path) -> None:
    stop = asyncio.Event()
    with FakeLLM(latency=0.2) as server:
        study = load(tmp_path, [model(server.url, concurrency=8)], n=50)
        going = asyncio.create_task(run(study, stop=stop))
        await until(lambda: server.requests > 20, going)
        stop.set()
        state = await going
        assert state.exit_code == 130
        assert state.total("answered") == server.requests == rows(tmp_path, "SELECT count(*) FROM completion")[0][0]
        assert 0 < server.requests < 510
        server.latency = 0
        await run(study)
    assert server.repeats == 0


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_backend_that_cannot_go_on_ends_the_run_with_its_sentence(concurrency: int, tmp_path: Path) -> None:
    """Also where every worker meets it at once, and more waits than the queue holds."""

    class Dead:
        async def answer(self, request: Request) -> Answer:
            await asyncio.sleep(0.01)
            raise MachineError("the server does not start")

        async def close(self) -> None:
            pass

    study = load(tmp_path, [model("http://127.0.0.1:9/v1", concurrency=concurrency)], n=20)
    with pytest.raises(MachineError, match="does not start"):
        await asyncio.wait_for(run(study, backend=lambda *of: Dead(), pilot=False), HUNG)
    assert rows(tmp_path, "SELECT count(*) FROM lease") == [(0,)]


async def test_a_stop_does_not_wait_for_limits(tmp_path: Path) -> None:
    """What waits for its turn within requests a minute, or for a breaker that is open, is not sent any more."""
    with FakeLLM() as server:
        slow = model(server.url, concurrency=16, requests_per_minute=20)
        stop = asyncio.Event()
        going = asyncio.create_task(run(load(tmp_path, [slow]), stop=stop, pilot=False))
        await until(lambda: server.requests, going)
        stop.set()
        state = await asyncio.wait_for(going, 20)
        sent = server.requests
        await asyncio.sleep(0.2)
        assert sent == server.requests == rows(tmp_path, "SELECT count(*) FROM completion")[0][0] < 30
    assert state.interrupted and not state.failures


@pytest.mark.parametrize("seed", range(8))
async def test_a_stop_amid_retries_ends_and_loses_nothing(seed: int, tmp_path: Path) -> None:
    """Some are in flight for another try, some wait for theirs, for a minute even."""
    dice = random.Random(seed)

    class Flaky:
        asked = answered = 0

        async def answer(self, request: Request) -> Answer:
            if not self.asked:
                asyncio.get_running_loop().call_later(dice.uniform(0.4, 0.8), stop.set)
            self.asked += 1
            await asyncio.sleep(dice.uniform(0, 0.03))
            first = self.asked == 1  # which is sent alone
            if dice.random() < 0.5 and not first:
                raise Transient("429", "slow down", retry_after=dice.choice([0.0, 0.0, 0.01, 60.0]))
            if dice.random() < 0.1 and not first:
                raise BadRequest("400", "no")
            self.answered += 1
            return Answer(Response("A"), Usage(10, 1))

        async def close(self) -> None:
            pass

    study, stop, flaky = load(tmp_path, [model("http://127.0.0.1:9/v1", concurrency=8)], n=40), asyncio.Event(), Flaky()
    state = await asyncio.wait_for(run(study, stop=stop, backend=lambda *of: flaky, pilot=False), 40)
    assert state.interrupted and state.in_flight == 0
    counts = ("completion", flaky.answered), ("failure", state.total("failed")), ("lease", 0)
    for table, count in counts:
        assert rows(tmp_path, f"SELECT count(*) FROM {table}") == [(count,)]
    assert flaky.answered == state.total("answered") > 0


async def test_a_stop_asked_for_in_the_file_is_obeyed(tmp_path: Path) -> None:
    with FakeLLM(latency=0.2) as server:
        study = load(tmp_path, [model(server.url, concurrency=4)], n=50)
        task = asyncio.create_task(run(study))
        await until(lambda: server.requests > 8, task)
        connection = sqlite3.connect(tmp_path / "study.sqlite", timeout=HUNG)
        with connection:
            connection.execute("UPDATE run SET stop_requested = 1")
        connection.close()
        state = await asyncio.wait_for(task, HUNG)
    assert state.interrupted
    assert 0 < state.total("answered") < 510


async def test_a_limit_runs_the_first_trials_only(tmp_path: Path) -> None:
    with FakeLLM() as server:
        state = await run(load(tmp_path, [model(server.url)]), limit=17)
    assert (server.requests, state.total("done")) == (17, 17)


async def test_rescoring_sends_nothing_and_replaces_every_score(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)])
        await run(study)
        before = rows(tmp_path, "SELECT model, persona, item, value FROM score ORDER BY model, persona, item")
        connection = sqlite3.connect(tmp_path / "study.sqlite")
        with connection:
            connection.execute("UPDATE score SET value = 0.5, scorer = 'older'")
        connection.close()
        state = await rescore(study)
    assert (state.sent, server.requests) == (0, 50)
    assert rows(tmp_path, "SELECT model, persona, item, value FROM score ORDER BY model, persona, item") == before


async def test_several_endpoints_share_the_load(tmp_path: Path) -> None:
    with FakeLLM(latency=0.01) as one, FakeLLM(latency=0.01) as other:
        await run(load(tmp_path, [model(one.url, base_urls=[one.url, other.url], concurrency=8)], n=20))
    assert one.requests + other.requests == 210
    assert min(one.requests, other.requests) > 60


async def test_two_sets_of_traits_are_asked_side_by_side(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)], n=12, variants={"traits": ["all", "demographic"]})
        state = await run(study)
        assert state.total("done") == 10 + 2 * 12 * 10
        texts = rows(tmp_path, "SELECT text FROM text WHERE text LIKE 'You are answering%' ORDER BY length(text)")
        assert len(texts[0][0]) < len(texts[-1][0])
        alone = load(tmp_path, [model(server.url)], n=12)
        assert (await run(alone)).sent == 0
    scores = load_scores(study.database)
    assert len(set_sizes(scores)) == 2 and set_sizes(scores)[0].startswith("demographic (")


async def test_requests_a_minute_are_kept(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url, requests_per_minute=600)], n=2)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await run(study)
        seconds = loop.time() - began
    assert server.requests == 30
    assert seconds > 1.9  # ten a second: the 30th may go two seconds after the first


async def test_the_key_is_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-test-3f9a1c77e5"
    monkeypatch.setenv("FAKE_KEY", secret)
    seen: list[str] = []

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(status=400, text="no") if len(seen) % 5 == 0 else None

    with FakeLLM(misbehave=misbehave) as server:
        await run(load(tmp_path, [model(server.url, key_env="FAKE_KEY")]))
    assert set(seen) == {f"Bearer {secret}"}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret.encode() not in written


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


async def test_another_program_that_holds_the_file_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.cache.LOOK_AGAIN_MS", 20)
    monkeypatch.setattr("runner.store.database.SHORT_WAIT_MS", 20)
    state = State()
    with FakeLLM(latency=0.05) as server:
        study = load(tmp_path, [model(server.url, concurrency=4)], n=12)
        task = asyncio.create_task(run(study, state))
        await until(lambda: server.requests > 8, task)
        connection = sqlite3.connect(tmp_path / "study.sqlite", timeout=HUNG, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        (before,) = connection.execute("SELECT count(*) FROM completion").fetchone()
        await until(lambda: state.notices and state.total("answered") > before + 4, task)
        connection.execute("ROLLBACK")
        connection.close()
        await asyncio.wait_for(task, HUNG)
        assert (state.exit_code, server.repeats) == (0, 0)
    assert "another program holds it" in state.notices[0]
    assert rows(tmp_path, "SELECT count(*) FROM completion") == [(server.requests,)]
    assert rows(tmp_path, "SELECT count(*) FROM lease") == [(0,)]


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


async def test_a_refused_prompt_is_a_refusal_that_is_counted_and_never_sent_again(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        body = {"error": {"message": "Input data may contain inappropriate content", "code": "data_inspection_failed"}}
        return web.json_response(body, status=400) if hashlib.sha256(raw).digest()[0] < 25 else None

    with FakeLLM(misbehave=misbehave) as server:
        study = load(tmp_path, [model(server.url, price={"input": 1.0, "output": 1.0})], n=9)
        state = await run(study, pilot=False)
        refused = server.requests - sum(server.answered.values())
        assert (state.exit_code, state.total("answered"), state.total("failed")) == (0, 100, 0) and refused > 2
        assert (await run(study)).sent == 0
    scores = "SELECT count(*), coalesce(sum(value IS NOT NULL), 0) FROM score WHERE status = 'refused'"
    assert rows(tmp_path, scores) == [(refused, 0)]
    costs = "SELECT sum(micro_usd), max(estimated), min(answer LIKE '%inappropriate%') FROM completion"
    assert rows(tmp_path, f"{costs} WHERE finish != 'stop'") == [(0, 0, 1)]

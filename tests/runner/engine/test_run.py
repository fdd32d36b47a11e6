"""What a run asks: each request once, what is new of a larger study, as often and as fast as the study says."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows
from waiting import HUNG, until

from runner.crossing.prepare import prepared
from runner.engine.run import rescore, run
from runner.engine.state import State
from runner.planning.plan import plan
from runner.store.scores import load_scores
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


async def test_another_program_that_holds_the_file_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.cache.LOOK_AGAIN_MS", 20)
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

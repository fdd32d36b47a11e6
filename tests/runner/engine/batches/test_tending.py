"""What comes down: answers that are late, lost, spoiled or another version's, and jobs that are gone."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from batch_studies import COST, KEYS, batched, every_answer_is_kept_once
from fake_batches import FakeBatches
from studies import load, rows, write_study
from waiting import HUNG, until

from runner.backends.retry import ATTEMPTS
from runner.engine.batches.cancel_jobs import cancel_jobs, jobs_left
from runner.engine.run import run
from runner.progress.status import read_status
from runner.store.cache import ResultCache
from runner.store.database import now
from runner.study.config import Study


@pytest.mark.parametrize("spoiled", [lambda content: content[: len(content) // 2], lambda content: b"<html>"])
async def test_results_that_lack_answers_are_fetched_again(spoiled: Callable[[bytes], bytes], tmp_path: Path) -> None:
    with FakeBatches() as server:
        server.download = lambda content: spoiled(content) if server.steps["while downloading"] < 3 else content
        state = await run(load(tmp_path, [batched(server)]))
        assert (state.exit_code, len(server.jobs), server.steps["while downloading"]) == (0, 1, 3)
    every_answer_is_kept_once(server, tmp_path, 50)


async def test_answers_that_never_come_are_given_up_and_count_as_paid(tmp_path: Path) -> None:
    with FakeBatches() as server:
        server.download = lambda content: b"" if server.steps["while downloading"] <= ATTEMPTS else content
        state = await run(load(tmp_path, [batched(server)], n=1, budget={"usd": 1.0}))
    assert (state.exit_code, state.total("answered"), len(server.jobs)) == (0, 20, 2)
    (lost,), (kept,) = rows(tmp_path, "SELECT settled_micro_usd FROM job ORDER BY id")
    assert lost > kept == 20 * COST


async def test_answers_that_are_none_are_not_paid_for_a_third_time(tmp_path: Path) -> None:
    with FakeBatches() as server:
        server.download = lambda content: b""
        state = await run(load(tmp_path, [batched(server)], n=1, budget={"usd": 1.0}))
    assert (state.exit_code, len(server.jobs)) == (3, 2)
    assert "what it charges for cannot be read as an answer" in state.stopped["fake"]


async def test_a_job_that_another_version_answered_is_closed_and_counts(tmp_path: Path) -> None:
    with FakeBatches() as server:
        await run(load(tmp_path, [batched(server)], n=1, budget={"usd": 1.0}))
        server.model = "fake-2"
        study = load(tmp_path, [batched(server)], n=2, budget={"usd": 1.0})
        state = await run(study)
        assert "now serves 'fake-2'" in state.stopped["fake"]
        jobs = rows(tmp_path, "SELECT state, reserved_micro_usd, settled_micro_usd > 10 * 55 FROM job WHERE id = 2")
        assert jobs == [("closed", 0, 1)]
        assert rows(tmp_path, "SELECT count(*) FROM job_trial") == [(0,)]
        server.model = "fake-1"
        assert (await run(study)).exit_code == 0
    assert rows(tmp_path, "SELECT count(*) FROM score") == [(30,)]


async def test_a_job_is_collected_where_answers_are_read_otherwise_meanwhile(tmp_path: Path) -> None:
    def shares(answer: str) -> Study:
        study = write_study(tmp_path, [batched(server, answer=answer)], n=1)
        text = study.read_text().replace('"crows_pairs"', '"trait_inference"').replace('"choice"', '"shares"')
        study.write_text(text.replace("groups = 10", "groups = 5"))
        return Study.load(study)

    with FakeBatches(views=10**9) as server:
        stop = asyncio.Event()
        going = asyncio.create_task(run(shares("text"), stop=stop))
        await until(lambda: server.steps["while waiting"], going)
        stop.set()
        await going
        server.jobs["job0"].views = 1
        state = await asyncio.wait_for(run(shares("probabilities")), HUNG)
    assert (state.total("done"), len(server.jobs)) == (state.total("planned"), 1)
    assert set(server.worked_on.values()) == {1}


@pytest.mark.parametrize("backend", KEYS)
async def test_a_request_fails_alone_and_one_worth_another_try_gets_it(backend: str, tmp_path: Path) -> None:
    passing = {"500": "13", "400": "3"} if backend == "gemini" else {"500": "500", "400": "400"}

    def fate(key: str) -> str:
        kind = int(key[:2], 16) % 4
        if len(server.jobs) > 1 or kind == 3:
            return "answer" if kind != 1 else passing["400"]
        return (passing["500"], passing["400"], "missing")[kind]

    with FakeBatches() as server:
        server.fate = fate
        study = load(tmp_path, [batched(server, backend)], n=3, budget={"usd": 1.0})
        state = await run(study)
        bad = state.total("failed")
        assert 0 < bad < 40
        assert (state.exit_code, state.total("answered"), len(server.jobs)) == (3, 40 - bad, 2)
        assert state.failures == {("fake", "400"): bad}
        assert rows(tmp_path, "SELECT count(*) FROM failure") == [(bad,)]
        server.fate = lambda key: "answer"
        again = await run(study)
    assert (again.exit_code, again.sent, again.total("answered")) == (0, bad, bad)
    assert rows(tmp_path, "SELECT count(*) FROM score") == [(40,)]
    assert rows(tmp_path, "SELECT sum(reserved_micro_usd), sum(settled_micro_usd) FROM job") == [(0, 40 * COST)]


async def test_an_expired_job_is_asked_again_and_what_it_answered_is_kept(tmp_path: Path) -> None:
    with FakeBatches() as server:
        server.end = lambda job: "expired" if job.id == "job0" else "completed"
        server.fate = lambda key: "batch_expired" if key < "8" and len(server.jobs) == 1 else "answer"
        state = await run(load(tmp_path, [batched(server)], n=1))
    late = sum(key < "8" for key in server.worked_on)
    assert (state.exit_code, state.total("answered"), state.sent) == (0, 20, 20 + late)
    assert {key for key, count in server.worked_on.items() if count == 2} == {k for k in server.worked_on if k < "8"}


async def test_jobs_left_running_are_collected_and_cancelled_ones_asked_again(tmp_path: Path) -> None:
    with FakeBatches(views=10**9) as server:
        study = load(tmp_path, [batched(server)], n=1)
        stop = asyncio.Event()
        task = asyncio.create_task(run(study, stop=stop))
        await until(lambda: server.steps["while waiting"], task)
        stop.set()
        assert (await task).exit_code == 130
        (left,) = jobs_left(study)
        assert (left.requests, left.provider_id) == (20, "job0")
        assert any("job0" in line and "0 of 20" in line for line in read_status(study.database).lines())

        larger = load(tmp_path, [batched(server, mode="live")], n=2)
        live = asyncio.create_task(run(larger))  # asks the new part live, and waits for the job
        await until(lambda: server.requests >= 10, live)
        server.jobs["job0"].views = 0
        state = await asyncio.wait_for(live, HUNG)
        assert (state.exit_code, server.requests, len(server.jobs)) == (0, 10, 1)
        assert rows(tmp_path, "SELECT count(*) FROM score") == [(30,)]

        study = load(tmp_path, [batched(server)], n=3)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        server.at = lambda step: step == "before upload" and loop.call_soon_threadsafe(stop.set) is None
        state = await asyncio.wait_for(run(study, stop=stop), HUNG)  # stopped, it first gets up what was on its way
        assert (state.exit_code, len(server.jobs)) == (130, 2)
        server.at = lambda step: False
        server.fate = lambda key: "answer" if key < "8" and len(server.jobs) == 2 else "missing"
        assert await cancel_jobs(study) == 1
        server.fate, server.views = lambda key: "answer", 1
        state = await run(study)
    assert (state.exit_code, state.total("done")) == (0, 40)
    assert rows(tmp_path, "SELECT count(*) FROM completion") == rows(tmp_path, "SELECT count(*) FROM score") == [(40,)]


async def test_a_job_that_its_provider_does_not_know_is_never_a_dead_end(tmp_path: Path) -> None:
    columns = "marker, model, process, state, file_id, provider_id, requests, reserved_micro_usd, made, changed"

    def leave(study: Study, state: str, job: str, changed: str) -> None:
        cache = ResultCache(study.database)
        values = (f"m{changed}{state}", 1, 0, state, "file", job, 1, 500, changed, changed)
        cache.connection.execute(f"INSERT INTO job ({columns}) VALUES ({', '.join('?' * 10)})", values)
        cache.close()

    with FakeBatches() as server:
        study = load(tmp_path, [batched(server)], n=1)
        leave(study, "uploaded", "", now())  # its file is gone, and there never was a job
        leave(study, "submitted", "deleted", "2020-01-01T00:00:00+00:00")
        state = await run(study)
        assert (state.exit_code, state.total("answered")) == (0, 20)
        assert rows(tmp_path, "SELECT count(*) FROM job WHERE state = 'closed' AND reserved_micro_usd = 0") == [(3,)]
        leave(study, "submitted", "elsewhere", now())  # another account's, perhaps: its answers may be paid for
        state = await run(study)
    assert state.exit_code == 3
    assert "job elsewhere: HTTP 404" in state.stopped["fake"]
    assert rows(tmp_path, "SELECT count(*) FROM job WHERE state = 'submitted'") == [(1,)]

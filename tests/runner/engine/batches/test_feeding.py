"""What goes up: every request once, whatever breaks or is killed on the way, within the budget."""

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from batch_studies import COST, QUICK, batched, every_answer_is_kept_once
from fake_batches import FakeBatches, FakeJob
from run_study import run_in_process
from studies import load, rows, write_study
from waiting import HUNG

from runner.backends.retry import ATTEMPTS
from runner.engine.run import run
from runner.study.config import Study

STEPS = ("before upload", "after upload", "before create", "after create", "while waiting", "while downloading")


def killing(process: BaseProcess, at: str) -> Callable[[str], bool]:
    """What kills the process at a step; only then is it true."""
    return lambda step: step == at and process.kill() is None  # type: ignore[func-returns-value]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "steps"), [("openai", STEPS), ("gemini", ("after upload", "after create")), ("anthropic", STEPS[2:])]
)
def test_killed_at_every_step_nothing_goes_up_twice_and_nothing_is_lost(
    backend: str, steps: tuple[str, ...], tmp_path: Path
) -> None:
    with FakeBatches() as server:
        table = batched(server, backend, batch={**QUICK, "requests": 30})
        study = write_study(tmp_path, [table], budget={"usd": 1.0})
        for step in steps:
            process = run_in_process(study)
            server.at = killing(process, step)
            process.join(HUNG)
            assert process.exitcode == -signal.SIGKILL, step
        server.at = lambda step: False
        process = run_in_process(study)
        process.join(HUNG)
        assert process.exitcode == 0
    assert set(server.uploaded.values()) == {1}
    every_answer_is_kept_once(server, tmp_path, 50)


@pytest.mark.parametrize(("backend", "steps"), [("openai", STEPS), ("anthropic", STEPS[2:])])
async def test_a_connection_that_breaks_sends_nothing_twice(
    backend: str, steps: tuple[str, ...], tmp_path: Path
) -> None:
    with FakeBatches() as server:
        server.at = lambda step: server.steps[step] == 1
        state = await run(load(tmp_path, [batched(server, backend)]))
    assert state.exit_code == 0
    assert set(server.steps) == set(steps)
    assert set(server.uploaded.values()) == {1}
    every_answer_is_kept_once(server, tmp_path, 50)


@pytest.mark.parametrize("backend", ["openai", "anthropic"])
async def test_a_job_whose_making_went_unheard_is_never_made_again(backend: str, tmp_path: Path) -> None:
    with FakeBatches() as server:

        def lost(step: str) -> bool:
            server.listing = "refused" if step == "after create" else server.listing
            return step == "after create"

        server.at = lost
        study = load(tmp_path, [batched(server, backend)], budget={"usd": 1.0})
        state = await asyncio.wait_for(run(study), HUNG)
        assert "HTTP 401" in state.stopped["fake"]
        server.at, server.listing = lambda step: False, "whole"
        assert (await asyncio.wait_for(run(study), HUNG)).exit_code == 0
        assert len(server.jobs) == 1
    every_answer_is_kept_once(server, tmp_path, 50)


@pytest.mark.slow
async def test_a_run_that_ends_while_it_makes_a_job_leaves_it_to_the_next(tmp_path: Path) -> None:
    with FakeBatches() as server:
        study = write_study(tmp_path, [batched(server, batch={**QUICK, "lag": 30.0})], budget={"usd": 1.0})
        for step in ("before create", "after create"):
            process = run_in_process(study)
            server.at = killing(process, step)
            process.join(HUNG)
            if step == "before create":
                with sqlite3.connect(tmp_path / "study.sqlite") as connection:
                    connection.execute("UPDATE job SET changed = '2020-01-01T00:00:00+00:00'")
        server.at, server.listing = lambda step: False, "empty"
        again = asyncio.create_task(run(Study.load(study), pilot=False))
        await asyncio.sleep(1)
        server.listing = "whole"
        assert (await asyncio.wait_for(again, HUNG)).exit_code == 0
        assert len(server.jobs) == 1
    every_answer_is_kept_once(server, tmp_path, 50)


async def test_only_what_is_sent_is_a_try_and_a_job_that_may_be_there_is_looked_for(tmp_path: Path) -> None:
    with FakeBatches() as server:
        server.at = lambda step: (
            server.steps[step] < {"before upload": ATTEMPTS, "after create": 2}.get(step, 0)
        )  # the last upload gets there, and then the reply to the job is lost
        state = await run(load(tmp_path, [batched(server, batch={**QUICK, "lag": 0.2})]))
        assert (state.exit_code, server.steps["before upload"], len(server.jobs)) == (0, ATTEMPTS, 1)
    every_answer_is_kept_once(server, tmp_path, 50)


async def test_a_job_that_can_never_be_made_fails_after_eight_tries(tmp_path: Path) -> None:
    with FakeBatches() as server:
        server.at = lambda step: step == "before create"
        state = await asyncio.wait_for(run(load(tmp_path, [batched(server)])), HUNG)
    assert (state.exit_code, len(server.jobs), server.steps["before create"]) == (3, 0, ATTEMPTS - 1)
    assert rows(tmp_path, "SELECT count(*) FROM job WHERE state = 'closed'") == [(1,)]


async def test_a_job_refused_for_its_size_goes_up_in_parts_and_one_refused_for_its_content_fails(
    tmp_path: Path,
) -> None:
    with FakeBatches() as server:
        server.end = lambda job: "failed" if len(job.file.lines()) > 10 else "completed"
        state = await run(load(tmp_path, [batched(server)], n=1))
        assert (state.exit_code, state.total("answered")) == (0, 20)
        assert [len(job.file.lines()) for job in server.jobs.values()] == [20, 10, 10]

        def refused(job: FakeJob) -> str:
            job.errors = [{"code": "invalid_request", "message": "no such parameter"}]
            return "failed"

        server.end = refused
        state = await run(load(tmp_path, [batched(server)], n=2))
    assert (state.exit_code, state.failures) == (3, {("fake", "400"): 10})
    assert "no such parameter" in rows(tmp_path, "SELECT message FROM failure LIMIT 1")[0][0]


async def test_two_processes_never_send_up_the_same_request(tmp_path: Path) -> None:
    with FakeBatches(views=4) as server:
        study = write_study(tmp_path, [batched(server, batch={**QUICK, "requests": 25})], n=19)
        running = [run_in_process(study) for _ in range(2)]
        for process in running:
            process.join(HUNG)
        assert [process.exitcode for process in running] == [0, 0]
    every_answer_is_kept_once(server, tmp_path, 200)


async def test_jobs_never_reserve_more_than_the_cap_leaves(tmp_path: Path) -> None:
    cap = 12_000  # a worst case is about 700, and an answer costs 55
    worst: list[int] = []

    def reserved(job: FakeJob) -> str:
        sums = "SELECT sum(reserved_micro_usd + settled_micro_usd) FROM job"
        worst.append(rows(tmp_path, sums)[0][0])
        return "completed"

    with FakeBatches() as server:
        server.end = reserved
        study = load(tmp_path, [batched(server)], n=39, budget={"usd": cap / 1e6})
        state = await run(study)
    assert max(worst) <= cap
    assert len(worst) > 3  # what a job does not need of its reservation pays for the next
    assert state.exit_code == 4
    assert 0.9 * cap < len(server.worked_on) * COST <= cap
    assert set(server.worked_on.values()) == {1}

"""Batches against both providers' own SDKs and an endpoint on loopback: what goes up, what comes down, what is lost."""

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from fake_batches import FakeBatches, FakeJob
from run_study import run_in_process
from studies import load, model, rows, write_study
from waiting import HUNG, until

from personas.errors import InputError
from runner.backends.batches.base import KEY_BYTES
from runner.backends.catalogue.prices import batch_price_of, cost, saved_by_caching
from runner.backends.request import Usage
from runner.backends.retry import ATTEMPTS
from runner.crossing.prepare import prepared
from runner.engine.batches.cancel_jobs import cancel_jobs, jobs_left
from runner.engine.run import run
from runner.planning.plan import plan
from runner.progress.status import read_status
from runner.store.cache import ResultCache
from runner.store.database import now
from runner.study.config import Study
from runner.study.sections import ModelSection, Price

KEYS = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
MODELS = {"openai": "openai-model", "gemini": "gemini-model", "anthropic": "claude-haiku-4-5"}
PRICE = {"input": 1.0, "output": 10.0}
QUICK = {"poll": 0.05, "poll_most": 0.2, "lag": 0.0}
STEPS = ("before upload", "after upload", "before create", "after create", "while waiting", "while downloading")
COST = 55  # half of 100 tokens in and 1 out


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.engine.batches.feeding.POLL_SECONDS", 0.05)
    monkeypatch.setattr("runner.engine.batches.tending.POLL_SECONDS", 0.05)
    for name in KEYS.values():
        monkeypatch.setenv(name, "k")


def batched(server: FakeBatches, backend: str = "openai", **changes: Any) -> dict[str, Any]:
    """A [[models]] table for the endpoint."""
    url = getattr(server, f"{backend}_url")
    table = {"backend": backend, "id": MODELS[backend], "price": PRICE, "mode": "batch", "batch": QUICK}
    return model(url, **{**table, **changes})


def every_answer_is_kept_once(server: FakeBatches, folder: Path, trials: int) -> None:
    """Each request was worked on once, each trial has its score, and nothing is left behind."""
    assert set(server.worked_on.values()) == {1}
    assert rows(folder, "SELECT count(*), sum(status = 'ok') FROM score") == [(trials, trials)]
    assert rows(folder, "SELECT count(*) FROM job_trial") == rows(folder, "SELECT count(*) FROM lease") == [(0,)]
    settled = COST * len(server.worked_on)
    assert rows(folder, "SELECT sum(reserved_micro_usd), sum(settled_micro_usd) FROM job") == [(0, settled)]


@pytest.mark.parametrize("backend", KEYS)
async def test_a_batch_answers_what_live_requests_would(backend: str, tmp_path: Path) -> None:
    with FakeBatches() as server:
        table = batched(server, backend, batch={**QUICK, "requests": 20})
        state = await run(load(tmp_path, [table], variants={"system": "Be brief."}, budget={"usd": 1.0}))
        assert (state.exit_code, state.sent, state.total("answered")) == (0, 50, 50)
        assert len(server.jobs) == 3
        line = next(iter(server.files.values())).lines()[0]
        again = await run(load(tmp_path, [table | {"mode": "live"}], variants={"system": "Be brief."}))
    assert (again.sent, again.total("hits"), server.requests) == (0, 50, 0)
    assert rows(tmp_path, "SELECT DISTINCT micro_usd FROM completion") == [(COST,)]
    every_answer_is_kept_once(server, tmp_path, 50)
    sent = [key for file in server.files.values() if file.name != "output" for key in map(_key, file.lines())]
    read_by = dict(rows(tmp_path, "SELECT lower(hex(key)), persona_text FROM completion"))
    read_by |= {key[: 2 * KEY_BYTES]: text for key, text in read_by.items()}
    assert len(list(groupby(read_by[key] for key in sent))) == 5  # what a persona is asked stands together
    if backend == "anthropic":
        assert (line["params"]["system"], line["params"]["max_tokens"]) == ("Be brief.", 3)
    elif backend == "openai":
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
        assert line["body"]["messages"][0] == {"role": "system", "content": "Be brief."}
    else:
        assert line["request"]["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
        assert line["request"]["generationConfig"] == {"maxOutputTokens": 3}


def _key(line: dict[str, Any]) -> str:
    return str(line.get("custom_id") or line.get("key"))


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
            server.at = lambda name, step=step, process=process: name == step and process.kill() is None
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
            server.at = lambda name, step=step, process=process: name == step and process.kill() is None
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
    assert "every answer of it is none" in state.stopped["fake"]


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


@pytest.mark.parametrize(("mode", "lost"), [("live", True), ("auto", False)])
async def test_a_live_run_and_a_pilot_wait_for_open_jobs_only_where_somebody_brings_them(
    mode: str, lost: bool, tmp_path: Path
) -> None:
    """A job that the provider does not know any more is given up, and what it held is not waited for."""
    with FakeBatches(views=10**6) as server:
        stop = asyncio.Event()
        going = asyncio.create_task(run(load(tmp_path, [batched(server)], n=2), stop=stop, pilot=False))
        await until(lambda: server.jobs, going)
        stop.set()
        await going
        for job in server.jobs.values():
            job.views = 1
        if lost:
            server.jobs.clear()
        state = await asyncio.wait_for(run(load(tmp_path, [batched(server, mode=mode)], n=2)), HUNG)
    assert state.total("done") == (0 if lost else state.total("planned"))
    assert ("no such batch" in state.stopped.get("fake", "")) is lost


async def test_two_processes_never_send_up_the_same_request(tmp_path: Path) -> None:
    with FakeBatches(views=4) as server:
        study = write_study(tmp_path, [batched(server, batch={**QUICK, "requests": 25})], n=19)
        running = [run_in_process(study) for _ in range(2)]
        for process in running:
            process.join(HUNG)
        assert [process.exitcode for process in running] == [0, 0]
    every_answer_is_kept_once(server, tmp_path, 200)


async def test_auto_sends_a_pilot_live_and_the_rest_up(tmp_path: Path) -> None:
    with FakeBatches() as server:
        table = batched(server, mode="auto", concurrency=8, answer="probabilities", decoding={})
        state = await run(load(tmp_path, [table], n=9, budget={"usd": 1.0}))
    assert (state.exit_code, state.total("answered"), state.total("hits")) == (0, 100, 0)
    assert (server.requests, len(server.worked_on)) == (50, 50)
    assert state.micro_usd == 50 * 110 + 50 * COST
    assert rows(tmp_path, "SELECT count(*) FROM completion WHERE length(letters) = 8") == [(100,)]
    assert rows(tmp_path, "SELECT sum(settled_micro_usd), sum(reserved_micro_usd) FROM spend") == [(50 * 110, 0)]


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


async def test_what_the_providers_cache_saved_is_priced_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = ModelSection(name="m", backend="openai", id="x", price=Price(input=2.0, output=8.0, cached=0.5))
    usage = Usage(prompt_tokens=1000, completion_tokens=10, cached_tokens=400)
    assert cost(batch_price_of(section), usage) == 600 + 200 + 40  # a cached token at its own price, not at half of it
    assert saved_by_caching(section.price or Price(input=0, output=0), usage) == 400 * 1.5

    chat = FakeBatches._chat

    def cached(self: FakeBatches, body: str) -> dict[str, Any]:
        reply = chat(self, body)
        reply["usage"]["prompt_tokens_details"] = {"cached_tokens": 40}
        return reply

    monkeypatch.setattr(FakeBatches, "_chat", cached)
    with FakeBatches() as server:
        table = batched(server, mode="live", price={**PRICE, "cached": 0.25})
        study = load(tmp_path, [table], n=3)
        state = await run(study)
    assert state.caching.sentence().startswith("40% of the prompts' tokens came from the provider's cache")
    assert state.caching.saved_micro_usd == state.total("done") * 30
    assert any("saved $0.0012" in line for line in read_status(study.database).lines())
    with prepared(load(tmp_path, [table | {"mode": "batch"}], n=4)) as ready:
        found = plan(ready)
        assert any("saved $0.0012" in remark for remark in found.remarks)
        assert any("caches from 1,024 on: do not count on a discount" in remark for remark in found.remarks)
        assert found.rows[0].usd_high == found.rows[0].usd_batch


def test_what_takes_no_batches_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes no batches"):
        load(tmp_path, [model("http://127.0.0.1:1/v1", mode="batch")])
    with pytest.raises(InputError, match="unknown key"):
        load(tmp_path, [model("http://127.0.0.1:1/v1", batch={"size": 3})])

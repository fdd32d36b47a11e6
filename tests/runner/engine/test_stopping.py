"""A run that is stopped, or cannot go on: it ends, and nothing that was answered is lost."""

import asyncio
import random
import sqlite3
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model, rows
from waiting import HUNG, until

from personas.errors import MachineError
from runner.backends.base import Answer
from runner.backends.errors import BadRequest, Transient
from runner.backends.request import Request, Usage
from runner.engine.run import run
from scoring.answers.responses import Response


async def test_whatever_stops_the_writer_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.store.cache._completion_row", lambda number, each, texts: (1 << 70,) * 20)
    with FakeLLM() as server, pytest.raises(MachineError, match=r"study\.sqlite: an? answer cannot be written"):
        await asyncio.wait_for(run(load(tmp_path, [model(server.url)])), HUNG)


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
        slow = model(server.url, concurrency=16, requests_per_minute=1)
        stop = asyncio.Event()
        going = asyncio.create_task(run(load(tmp_path, [slow]), stop=stop, pilot=False))
        await until(lambda: server.requests, going)
        stop.set()
        state = await asyncio.wait_for(going, HUNG)
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


async def test_a_stop_does_not_wait_long_for_a_local_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was computing is asked again by the next run; what it had answered is not."""
    monkeypatch.setattr("runner.engine.live.LOCAL_SECONDS", 0.2)

    class Local:
        answered = asked = 0
        is_slow = True

        async def answer(self, request: Request) -> Answer:
            self.asked += 1
            if self.asked > 8 and self.is_slow:
                await asyncio.sleep(HUNG)
            self.answered += 1
            return Answer(Response("A"), Usage(10, 1))

        async def exactness(self) -> None:
            if self.is_slow:
                await asyncio.sleep(HUNG)

        async def close(self) -> None:
            pass

    local, stop = Local(), asyncio.Event()
    table = {"name": "m", "backend": "local", "id": "made/up", "revision": "0" * 40, "dtype": "float32"}
    table |= {"answer": "text", "decoding": {"max_tokens": 3}, "concurrency": 16}
    study = load(tmp_path, [table], n=4)
    going = asyncio.create_task(run(study, stop=stop, backend=lambda *of: local))
    await until(lambda: local.asked == 8 + 16, going)
    stop.set()
    state = await asyncio.wait_for(going, 20)
    assert (state.exit_code, state.in_flight, local.answered, state.failures.total()) == (130, 0, 8, 0)
    assert rows(tmp_path, "SELECT count(*) FROM completion") == [(8,)]
    local.is_slow, local.asked = False, 0
    state = await run(study, backend=lambda *of: local)
    assert (state.exit_code, local.asked) == (0, state.total("planned") - 8)

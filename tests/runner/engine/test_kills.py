"""SIGKILL at any moment: what is repeated, what is lost."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from run_study import run_in_process
from studies import ROOT, model, rows, start, write_study
from waiting import HUNG, wait_until

pytestmark = pytest.mark.slow

CONCURRENCY = 32
UNCOMMITTED = CONCURRENCY + 512  # in flight, and one commit group


async def _faults(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
    dice = server.random.random()
    if dice < 0.10:
        return web.Response(status=429, headers={"Retry-After": "0.02"}, text="slow down")
    if dice < 0.15:
        return web.Response(status=500, headers={"Retry-After": "0.02"}, text="oops")
    return None


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_runs_lose_nothing_and_repeat_only_what_was_in_flight(processes: int, tmp_path: Path) -> None:
    kills, personas, pairs = 10 // processes, 39, 250
    dice = random.Random(processes)
    with FakeLLM(misbehave=_faults) as server:
        study = write_study(tmp_path, [model(server.url, concurrency=CONCURRENCY)], n=personas, groups=pairs)
        for _ in range(kills):
            killed = [run_in_process(study) for _ in range(processes)]
            target = server.requests + dice.randrange(50, 1200)
            deadline = time.monotonic() + HUNG
            while server.requests < target and time.monotonic() < deadline and killed[0].is_alive():
                time.sleep(0.01)
            for process in killed:
                process.kill()
                process.join()
        running = [start(study, "--no-pilot") for _ in range(processes)]
        outputs = [each.communicate(timeout=HUNG)[0] for each in running]
    assert [process.returncode for process in running] == [0] * processes, outputs
    trials = (personas + 1) * pairs
    asked = "count(DISTINCT model || '/' || persona || '/' || item)"
    assert rows(tmp_path, f"SELECT count(*), {asked} FROM score") == [(trials, trials)]
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(tmp_path, "SELECT count(*) FROM lease") == [(0,)]
    answered_twice = sum(server.answered.values()) - len(server.answered)
    assert answered_twice <= kills * processes * UNCOMMITTED
    assert len(server.answered) == rows(tmp_path, "SELECT count(*) FROM completion")[0][0]


def test_two_processes_never_send_the_same_request(tmp_path: Path) -> None:
    with FakeLLM(latency=0.02) as server:
        study = write_study(tmp_path, [model(server.url, concurrency=16)], n=20, groups=60)
        running = [start(study, "--no-pilot") for _ in range(2)]
        for process in running:
            process.communicate(timeout=HUNG)
    assert [process.returncode for process in running] == [0, 0]
    assert server.repeats == 0
    assert rows(tmp_path, "SELECT count(*) FROM score") == [(60 * 21,)]


def test_an_interrupted_run_ends_tidily(tmp_path: Path) -> None:
    with FakeLLM(latency=0.1) as server:
        study = write_study(tmp_path, [model(server.url, concurrency=8)], n=50, groups=40)
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # a runner in the background has it ignored
        process = start(study)
        signal.signal(signal.SIGINT, before)
        wait_until(lambda: server.requests >= 80 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=HUNG)
        assert process.returncode == 130, output
        assert "run again to go on" in output
        kept = rows(tmp_path, "SELECT count(*) FROM completion")[0][0]
    assert kept == server.requests


def test_a_child_never_outlives_its_parent(tmp_path: Path) -> None:
    """The local server ends when the pipe to its parent does, also after SIGKILL."""
    socket = tmp_path / "s"
    child = (
        "import asyncio, pathlib; from aiohttp import web; from runner.serve.app import serve; "
        "from runner.serve.parent import end_with_parent; end_with_parent(); "
        f"asyncio.run(serve(web.Application(), pathlib.Path({str(socket)!r}), '127.0.0.1', 0, lambda: None))"
    )
    parent_code = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=-1); "
    parent_code += "print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", parent_code, child], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    number = int(parent.stdout.readline())
    wait_until(socket.exists)
    assert _state(number) != "gone"
    parent.kill()
    parent.wait()
    wait_until(lambda: _state(number) == "gone")


def _state(number: int) -> str:
    """A process's state letter; a zombie is as good as gone."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"
    return "gone" if state == "Z" else state

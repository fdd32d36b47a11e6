"""Several processes that run one study on one file at the same time: what they bring together, and what is sent twice.

    python tests/bench/processes.py [--trials 60000] [--processes 1 2 4] [--latency 0 0.2] [--concurrency 64]

Each of the trials is a request of its own. A line of the table: how many processes and how slow the server, trials a
second from when all are asking until the last has ended, processor time of all processes a trial since they began
to ask, the largest memory of a process, the requests that the server counted against the different ones among them, and
the answers and scores in the file. The exit code is 1 where a request was sent twice, or where the file has not one
answer and one score for each.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:1] = [str(ROOT)]  # not this folder: it has names of libraries

from runner.engine.run import run
from runner.engine.state import State
from runner.study.config import Study
from tests.bench.fast_server import Counts, fast_server
from tests.bench.shards import ITEMS, counted, write_study

HEAD = "processes  latency  trials/s  ms/trial    GB     sent distinct  answers   scores"


class TimedState(State):
    """Says when the run begins to ask, and notes the processor time that was used before."""

    before = 0.0

    def enter(self, phase: str) -> None:
        super().enter(phase)
        self.before = time.process_time()
        if phase == "asking":
            print(phase, flush=True)


def run_here(path: Path) -> None:
    """Run a study in this process, without a report; prints what it took as JSON."""
    state = TimedState()
    asyncio.run(run(Study.load(path), state, pilot=False))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"cpu": time.process_time() - state.before, "peak": peak, "sent": state.sent}))
    sys.exit(state.exit_code)


def together(path: Path, processes: int, url: str, wanted: int) -> tuple[float, list[dict[str, Any]]]:
    """Trials a second while all are asking, and what each took. Raises SystemExit where one fails."""
    command = [sys.executable, __file__, "--run", str(path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    for each in started:
        assert each.stdout
        each.stdout.readline()
    began, before = time.perf_counter(), Counts.of(url).requests
    said = [each.communicate()[0] for each in started]
    seconds = time.perf_counter() - began
    if any(each.returncode for each in started):
        raise SystemExit(f"ended with {[each.returncode for each in started]}")
    return (wanted - before) / seconds, [json.loads(each) for each in said]


def attempt(trials: int, processes: int, latency: float, concurrency: int) -> bool:
    """One line of the table; whether each request was sent once."""
    with fast_server(latency) as url, tempfile.TemporaryDirectory() as folder:
        path, people, _ = write_study(Path(folder), url, trials, alike=1, concurrency=concurrency)
        wanted = (people + 1) * ITEMS
        rate, took = together(path, processes, url, wanted)
        counts, database = Counts.of(url), Study.load(path).database
        answers, scores = (counted(database, f"SELECT count(*) FROM {table}") for table in ("completion", "score"))
    processor, peak = sum(each["cpu"] for each in took), max(each["peak"] for each in took)
    print(
        f"{processes:9} {1000 * latency:6.0f}ms {rate:9,.0f} {1000 * processor / wanted:9.3f} {peak:5.2f} "
        f"{counts.requests:8,} {counts.distinct:8,} {answers:8,} {scores:8,}   sent by each: "
        + ", ".join(f"{each['sent']:,}" for each in took),
        flush=True,
    )
    return counts.requests == counts.distinct == answers == scores == wanted


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60_000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.2], help="seconds of an answer")
    parser.add_argument("--concurrency", type=int, default=64, help="requests in flight of each process")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        run_here(chosen.run)
    print(f"{HEAD}   ({chosen.concurrency} in flight of each)", flush=True)
    lines = [(latency, processes) for latency in chosen.latency for processes in chosen.processes]
    once = [attempt(chosen.trials, processes, latency, chosen.concurrency) for latency, processes in lines]
    return 0 if all(once) else 1


if __name__ == "__main__":
    sys.exit(main())

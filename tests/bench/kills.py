"""SIGKILL at any moment, against a server that misbehaves: what is lost, and what is sent twice.

    python tests/bench/kills.py [--rounds 10] [--trials 10000]

Four set-ups: one or two processes at a time, few or many requests in flight. In each, runs of one study are killed at a
moment drawn by chance, `rounds` times, then it is run to its end. The server answers one request of ten with 429 and
one of twenty with 500, closes connections and cuts JSON off. A row of the table: the scores and completions that should
be there and are, how many requests were answered more than once and how many may be (what was in flight at a kill, and
one group of answers that were not yet written), what was spent of the cap, and what SQLite says of the file.
"""

import argparse
import asyncio
import random
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "tests" / "support")]

from aiohttp import web
from fake_llm import FakeLLM
from run_study import run_in_process
from studies import model, write_study

GROUP = 512  # answers that are written together
PAIRS = 500
PRICE = {"input": 1.0, "output": 1.0}  # dollars a million tokens
CAP = 25.0
LIMIT = 1800.0  # seconds that a set-up may take
SETUPS = ((1, 64), (1, 512), (2, 64), (2, 512))  # processes at a time, requests in flight of each


async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
    """Rate limits, errors, connections that end, JSON that does."""
    dice = server.random.random()
    if dice < 0.10:
        return web.Response(status=429, headers={"Retry-After": "0.02"}, text="slow down")
    if dice < 0.15:
        return web.Response(status=500, headers={"Retry-After": "0.02"}, text="oops")
    if dice < 0.16:
        assert request.transport
        request.transport.close()
        raise asyncio.CancelledError
    if dice < 0.17:
        return web.Response(text='{"choices": [{"mess', content_type="application/json")
    return None


def rows(path: Path, sql: str) -> tuple[object, ...]:
    """The first row of a query."""
    connection = sqlite3.connect(path)
    try:
        found: tuple[object, ...] = connection.execute(sql).fetchone()
        return found
    finally:
        connection.close()


def attempt(processes: int, concurrency: int, rounds: int, trials: int, folder: Path) -> bool:
    """One set-up; prints its row and says whether nothing was lost."""
    dice, began = random.Random(processes * concurrency), time.monotonic()
    personas = trials // PAIRS - 1
    with FakeLLM(misbehave=misbehave) as server:
        fake = model(server.url, concurrency=concurrency, price=PRICE)
        study = write_study(folder, [fake], n=personas, groups=PAIRS, budget={"usd": CAP})
        for _ in range(rounds):
            running = [run_in_process(study) for _ in range(processes)]
            target = server.requests + dice.randrange(50, max(100, trials // 8))
            while server.requests < target and running[0].is_alive() and time.monotonic() - began < LIMIT:
                time.sleep(0.005)
            for process in running:
                process.kill()
                process.join()
        last = [run_in_process(study) for _ in range(processes)]
        for process in last:
            process.join(LIMIT)
        answered = sum(server.answered.values())
        twice = answered - len(server.answered)
    database = folder / "study.sqlite"
    (scores,) = rows(database, "SELECT count(*) FROM score")
    (distinct,) = rows(database, "SELECT count(DISTINCT model || '/' || persona || '/' || item) FROM score")
    (completions,) = rows(database, "SELECT count(*) FROM completion")
    settled, reserved = rows(database, "SELECT sum(settled_micro_usd), sum(reserved_micro_usd) FROM spend")
    (sound,) = rows(database, "PRAGMA integrity_check")
    may = rounds * processes * (concurrency + GROUP)
    expected = (personas + 1) * PAIRS
    codes = [process.exitcode for process in last]
    print(
        f"{processes} × {concurrency:3}  kills {rounds * processes:3}  exit {codes}  scores {scores} of {expected} "
        f"({distinct} distinct)  completions {completions} of {len(server.answered)}  answered twice {twice} (may be "
        f"{may})  spent ${int(str(settled)) / 1e6:.4f} + held ${int(str(reserved)) / 1e6:.4f} of ${CAP}  file {sound}  "
        f"{time.monotonic() - began:.0f} s",
        flush=True,
    )
    whole = (scores, distinct, completions) == (expected, expected, len(server.answered))
    within = int(str(settled)) + int(str(reserved)) <= CAP * 1e6
    return whole and within and twice <= may and sound == "ok" and codes == [0] * processes


def main() -> int:
    """Print a row a set-up; the exit code is 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=10_000)
    chosen = parser.parse_args()
    sound = True
    for processes, concurrency in SETUPS:
        with tempfile.TemporaryDirectory() as folder:
            sound &= attempt(processes, concurrency, chosen.rounds, chosen.trials, Path(folder))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())

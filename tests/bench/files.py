"""Merging two files, against SQLite's own copy of the result; what a letter-only answer takes on the disk; how even
shards are.

    python tests/bench/files.py [--trials 1000000]

A ratio of 1 means that finding out what is new, and giving every row its new number, costs nothing.
"""

import argparse
import hashlib
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

sys.path.pop(0)  # this folder: it has a personas.py of its own

from runner.store.database import open_database
from runner.store.rows import insert
from runner.study.shard import Shard
from scoring.answers.items import Item

ITEMS = 100
MODEL = "INSERT INTO model (sha, name, provider, model, revision, dtype, parameters, answer) VALUES "
ITEM = "INSERT INTO item (id, item_id, sha, benchmark, part, grp, record) VALUES (?, ?, ?, 'b', '', ?, ?)"
COMPLETION = "key model persona_text item_text system_text answer finish prompt_tokens completion_tokens".split()
SCORE = "model persona variant item rotation replicate completion chosen_by_text value status scorer".split()


def fill(path: Path, people: range) -> None:
    """A file in which these people answered every item with a letter."""
    connection = open_database(path)
    connection.execute(f"{MODEL}(x'01', 'm', 'p', 'm', '', '', '{{}}', 'text')")
    connection.execute("INSERT INTO variant VALUES (1, x'01', 'prose', 'role', 'prompt', 0, '[]')")
    connection.executemany(ITEM, [(n, f"i{n}", sha(f"i{n}"), f"g{n}", record(n)) for n in range(1, ITEMS + 1)])
    connection.execute("BEGIN")
    insert(
        connection, "INSERT", "text", ("id", "sha", "text"), [(n, sha(f"q{n}"), "q" * 300) for n in range(1, ITEMS + 1)]
    )
    for place, person in enumerate(people, start=1):
        told = (place, f"s:1:{person}", sha(f"p{person}"), "s", "1", "NOR", 1.0, str(person), "{}", "{}")
        connection.execute(f"INSERT INTO persona VALUES ({', '.join('?' * len(told))})", told)
        text = ITEMS + place
        connection.execute("INSERT INTO text VALUES (?, ?, ?)", (text, sha(f"t{person}"), "t" * 900))
        first = (place - 1) * ITEMS
        rows = [(sha(f"{person}/{n}"), 1, text, n, 0, "A", "stop", 250, 1) for n in range(1, ITEMS + 1)]
        insert(connection, "INSERT", "completion", COMPLETION, rows)
        scores = [(1, place, 1, n, 0, 0, first + n, 0, 1.0, "ok", "2:b:1") for n in range(1, ITEMS + 1)]
        insert(connection, "INSERT", "score", SCORE, scores)
    connection.execute("COMMIT")
    connection.close()


def record(number: int) -> str:
    """An item as a file has it."""
    return json.dumps(asdict(Item(f"i{number}", "b", "1", "Why?", ("yes", "no", "perhaps"), f"g{number}")))


def sha(text: str) -> bytes:
    """32 bytes that are spread as keys are."""
    return hashlib.sha256(text.encode()).digest()


def merging(trials: int) -> None:
    """Fill two halves, merge them in a process of its own, copy the result with VACUUM INTO."""
    people = trials // ITEMS
    with tempfile.TemporaryDirectory() as folder:
        halves = [Path(folder) / "1.sqlite", Path(folder) / "2.sqlite"]
        fill(halves[0], range(people // 2))
        fill(halves[1], range(people // 2, people))
        into = Path(folder) / "all.sqlite"
        subprocess.run([sys.executable, __file__, "--merge", *map(str, (*halves, into))], check=True)
        began = time.perf_counter()
        connection = sqlite3.connect(into)
        connection.execute("VACUUM INTO ?", (str(Path(folder) / "copy.sqlite"),))
        print(f"VACUUM INTO of the result: {time.perf_counter() - began:.1f} s")
        (rows,) = connection.execute("SELECT count(*) FROM score").fetchone()
        print(f"{rows:,} letter-only trials: {into.stat().st_size / rows:.0f} bytes a trial, with texts and indexes")


def merge_in_process(halves: list[Path], into: Path) -> None:
    """Merge twice, the second time to no effect."""
    from runner.store.merge import merge

    for what in ("merge", "merge again"):
        began = time.perf_counter()
        merge(halves, into)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(f"{what}: {time.perf_counter() - began:.1f} s, peak {peak:.0f} MB", flush=True)


def evenness() -> None:
    """The largest of 8 shards of as many respondents, over their mean."""
    for people in (200, 2_000, 20_000):
        counts = Counter(next(n for n in range(1, 9) if Shard(n, 8).holds(f"persona {each}")) for each in range(people))
        print(f"8 shards of {people:,} respondents: the largest is {max(counts.values()) / people * 8:.2f} of the mean")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--merge", type=Path, nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.merge:
        merge_in_process(chosen.merge[:2], chosen.merge[2])
    else:
        merging(chosen.trials)
        evenness()

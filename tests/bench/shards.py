"""A study in shards, merged and reported: requests, seconds, processor time, memory and size of every step.

    python tests/bench/shards.py [--trials 10000000] [--shards 8] [--together 2] [--server URL] [--folder FOLDER]

Made-up people answer 200 BBQ items each. Ten of them always read the same words, so that a tenth of the trials are
requests of their own. The shards run as `mtpa-run --shard` does it, some `--together`, against a server on this machine
that counts: its own, or that at URL, which has to tell /stats and /reset as the one here does. `--again` runs the whole
study on the merged file, too, which sends nothing.

What should be there is reckoned from the people and the items alone, and counted in SQL. The exit code is 1 where a
request was sent twice, or where a trial is missing or there twice.
"""

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "tests" / "support")]  # not this folder: it has names of libraries

import numpy as np
import pandas as pd
from studies import model

from personas.people.respondents import Respondents
from personas.release.parquet import write_personas
from personas.traits import catalogue
from runner.store.database import file_size
from runner.study.config import Study
from tests.bench.fast_server import Counts, fast_server

ITEMS, ALIKE = 200, 10  # items of each person; people who read the same
COUNTRIES = "ARG AUS BRA CAN CHL CHN DEU EGY FRA IND JPN KEN MAR MEX NGA NOR SWE TUR UKR USA".split()
TOLD = ("gender", "age", "education")


class Cost(NamedTuple):
    """What a process took: seconds, processor seconds, GB of memory at most."""

    seconds: float
    processor: float
    peak: float

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s, {self.processor:.0f} s of processor time, peak {self.peak:.2f} GB"


def write_people(path: Path, people: int, texts: int) -> None:
    """People who have one of so many different descriptions, in turn."""
    text = np.arange(people) % texts
    levels = (2, len(COUNTRIES), 70, 8)  # gender, country, age, education: 22,400 descriptions
    gender, country, age, education = np.unravel_index(text, levels, order="F")
    head = {"persona_id": [f"bench:1:{number}" for number in range(people)], "survey": "bench", "wave": "1"}
    codes = {"gender": gender + 1, "age": age + 18, "education": education + 1}
    frame = pd.DataFrame({**head, "country": np.array(COUNTRIES)[country], "weight": 1.0})
    frame = frame.assign(**{name: each.astype(np.int16) for name, each in codes.items()})
    traits = {name: trait for name, trait in catalogue().traits.items() if name in ("country", *TOLD)}
    write_personas(path, [Respondents(frame, traits)], {})


def write_study(
    folder: Path, url: str, trials: int, alike: int = ALIKE, concurrency: int = 64
) -> tuple[Path, int, int]:
    """A study of so many trials; how many people it has, and how many different texts of them."""
    people = trials // ITEMS - 1  # the baseline is asked all items, too
    texts = max(1, (people + 1) // alike - 1)
    write_people(folder / "people.parquet", people, texts)
    tables = {
        "study": {"name": "shards", "database": "shards.sqlite", "seed": 1},
        "personas": {"sources": ["people.parquet"], "n": people, "traits": "all"},
        "benchmarks": [{"name": "bbq", "groups": ITEMS // 4}],
        "models": [model(url, timeout=600, concurrency=concurrency)],
    }
    study = Study.from_dict(tables, folder / "shards.toml")
    study.path.write_text(study.text)
    return study.path, people, texts


def measured(*command: object) -> Cost:
    """What a command takes. Raises SystemExit where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{said}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)


def mtpa(study: Path, *options: object) -> Cost:
    """What `mtpa-run` takes with these options."""
    return measured(sys.executable, "-m", "runner", "--study", study, *options)


def counted(database: Path, sql: str) -> int:
    """The one number that a query gives."""
    with closing(sqlite3.connect(database)) as connection:
        (found,) = connection.execute(sql).fetchone()
    return int(found)


ROWS = "SELECT " + " + ".join(
    f"(SELECT count(*) FROM {table})" for table in ("completion", "score", "text", "persona", "item")
)
ONCE = "SELECT count(*) FROM (SELECT 1 FROM score GROUP BY persona, item HAVING count(*) = 1)"
_ANSWERED = "FROM score JOIN completion ON completion.id = score.completion"
WITHOUT_TEXT = f"SELECT count(*) {_ANSWERED} WHERE persona_text = 0 AND persona = 0"
TEXTS_OF_ONE = "SELECT max(texts) FROM (SELECT count(DISTINCT {0}_text) AS texts {1} GROUP BY {0})"


def is_whole(merged: Path, shards: Sequence[Path], people: int, texts: int, counts: Counts) -> bool:
    """Whether each trial is in the merged file once and each request was sent once; prints what is counted."""
    trials, distinct = (people + 1) * ITEMS, (texts + 1) * ITEMS
    found = {
        "trials: person and item once": (counted(merged, ONCE), trials),
        "trials in the shards": (sum(counted(each, "SELECT count(*) FROM score") for each in shards), trials),
        "trials in the merged file": (counted(merged, "SELECT count(*) FROM score"), trials),
        "trials of the baseline, no person's": (counted(merged, WITHOUT_TEXT), ITEMS),
        "texts of a person, at most": (counted(merged, TEXTS_OF_ONE.format("persona", _ANSWERED)), 1),
        "texts of an item, at most": (counted(merged, TEXTS_OF_ONE.format("item", _ANSWERED)), 1),
        "texts of people": (counted(merged, "SELECT count(DISTINCT persona_text) - 1 FROM completion"), texts),
        "requests that the server counted": (counts.requests, distinct),
        "different ones among them": (counts.distinct, distinct),
        "answers in the shards": (sum(counted(each, "SELECT count(*) FROM completion") for each in shards), distinct),
        "answers in the merged file": (counted(merged, "SELECT count(*) FROM completion"), distinct),
    }
    for name, (number, wanted) in found.items():
        print(f"{name:36s} {number:12,}{'' if number == wanted else f', BUT SHOULD BE {wanted:,}'}", flush=True)
    return all(number == wanted for number, wanted in found.values())


@contextmanager
def server_at(url: str | None) -> Iterator[str]:
    """The base URL of a server that has counted nothing yet."""
    with nullcontext(url) if url else fast_server() as found:
        Counts.of(found, "reset")
        yield found


def fill(study: Path, shards: int, together: int) -> list[Cost]:
    """Run every shard, some at a time."""
    with ThreadPoolExecutor(together) as pool:
        parts = (f"{number}/{shards}" for number in range(1, shards + 1))
        return list(pool.map(lambda part: mtpa(study, "--yes", "--no-pilot", "--shard", part), parts))


def show_shards(costs: Iterable[Cost], paths: Sequence[Path]) -> None:
    """A line a shard."""
    for path, cost in zip(paths, costs, strict=True):
        count = counted(path, "SELECT count(*) FROM score")
        print(f"{path.name}: {count:,} trials, {file_size(path) / count:.0f} bytes a trial, {cost}", flush=True)


def bench(folder: Path, chosen: argparse.Namespace) -> bool:
    """Every step; whether all is there once."""
    with server_at(chosen.server) as url:
        path, people, texts = write_study(folder, url, chosen.trials)
        study, trials = Study.load(path), (people + 1) * ITEMS
        print(f"{trials:,} trials, {people:,} people of {texts:,} texts, {chosen.shards} shards", flush=True)
        began = time.perf_counter()
        costs = fill(path, chosen.shards, chosen.together)
        seconds, processor = time.perf_counter() - began, sum(each.processor for each in costs)
        counts = Counts.of(url)
        shards = [study.part(f"{number}/{chosen.shards}").database for number in range(1, chosen.shards + 1)]
        show_shards(costs, shards)
        print(
            f"filled, {chosen.together} at a time: {seconds:.0f} s, {trials / seconds:,.0f} trials a second; "
            f"{processor:.0f} s of processor time, {trials / processor:,.0f} trials a second of it; "
            f"peak of a shard {max(each.peak for each in costs):.2f} GB",
            flush=True,
        )
        merging = mtpa(path, "merge", *shards, "--into", study.database)
        rows, size = counted(study.database, ROWS), file_size(study.database)
        print(f"merged: {merging}; {rows:,} rows, {rows / merging.seconds:,.0f} a second")
        print(f"merged file: {size / 1e6:,.0f} MB, {size / trials:.0f} bytes a trial", flush=True)
        print(f"reported: {mtpa(path, 'report')}", flush=True)
        if chosen.again:
            print(f"run again on the merged file: {mtpa(path, '--yes')}", flush=True)
        return is_whole(study.database, shards, people, texts, Counts.of(url) if chosen.again else counts)


def main() -> int:
    """Run the bench in the folder that is named, else in one that is gone afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--together", type=int, default=2, help="shards that run at a time")
    parser.add_argument("--server", metavar="URL", help="another server that counts, such as http://127.0.0.1:8000/v1")
    parser.add_argument("--folder", type=Path, help="an empty folder for the files, which stay there")
    parser.add_argument("--again", action="store_true", help="run the whole study on the merged file, too")
    chosen = parser.parse_args()
    with nullcontext(chosen.folder) if chosen.folder else tempfile.TemporaryDirectory() as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        whole = bench(Path(folder), chosen)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"all processes together: {children.ru_utime + children.ru_stime:.0f} s of processor time")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())

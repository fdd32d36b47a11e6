"""A report on 10 million scores: seconds and peak memory of each step, from an SQLite file to the HTML page.

python tests/bench/report.py [scores]    (10,000,000 by default: two models, 1,000 personas, 2,500 items, two rotations)
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from runner.store.database import open_database
from runner.store.report_rows import load_gold, load_items
from runner.store.rows import insert, register
from runner.store.scores import load_scores
from scoring.report.findings import findings
from scoring.report.page import page
from scoring.statistics.subgroups import Slicing

PERSONAS, MODELS, ROTATIONS, GROUP = 1000, 2, 2, 4
COUNTRIES = ("AUS", "BRA", "CAN", "CHN", "COL", "DEU", "FRA", "IND", "KEN", "MAR", "MEX", "NOR", "SWE", "UKR", "USA")


def main(scores: int) -> None:
    """Write the file, then time the report."""
    items = max(GROUP, round(scores / (PERSONAS * MODELS * ROTATIONS)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.sqlite"
        rows = _write(path, items)
        print(f"{rows:,} scores in a file of {path.stat().st_size / 1e6:.0f} MB")
        start = last = time.perf_counter()
        before = time.process_time()

        def step(name: str) -> None:
            nonlocal last
            now = time.perf_counter()
            used = resource.getrusage(resource.RUSAGE_SELF)
            processor, peak = used.ru_utime + used.ru_stime - before, used.ru_maxrss / 1e6
            print(
                f"{name:24s} {now - last:6.1f} s   {now - start:6.1f} s in all, {processor:6.1f} s of processor time   "
                f"peak {peak:.2f} GB",
                flush=True,
            )
            last = now

        frame = load_scores(path)
        step("read the file")
        about = dict.fromkeys(("name", "study", "code", "started", "ended"), "bench")
        about |= {"seed": 1, "trials": len(frame), "packages": {}, "models": [], "data": [], "declared": []}
        slicing = Slicing(("country", "gender", "age_band"))
        found = findings(frame, slicing, load_gold(path, ROTATIONS), lambda ids: load_items(path, ids), about)
        step("every table")
        html = page(found)
        step(f"the page, {len(html) / 1e6:.1f} MB")


def _write(path: Path, items: int) -> int:
    connection = open_database(path)
    connection.execute("PRAGMA synchronous = OFF")
    models = register(connection, "model", [_model(number) for number in range(MODELS)])
    people = register(connection, "persona", [_persona(number) for number in range(PERSONAS)])
    questions = register(connection, "item", [_item(number) for number in range(items)])
    blank = {"format": "prose", "frame": "role", "placement": "prompt", "trait_order": 0, "traits": []}
    (variant,) = register(connection, "variant", [blank])
    columns = "model item persona variant rotation replicate completion chosen_by_text value status scorer".split()
    count = 0
    for model in models:
        connection.execute("BEGIN")
        for person in (0, *people):
            rows = list(_scores(model, person, variant if person else 0, questions))
            insert(connection, "INSERT", "score", columns, rows)
            count += len(rows)
        connection.execute("COMMIT")
    connection.close()
    return count


def _scores(model: int, person: int, variant: int, questions: list[int]) -> Iterator[tuple[object, ...]]:
    random = np.random.default_rng([model, person])
    chosen = random.choice(3, size=(len(questions), ROTATIONS), p=[0.6, 0.25, 0.15]).tolist()
    for item, options in zip(questions, chosen, strict=True):
        for rotation, option in enumerate(options):
            yield (model, item, person, variant, rotation, 0, 1, option, float(option == 0), "ok", "1")


def _model(number: int) -> dict[str, object]:
    return {
        "name": f"model {number}",
        "provider": "bench",
        "model": str(number),
        "revision": "",
        "dtype": "",
        "parameters": "{}",
        "answer": "text",
    }


def _persona(number: int) -> dict[str, object]:
    country, gender = COUNTRIES[number % len(COUNTRIES)], ("female", "male")[number // 7 % 2]
    band = ("15-24", "25-34", "35-44", "45-54", "55-64", "65+")[number // 11 % 6]
    return {
        "persona_id": f"bench:1:{number}",
        "survey": "bench",
        "wave": "1",
        "country": country,
        "weight": 1.0,
        "cluster": str(number),
        "answers": {},
        "subgroups": {"country": country, "gender": gender, "age_band": band},
    }


def _item(number: int) -> dict[str, object]:
    meta = {"category": f"category {number // GROUP % 11}", "condition": ("ambig", "disambig")[number % 2]}
    record = {
        "id": f"bbq/{number}",
        "benchmark": "bbq",
        "version": "1",
        "part": "",
        "context": None,
        "ask": "letter",
        "question": f"Question {number}?",
        "choices": ["one", "two", "three"],
        "weights": [1.0, 0.0, 0.0],
        "roles": ["unknown", "biased", "antibiased"],
        "ordinals": None,
        "group": f"g{number // GROUP}",
        "shuffle": True,
        "scoring": {"kind": "bbq"},
        "meta": meta | {"label_type": "label"},
        "target_trait": None,
    }
    text = json.dumps(record)
    return {"item_id": record["id"], "benchmark": "bbq", "part": "", "grp": record["group"], "record": text}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)

"""Damaged files for every reader: valid ones with bytes changed, and a few that were never valid.

A reader is tried in a process of its own, whose time and memory are bounded. What it may do with a file is read it or
raise an MtpaError, a sentence.
"""

import hashlib
import io
import json
import random
import resource
import sqlite3
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import psutil
from fuzzed_files import FILES, JSON, changed_database, changed_json, content
from fuzzed_files import TEXTS as MORE_TEXTS
from fuzzed_files import readers as more_readers

SECONDS = 10
MEMORY = 1_000_000_000  # bytes beyond what the modules take
STUDY = """
[study]
name = "s"
[personas]
sources = ["starter_gss2018"]
n = 3
traits = ["age", "gender"]
[[benchmarks]]
name = "bbq"
groups = 2
[[models]]
name = "m"
backend = "openai-compatible"
id = "x"
base_urls = ["http://127.0.0.1:9/v1"]
price = { input = 1.0, output = 1.0 }
"""
BENCHMARK = """
name = "mine"
version = "1"
licence = "CC0-1.0"
files = [{ path = "rows.jsonl" }]
[fields]
question = "q"
choices = { column = "c", transforms = ["strip", { split = ";" }] }
answer = { column = "a", transforms = ["letter"] }
[meta]
topic = "t"
"""
SURVEY = """
survey = "mini"
title = "Mini"
restricted = false
licence = "CC0-1.0"
citation = "Nobody"
[columns]
id = "ID"
country = "NOR"
[missing]
codes = { "-1" = -1 }
[traits]
age = { variable = "AGE" }
gender = { variable = "SEX", recode = { "1" = 1, "2" = 2 } }
"""
TASK = """
task: t
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}\\nAnswer:"
doc_to_choice: ["yes", "no"]
doc_to_target: a
metadata: {version: 1.0}
metric_list:
  - metric: acc
    aggregation: mean
"""
# What breaks readers: depth, size, halves of characters, numbers without an end, formulas, controls.
TOKENS = [b"[" * 3000, b"{" * 3000, b"9" * 5000, b"\\ud800", b"\xff\xfe", b"\0", b"1e999", b"NaN", b"-1", b'"', b"'"]
TOKENS += [b"\n", b",", b":", b"&a [*a]", b"*a", b"!!python/name:os.system", b"a." * 3000, b"0x" + b"f" * 3000, b"=1+1"]
TOKENS += [b"2001-99-99", b"\x1b[31m", "\u202e".encode(), b"<!--", b"\t", b"[[", b"{{", b"%}", b"null", b"{}", b"[]"]


class Outcome(NamedTuple):
    """What a reader did with one file."""

    deep: bool  # got past the header: it was read, or refused by more than its first look
    error: str  # a traceback's last line; "" where there was none
    seconds: float
    sentence: str = ""  # what it said


def frame(rows: int = 30) -> pd.DataFrame:
    """Respondents of a made-up survey."""
    numbers = range(rows)
    return pd.DataFrame(
        {"ID": numbers, "AGE": [20 + each for each in numbers], "SEX": [1 + each % 2 for each in numbers]}
    )


def valid(reader: str, folder: Path) -> bytes:
    """A file that the reader reads."""
    rows = [{"q": f"Is {n} even?", "c": "yes;no", "a": "AB"[n % 2], "t": None if n % 3 else "é"} for n in range(12)]
    records = pd.DataFrame([{**row, "a": n % 2} for n, row in enumerate(rows)])
    if reader in FILES:
        return content(reader, folder, frame())
    texts = {"study": STUDY, "benchmark": BENCHMARK, "survey": SURVEY, "lm_eval": TASK}
    if reader in texts:
        return texts[reader].encode()
    if reader == "jsonl":
        return "\n".join(map(json.dumps, rows)).encode()
    if reader == "csv":
        return frame().to_csv(index=False).encode()
    path = folder / f"valid.{reader}"
    if reader == "xlsx":
        frame().to_excel(path, index=False)
    elif reader == "sav":
        import pyreadstat

        pyreadstat.write_sav(frame(), path, variable_value_labels={"SEX": {1: "male", 2: "female"}})
    elif reader == "parquet":
        records.to_parquet(path)
    else:
        return _bundle(folder)
    return path.read_bytes()


def _bundle(folder: Path) -> bytes:

    from runner.store.database import open_database

    database = folder / "valid.sqlite"
    open_database(database).close()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    members = {"mtpa.toml": STUDY.encode(), "results/s.sqlite": database.read_bytes()}
    return _packed({**members, "manifest.json": _manifest(members)})


def _manifest(members: Mapping[str, bytes]) -> bytes:
    files = {name: {"sha256": hashlib.sha256(each).hexdigest(), "bytes": len(each)} for name, each in members.items()}
    return json.dumps({"format": 1, "mtpa": "1", "files": files}).encode()


def _packed(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


VALUES = ["1", "-1", '""', "[]", "{}", "[[1]]", "true", '"x"', "1e400", "nan", "9" * 20, "[" * 99 + "]" * 99]
VALUES += ['"\\u0000"', '["x", "y"]', "2001-01-01", "{ column = 'q' }", "{ template = '{{ q * 9 }}' }"]
VALUES += ["'{{ q.__class__ }}'", "!function a.b"]


def misvalued(text: str, chance: random.Random) -> str:
    """A description with the value of one or two of its keys exchanged: the text stays well-formed."""
    lines = text.splitlines()
    for _ in range(chance.choice((1, 1, 2))):
        places = [number for number, line in enumerate(lines) if " = " in line or ": " in line]
        if places:
            number = chance.choice(places)
            mark = " = " if " = " in lines[number] else ": "
            lines[number] = lines[number].partition(mark)[0] + mark + chance.choice(VALUES)
    return "\n".join(lines)


def damaged(content: bytes, chance: random.Random, packed: bool, text: bool = False) -> bytes:
    """A valid file with a few changes; of a zip, mostly a member is changed and packed again; of a text, seldom
    so that it is none."""
    if packed and chance.random() < 0.8:
        return _repacked(content, chance)
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(found)) if found else 0
        change = chance.randrange(6)
        if change == 0 and found:
            found[at] = chance.randrange(32, 127) if text else chance.randrange(256)
        elif change == 1:
            del found[at : at + chance.choice((1, 4, 40))]
        elif change == 2:
            found[at:at] = chance.choice(TOKENS)
        elif change == 3:
            found[at:at] = found[at : at + 60] * chance.choice((2, 50))
        elif change == 4:
            other = chance.randrange(len(found)) if found else 0
            found[at : at + 8] = found[other : other + 8]
        else:
            found[at : at + 4] = bytes(chance.choices(range(9, 127), k=4)) if text else chance.randbytes(4)
    return bytes(found)


def _repacked(content: bytes, chance: random.Random) -> bytes:
    """A zip with one member changed; a bundle's manifest mostly says so, so that the member itself is looked at."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    chosen = chance.choice(list(members))
    members[chosen] = damaged(members[chosen], chance, False)
    if "manifest.json" in members and chosen != "manifest.json" and chance.random() < 0.8:
        members["manifest.json"] = _manifest({n: c for n, c in members.items() if n != "manifest.json"})
    return _packed(members)


def inputs(reader: str, count: int, seed: int, folder: Path) -> Iterator[bytes]:
    """Files for a reader: nine of ten are a valid one, damaged."""
    chance, whole = random.Random(f"{reader}{seed}"), valid(reader, folder)
    packed = reader in ("xlsx", "bundle")
    for number in range(count):
        if number % 10 < 7 and reader in DESCRIPTIONS:
            yield misvalued(whole.decode(), chance).encode()
        elif number % 10 < 7 and reader in JSON:
            yield changed_json(whole.decode(), chance).encode()
        elif number % 10 < 7 and reader == "database":
            yield changed_database(whole, chance)
        elif number % 10 < 9:
            yield damaged(whole, chance, packed, text=reader in TEXTS)
        else:
            head = whole[: chance.choice((0, 4, 40))]
            yield head + b"".join(
                chance.choice((*TOKENS, chance.randbytes(30))) for _ in range(chance.randrange(1, 40))
            )


def _readers() -> dict[str, tuple[str, Callable[[Path], object]]]:
    """The name that a file gets, and what reads it."""
    from personas.surveys.data_file import open_table
    from personas.surveys.survey import load_survey
    from runner.sharing.bundle import unbundle
    from runner.study.config import Study
    from scoring.benchmarks.files.benchmark import benchmark_from_file
    from scoring.benchmarks.loaded import load_items
    from scoring.benchmarks.records import read_rows

    def table(path: Path) -> None:
        opened = open_table(path)
        opened.read(opened.variables)

    def described(path: Path) -> None:
        load_items(found := benchmark_from_file(path), found.local)

    return {
        "study": ("mtpa.toml", Study.load),
        "benchmark": ("b.toml", described),
        "survey": ("s.toml", lambda path: load_survey(str(path))),
        "lm_eval": ("t.yaml", described),
        "jsonl": ("rows.jsonl", lambda path: list(read_rows(path))),
        "csv": ("a.csv", table),
        "xlsx": ("a.xlsx", table),
        "sav": ("a.sav", table),
        "dta": ("a.dta", table),
        "parquet": ("rows.parquet", lambda path: list(read_rows(path)) and table(path)),
        "bundle": ("b.zip", lambda path: unbundle(path, path.with_name("there"))),
        **more_readers(),
    }


READERS = ("study", "benchmark", "survey", "lm_eval", "jsonl", "csv", "xlsx", "sav", "parquet", "bundle", *FILES)
DESCRIPTIONS = ("study", "benchmark", "survey", "lm_eval")
TEXTS = (*DESCRIPTIONS, "jsonl", "csv", *MORE_TEXTS)
# How a reader says that it saw no more than the beginning.
SHALLOW = (
    "survey description",
    "not valid TOML",
    "not TOML",
    "not a YAML",
    "is not a ",
    "not a bundle",
    "line 1: not JSON",
    "the authors' mpta.json",
    "not a persona (JSONDecodeError",
    "file (JSONDecodeError",
    "file (UnicodeDecodeError",
    "not UTF-8",
    "is empty",
)


def attempt(reader: str, content: bytes, folder: Path) -> Outcome:
    """Give a file to its reader, in this process."""
    import shutil

    from personas.errors import MtpaError

    name, read = _readers()[reader]
    (folder / "rows.jsonl").write_bytes(valid("jsonl", folder))
    (folder / "t").mkdir(exist_ok=True)
    (folder / "t" / "test.jsonl").write_text('{"q": "?", "a": 0}\n{"q": "?", "a": "no"}')
    shutil.rmtree(folder / "there", ignore_errors=True)
    (folder / name).write_bytes(content)
    began, deep, error, said = time.monotonic(), True, "", ""
    try:
        read(folder / name)
    except MtpaError as sentence:
        said = str(sentence)
        deep = not any(word in said for word in SHALLOW)
        faults = said.splitlines()[1:]  # a study's are named all at once, one a line
        error = "" if all(line.startswith("  ") for line in faults) else f"a sentence of several lines: {sentence!r}"
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
    return Outcome(deep, error, time.monotonic() - began, said)


def main(readers: list[str], count: int, seed: int, folder: Path) -> None:
    """Try `count` files; a line of JSON for each, so that what ended the process can be told."""
    for reader in readers:
        _try_reader(reader, count, seed, folder)


def _try_reader(reader: str, count: int, seed: int, folder: Path) -> None:
    whole = attempt(reader, valid(reader, folder), folder)  # the modules are there
    if whole.error or whole.sentence:
        raise AssertionError(f"{reader}: the valid file is not read: {whole}")
    (size,) = [int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmSize" in line]
    limit = (size * 1024 + MEMORY, resource.RLIM_INFINITY)
    for process in (0, *(child.pid for child in psutil.Process().children())):
        resource.prlimit(process, resource.RLIMIT_AS, limit)
    for number, tried in enumerate(inputs(reader, count, seed, folder)):
        (folder / "last").write_bytes(tried)
        sys.stdout.write(json.dumps([reader, number, *attempt(reader, tried, folder)[:3]]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))

"""Valid files for the readers of what others hand over, to be damaged: personas, published benchmarks, a study's file.

`FILES` has, by reader, the name that a damaged file gets and what reads it; `content` is a valid one.
"""

import gc
import hashlib
import json
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd

FILES = ("dta", "personas", "authors", "prices", "stereoset", "winobias", "questions", "draft", "database")
TEXTS = ("personas", "authors", "prices", "stereoset", "winobias", "questions")


def content(reader: str, folder: Path, frame: pd.DataFrame) -> bytes:
    """A file that the reader reads; `frame` holds respondents."""
    if reader in ("dta", "draft"):
        path = folder / "valid.dta"
        labels = {"SEX": {1: "male", 2: "female"}}
        frame.to_stata(path, write_index=False, value_labels=labels, variable_labels={"AGE": "Age of respondent"})
        return path.read_bytes()
    if reader == "database":
        return _database()
    return _texts(reader).encode()


def _texts(reader: str) -> str:
    if reader == "personas":
        answers = [("age", 40, ""), ("gender", 1, "Male"), ("imp_family", 2, "Rather important")]
        data = [{"trait": name, "value": value, "label": label, "use": "value"} for name, value, label in answers]
        head = {"survey": "wvs7", "wave": "7", "country": "DEU", "weight": 1.0}
        return "\n".join(json.dumps({"id": f"wvs7:7:{number}", **head, "data": data}) for number in range(5))
    if reader == "authors":
        data = [{"question_id": "Q1", "answer_value": "Very important"}, {"question_id": "Q262", "answer_value": 40}]
        return json.dumps([{"id": number, "data": data} for number in range(5)])
    if reader == "prices":
        tiers = {"base": 2, "tiers": [{"start": 1000, "price": 3}]}
        since = {"constraint": {"start_date": "2026-11-25"}, "prices": {"input_mtok": 1, "output_mtok": tiers}}
        rates = [{"prices": {"input_mtok": 2, "output_mtok": 4}}, since]
        made = {
            "id": "m",
            "match": {"or": [{"equals": "m"}, {"regex": "^m-[0-9]+$"}]},
            "prices": rates,
        }
        openai = {"id": "openai", "name": "OpenAI", "api_pattern": "https://api", "models": [made]}
        return json.dumps({"fetched": "2099-01-01", "providers": [openai]})
    if reader == "stereoset":
        texts = {"anti-stereotype": "They are late.", "unrelated": "Fish fly.", "stereotype": "They are on time."}
        said = [{"sentence": text, "gold_label": label, "id": label} for label, text in texts.items()]
        head = {"id": "1", "target": "Ruritanian", "bias_type": "race", "context": "They are BLANK."}
        between = {**head, "context": "Ruritania has trains."}
        data = {"intrasentence": [{**head, "sentences": said}], "intersentence": [{**between, "sentences": said}]}
        return json.dumps({"version": "made-up", "data": data}, indent=1)
    if reader == "winobias":
        return (
            "1 [The driver] thanked the nurse because [he] was tired.\n2 The nurse paid [the driver] for [his] trip.\n"
        )
    return 'question,A,B,C,answer\n"One, or two?",x,y,z,B\nThree?,x,y,,A\nFour?,1,2,3,C\n'


@cache
def _database() -> bytes:
    """A small study's file as two runs leave it, one of them killed."""
    from runner.backends.request import Usage
    from runner.store.cache import Completion, Failure, ResultCache, Score, Trial, as_stored
    from runner.store.database import open_database
    from scoring.answers.responses import Outcome, Response

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.sqlite"
        with closing(open_database(path)) as connection:
            _rows(connection)
        cache_ = ResultCache(path)
        for number in range(8):
            trial = Trial(1, number % 3, number % 2, 1 + number % 4, 0, number)
            key, said = hashlib.sha256(str(number).encode()).digest(), as_stored(Response("A", (-0.1, -2.0)))
            cache_.record(key, failures=[Failure(key, trial, 1, "429", "slow down")])
            done = Completion(key, 1, "You are …", f"question {number}", "", said, Usage(prompt_tokens=7), 7)
            cache_.record(key, done, [Score(trial, Outcome("ok", 0, 0, 1.0), 0.9, "1")])
        cache_.close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        return path.read_bytes()


def _rows(connection: sqlite3.Connection) -> None:
    from scoring.answers.items import Item

    record = asdict(Item("x/1", "x", "1", "Why?", ("yes", "no"), "g"))
    none = dict.fromkeys("hits answered failed unparsed spared".split(), 0)
    counts = {"planned": 8, **none, "effect": None, "model": "m", "benchmark": "x"}
    beat = {"at": "2026-01-02T03:04:05+00:00", "sent": 8, "rows": [counts], "stopped": {}, "remarks": ["Ended."]}
    chosen = {"models": [1], "items": [1, 2, 3, 4], "personas": [1, 2], "variants": [1], "shard": [1, 1]}
    planned = [{"model": "m", "benchmark": "x", "trials": 8, "spared": 0}]
    connection.execute(
        "INSERT INTO model (sha, name, provider, model, revision, dtype, parameters, answer) "
        "VALUES (x'01', 'm', 'p', 'm', '', '', '{}', 'probabilities')"
    )
    for number in range(1, 5):
        values = (bytes([number]), json.dumps({**record, "id": f"x/{number}"}))
        connection.execute(f"INSERT INTO item VALUES ({number}, 'x/{number}', ?, 'x', '', 'g', ?)", values)
    for number in (1, 2):
        values = (number, f"s:w:{number}", bytes([number]), json.dumps({"gender": "female"}))
        connection.execute("INSERT INTO persona VALUES (?, ?, ?, 's', 'w', 'DEU', 1.0, 'c', '{}', ?)", values)
    connection.execute("INSERT INTO variant VALUES (1, x'01', 'prose', 'role', 'prompt', 0, '[\"age\"]')")
    for ended in ("2026-01-02T03:04:05+00:00", None):
        sql = "INSERT INTO run (study, selection, code, packages, seed, started, ended, heartbeat, planned) VALUES "
        values = ("", json.dumps(chosen), "1", "{}", 1, "2026-01-02T03:04:00+00:00", ended, json.dumps(beat))
        values = (*values, json.dumps(planned))
        run = connection.execute(f"{sql} ({', '.join('?' * len(values))})", values).lastrowid
        connection.execute("INSERT INTO spend VALUES (?, 1, 70, 30, 0)", (run,))


_VALUES = ("x", "", None, 1 << 62, -1 << 63, -1, 0, 10**6, 0.5, 1e308, float("inf"), b"\0\xff", b"\xff" * 33, "[", "{}")
_VALUES += ("[]", "null", "[" * 5000, "[1]", '{"a": ' * 300, '["\\ud800"]', '{"models": "x"}', "1" * 5000, "\x1b[31m")
_SCHEMA = ("DROP TABLE {0}", "ALTER TABLE {0} RENAME TO z", "ALTER TABLE {0} RENAME COLUMN {1} TO z", "DELETE FROM {0}")
_SCHEMA += ("ALTER TABLE {0} ADD COLUMN z", "CREATE INDEX z ON {0} (abs({1}))", "CREATE UNIQUE INDEX z ON {0} ({1})")
_SCHEMA += ("CREATE TABLE z (a CHECK (a > 1))", "CREATE VIEW z AS SELECT 1", "ALTER TABLE {0} ADD COLUMN z AS (1)")
_SCHEMA += ("CREATE TRIGGER z AFTER INSERT ON {0} BEGIN SELECT 1; END", "UPDATE {0} SET {1} = zeroblob(3000000)")
_SCHEMA += ("UPDATE {0} SET {1} = CAST(x'ff41' AS TEXT)", "DROP VIEW trials", "INSERT INTO {0} SELECT * FROM {0}")


def changed_database(content_: bytes, chance: random.Random) -> bytes:
    """A study's file with values, or its schema, changed through SQLite: its pages stay sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "changed.sqlite"
        path.write_bytes(content_)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            tables = [name for (name,) in connection.execute(sql)]
            for _ in range(chance.choice((1, 1, 2, 4))):
                _change(connection, chance, chance.choice([*tables, "run", "item", "score", "spend", "completion"]))
        return path.read_bytes()


def _change(connection: sqlite3.Connection, chance: random.Random, table: str) -> None:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    if not columns:
        return
    column, where = chance.choice(columns), chance.choice(("", f"WHERE rowid = (SELECT min(rowid) FROM {table})"))
    try:
        if chance.random() < 0.3:
            connection.execute(chance.choice(_SCHEMA).format(table, column))
        else:
            connection.execute(f"UPDATE {table} SET {column} = ? {where}", (chance.choice(_VALUES),))
    except sqlite3.Error:
        pass  # what SQLite itself does not let stand


JSON = ("personas", "authors", "prices", "stereoset")


def changed_json(text: str, chance: random.Random) -> str:
    """A JSON text, or a line of several, with one or two of its values exchanged: it stays well-formed."""
    lines = text.splitlines() if text.startswith('{"id"') else [text]
    at = chance.randrange(len(lines))
    value = json.loads(lines[at])
    for _ in range(chance.choice((1, 1, 2))):
        if not (places := list(_places(value))):
            break
        where, key = chance.choice(places)
        if chance.random() < 0.2 and isinstance(where, dict):
            del where[key]
        else:
            where[key] = chance.choice((*_JSON_VALUES, chance.choice(places)[0]))
        value = json.loads(json.dumps(value, default=str)) if _is_tree(value) else json.loads(lines[at])
    lines[at] = json.dumps(value)
    return "\n".join(lines)


_JSON_VALUES = (
    "x",
    "",
    None,
    True,
    [],
    {},
    [[1]],
    {"x": 1},
    0,
    -1,
    0.5,
    1e308,
    float("nan"),
    1 << 62,
    1 << 70,
    "\ud800",
)
_JSON_VALUES += ("\x1b[31m", "9" * 5000, ["x", None], "2026-99-99", "(a+)+$", "(", {"base": "x"}, {"or": []})


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value with each of its keys or indexes."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _is_tree(value: Any) -> bool:
    try:
        json.dumps(value)
    except ValueError:
        return False
    return True


def readers() -> dict[str, tuple[str, Callable[[Path], object]]]:
    """The name that a file gets, and what reads it."""
    from personas.errors import InputError
    from personas.release.read import read_personas
    from personas.surveys.drafts.survey_draft import draft as survey_draft
    from runner.backends.catalogue import price_list
    from runner.study.sections import ModelSection
    from scoring.benchmarks.files.benchmark_draft import draft as question_draft
    from scoring.benchmarks.loaded import load_items
    from scoring.benchmarks.registry import benchmark

    def prices(path: Path) -> None:
        with patch.dict(os.environ, MTPA_CACHE_DIR=str(path.parent)):
            for each in (price_list.price_list, price_list._listed, price_list._provider_by):
                each.cache_clear()
            asked = ModelSection(name="m", backend="openai", id="m-1", unpriced="allow")
            price_list.listed(asked)
            price_list.is_another(asked, "m-2")
            if "fetched on" not in price_list.price_list().source:
                try:
                    json.loads(path.read_bytes())
                except (ValueError, RecursionError):
                    raise InputError("line 1: not JSON, and taken as none") from None

    def stereoset(path: Path) -> None:
        load_items(benchmark("stereoset"), path.parent)

    def winobias(path: Path) -> None:
        for sex, name in (("male", "driver"), ("female", "nurse")):
            (path.parent / f"{sex}_occupations.txt").write_text(f"{name}\n")
        for direction in ("pro", "anti"):
            for part in ("type1", "type2"):
                target = path.with_name(f"{direction}_stereotyped_{part}.txt.test")
                if target != path:
                    shutil.copy(path, target)
        load_items(benchmark("winobias"), path.parent)

    return {
        "personas": ("MTPA-x.jsonl", read_personas),
        "authors": ("mpta.json", read_personas),
        "prices": (price_list.FILE, prices),
        "stereoset": ("dev.json", stereoset),
        "winobias": ("pro_stereotyped_type1.txt.test", winobias),
        "questions": ("questions.csv", question_draft),
        "draft": ("draft.dta", survey_draft),
        "database": ("study.sqlite", _read_database),
    }


def _read_database(path: Path) -> None:
    """All that is done with a file from elsewhere; one of it may fail with a sentence and the next be tried."""
    from personas.errors import MtpaError
    from runner.progress.status import read_status
    from runner.store.merge import merge
    from runner.store.report_rows import load_gold
    from runner.store.scores import last_selection, load_about, load_scores
    from runner.view.queries.file import checked

    gc.collect()  # a cursor in the traceback of an earlier failure keeps its file open
    into = path.with_name("into.sqlite")
    for each in (*path.parent.glob("into.sqlite*"), *path.parent.glob("study.sqlite-*")):
        each.unlink()
    failed: list[MtpaError] = []
    for read in (
        lambda: merge([path], into),
        lambda: load_scores(into if into.exists() else path),
        lambda: load_scores(path, last_selection(path)),
        lambda: read_status(path).lines(),
        lambda: load_about(path),
        lambda: load_gold(path, 2),
        lambda: checked(path),
    ):
        try:
            read()
        except MtpaError as sentence:
            failed.append(sentence)
    if failed:
        raise failed[0]

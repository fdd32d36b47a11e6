"""A database from elsewhere: what mtpa never writes is refused where it comes in, and named where reading fails."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from fake_llm import FakeLLM
from fuzzed_files import changed_database, content
from studies import load, model

from personas.errors import InputError, MtpaError
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.explain import explain
from runner.progress.status import read_status
from runner.sharing.redaction import write_copy
from runner.store.foreign import refuse_odd_contents
from runner.store.merge import merge
from runner.store.scores import load_about, load_scores
from runner.study.sections import ReportSection
from runner.view.queries.file import checked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "study.sqlite"
    path.write_bytes(content("database", tmp_path, pd.DataFrame()))
    return path


def _change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)


ODD = {
    "UPDATE completion SET prompt_tokens = 'many'": "completion.*prompt_tokens",
    "UPDATE completion SET latency_ms = 1 << 62": "completion.*latency_ms",
    "UPDATE completion SET answer = CAST(x'ff41' AS TEXT)": "completion.*answer",
    "UPDATE completion SET letters = x'00'": "completion.*letters",
    "UPDATE completion SET item_text = 99": "completion.*item_text",
    "UPDATE score SET status = 'fine'": "score.*status",
    "UPDATE score SET value = 9e999": "score.*value",
    "UPDATE score SET rotation = -1": "score.*rotation",
    "UPDATE score SET chosen_by_text = 2": "score.*chosen_by_text",
    "UPDATE score SET item = 99": "score.*item",
    "UPDATE run SET selection = '{}'": "run.*selection",
    'UPDATE run SET heartbeat = \'{"at": "soon"}\'': "run.*heartbeat",
    "UPDATE run SET planned = '[1]'": "run.*planned",
    "UPDATE run SET packages = x'ff'": "run.*packages",
    "UPDATE run SET ended = 'soon'": "run.*ended",
    "UPDATE item SET record = '{}' WHERE id = 2": "item.*record",
    "UPDATE item SET record = json_remove(record, '$.ask')": "item.*record",
    "UPDATE persona SET subgroups = '[]'": "persona.*subgroups",
    "UPDATE persona SET weight = -1": "persona.*weight",
    "UPDATE variant SET traits = '{}'": "variant.*traits",
    "UPDATE model SET parameters = '[[[['": "model.*parameters",
    "UPDATE model SET resolved = '{\"x\": 1}'": "model.*resolved",
}


@pytest.mark.parametrize("sql", ODD)
def test_what_is_never_written_is_not_merged(sql: str, file: Path) -> None:
    _change(file, sql)
    with pytest.raises(InputError, match=rf"study\.sqlite: its table '{ODD[sql]}"):
        merge([file], file.with_name("into.sqlite"))
    assert not file.with_name("into.sqlite").exists()


def test_a_score_of_a_status_that_no_scorer_gives_is_not_read(file: Path) -> None:
    _change(file, "UPDATE score SET status = 'fine' WHERE id = 2")
    with pytest.raises(InputError, match=r"its table 'score' holds what mtpa never writes there .status"):
        load_scores(file)


def test_what_mtpa_writes_passes(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        refuse_odd_contents(connection, file)
    assert merge([file], file.with_name("into.sqlite")).brought["score"] == 8
    assert len(load_scores(file.with_name("into.sqlite"))) == 8


READS: tuple[Callable[[Path], object], ...] = (load_scores, load_about, lambda path: read_status(path).lines(), checked)


def test_a_report_on_a_changed_file_is_made_or_says_what_is_odd(file: Path) -> None:
    """Whatever SQLite lets be changed, reading ends in a value or a sentence."""
    whole, chance, refused = file.read_bytes(), random.Random(3), 0
    for number in range(25):
        path = file.with_name(f"{number}.sqlite")
        path.write_bytes(changed_database(whole, chance))
        for read in READS:
            try:
                read(path)
            except MtpaError:
                refused += 1
    assert refused


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIEW score AS WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS id FROM n",
        "CREATE VIRTUAL TABLE score USING fts5 (id)",
        "CREATE TABLE score (id, value AS (hex(zeroblob(1000000000))))",
    ],
)
def test_a_table_that_would_run_is_not_read(sql: str, file: Path) -> None:
    for step in ("DROP VIEW trials", "DROP TABLE score", sql):
        _change(file, step)
    for read in READS:
        with pytest.raises(InputError, match="'score' is not a table as mtpa makes it"):
            read(file)


@pytest.mark.parametrize(
    "sql",
    ["UPDATE run SET selection = '<b>'", "UPDATE model SET parameters = 'x'", "UPDATE run SET sampling = 'x'"],
)
async def test_a_study_on_a_spoilt_file_says_what_is_wrong_with_it(sql: str, tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)], n=2, groups=2)
        await run(study)
        _change(study.database, sql)
        with pytest.raises(InputError, match="holds what mtpa never writes"):
            await run(study)
        with pytest.raises(InputError, match="holds what mtpa never writes"), prepared(study) as ready:
            explain(ready, "no item")


def test_what_copies_a_spoilt_file_names_it(file: Path) -> None:
    """Not the copy."""
    _change(file, "UPDATE run SET selection = '<b>'")
    with pytest.raises(InputError, match=r"study\.sqlite: its table 'run'"):
        write_copy(file, file.with_name("copy.sqlite"), ReportSection(), share=False)

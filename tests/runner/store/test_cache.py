"""The file: one writer, grouped commits, and what is said when it cannot be written."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from run_study import open_at_once
from waiting import HUNG

from personas.errors import InputError, MachineError, NewerFile
from runner.backends.request import Usage
from runner.store.cache import Completion, ResultCache, Score, Trial, as_stored
from runner.store.database import open_database, opened, transaction
from runner.store.rows import insert, register
from scoring.answers.responses import Outcome, Response


def completion(number: int, text: str = "A", persona: str = "you are somebody") -> Completion:
    return Completion(
        key=number.to_bytes(32, "big"),
        model=1,
        persona_text=persona,
        item_text=f"question {number % 3}",
        system_text="",
        response=as_stored(Response(text=text, letter_logprobs=(-0.1, -2.3))),
        usage=Usage(prompt_tokens=7),
    )


def score(number: int) -> Score:
    return Score(Trial(1, 1, 1, number, 0, 0), Outcome("ok", 0, 0, 1.0), 0.9, "1")


def test_what_is_recorded_is_found_with_its_response(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "a.sqlite")
    for number in range(2000):
        cache.record(completion(number).key, completion(number), [score(number)])
    cache.close()
    cache = ResultCache(tmp_path / "a.sqlite")
    found = cache.find([completion(number).key for number in range(0, 4000, 2)])
    assert len(found) == 1000
    response = cache.responses([found[completion(8).key]])[found[completion(8).key]].response
    assert response == completion(8).response
    assert len(cache.scored(1, 1, 1, 0, 2000)) == 2000
    assert cache.scored(1, 1, 1, 7, 8) == {(number, 0, 0, completion(number).key, "1"): 1.0 for number in (7, 8)}
    texts = {text for (text,) in cache.connection.execute("SELECT text FROM text")}
    assert texts == {"you are somebody", "question 0", "question 1", "question 2"}
    cache.close()


def test_of_two_writers_the_first_answer_is_kept(tmp_path: Path) -> None:
    one, other = ResultCache(tmp_path / "a.sqlite"), ResultCache(tmp_path / "a.sqlite")
    one.record(completion(1).key, completion(1, "A"), [score(1)])
    one.close()
    other.record(completion(1).key, completion(1, "B"), [score(2)])
    other.close()
    connection = sqlite3.connect(tmp_path / "a.sqlite")
    assert connection.execute("SELECT answer FROM completion").fetchall() == [("A",)]
    assert connection.execute("SELECT count(*), count(DISTINCT completion) FROM score").fetchone() == (2, 1)


def test_an_error_amid_the_last_answers_does_not_keep_the_file_from_closing(tmp_path: Path) -> None:
    cache, told = ResultCache(tmp_path / "a.sqlite"), []
    cache.execute("INSERT INTO nothing VALUES (1)", ())

    def close() -> None:
        try:
            cache.close()
        except MachineError as error:
            told.append(str(error))

    closing = threading.Thread(target=close, daemon=True)
    closing.start()
    closing.join(HUNG)
    assert told and "nothing" in told[0]


def test_a_full_disk_is_a_sentence_and_nothing_is_corrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(path: Path, create: bool = True) -> sqlite3.Connection:
        connection = open_database(path, create)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 40}")
        return connection

    monkeypatch.setattr("runner.store.database.open_database", small)
    cache = ResultCache(tmp_path / "a.sqlite")
    with pytest.raises(MachineError, match="the disk is full"):
        for number in range(100_000):
            cache.record(completion(number).key, completion(number, persona=f"{number} " * 50), [score(number)])
    with pytest.raises(MachineError, match="the disk is full"):
        cache.close()
    connection = sqlite3.connect(tmp_path / "a.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    (completions,) = connection.execute("SELECT count(*) FROM completion").fetchone()
    assert connection.execute("SELECT count(*) FROM score").fetchone() == (completions,)


def test_a_closed_cache_takes_nothing_more_and_says_so(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "a.sqlite")
    cache.record(completion(1).key, completion(1), [score(1)])
    cache.close()
    cache.close()
    with pytest.raises(ValueError, match="closed"):
        cache.record(completion(2).key, completion(2), [score(2)])
    with opened(tmp_path / "a.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM completion").fetchone() == (1,)


async def test_the_writer_computes_after_what_it_was_handed_and_outlives_who_does_not_wait(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "a.sqlite")

    def count(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT count(*) FROM completion").fetchone()[0])

    cache.record(completion(1).key, completion(1), [score(1)])
    gone = asyncio.create_task(cache.compute(count))
    await asyncio.sleep(0)
    gone.cancel()
    cache.record(completion(2).key, completion(2), [score(2)])
    assert await cache.compute(count) == 2
    with pytest.raises(MachineError, match="nothing"):
        await cache.compute(lambda connection: connection.execute("INSERT INTO nothing VALUES (1)"))
    with pytest.raises(MachineError, match="nothing"):
        await cache.compute(count)
    with pytest.raises(MachineError, match="nothing"):
        cache.close()


def test_an_opened_file_is_closed_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="lacks what mtpa keeps there"), opened(tmp_path / "a.sqlite", True) as kept:
        kept.execute("SELECT * FROM nowhere")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        kept.execute("SELECT 1")


def test_a_transaction_is_kept_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with opened(tmp_path / "a.sqlite", create=True) as connection:
        for undo in (True, False):
            with transaction(connection, undo):
                connection.execute("INSERT INTO lease VALUES (x'00', 1)")
                assert connection.execute("SELECT count(*) FROM lease").fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM lease").fetchone() == (0 if undo else 1,)
        with pytest.raises(ZeroDivisionError), transaction(connection):
            connection.execute("DELETE FROM lease")
            raise ZeroDivisionError
        assert connection.execute("SELECT count(*) FROM lease").fetchone() == (1,)


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("hello " * 100)
    with pytest.raises(InputError, match="not an SQLite database"):
        open_database(tmp_path / "text.sqlite")
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE somebody (x)")
    other.close()
    with pytest.raises(InputError, match="not one of mtpa's"):
        open_database(tmp_path / "other.sqlite")
    with pytest.raises(InputError, match="no such database"):
        open_database(tmp_path / "absent.sqlite", create=False)


def test_a_file_from_a_newer_version_is_refused(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "a.sqlite")
    connection.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('mtpa', '9999_x', '')")
    connection.close()
    with pytest.raises(NewerFile, match="newer version"):
        open_database(tmp_path / "a.sqlite")


def test_a_truncated_file_is_a_sentence(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "a.sqlite")
    insert(connection, "INSERT", "text", ("sha", "text"), [(bytes([n]), "x" * 5000) for n in range(200)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    path = tmp_path / "a.sqlite"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(MachineError, match="damaged"):
        ResultCache(path).connection.execute("SELECT 1")
        cache = ResultCache(path)
        cache.record(completion(1).key, completion(1), [score(1)])
        cache.close()


def test_registering_is_idempotent_and_mutable_columns_follow(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "a.sqlite")
    record = {
        "name": "a",
        "provider": "p",
        "model": "m",
        "revision": "",
        "dtype": "",
        "parameters": {"x": 1},
        "answer": "text",
    }
    first = register(connection, "model", [record], mutable=["name"])
    assert register(connection, "model", [{**record, "name": "b"}], mutable=["name"]) == first
    assert register(connection, "model", [{**record, "parameters": {"x": 2}}], mutable=["name"]) != first
    assert connection.execute("SELECT name FROM model WHERE id = ?", first).fetchone() == ("b",)


def test_processes_may_make_the_file_at_the_same_moment(tmp_path: Path) -> None:
    for attempt in range(3):
        assert open_at_once(tmp_path / f"{attempt}" / "study.sqlite", 4) == [0, 0, 0, 0]


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_any_number_of_rows_is_inserted_once_each_in_order(count: int) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE pair (one, two)")
    rows = [(number, -number) for number in range(count)]
    insert(connection, "INSERT", "pair", ("one", "two"), rows)
    assert connection.execute("SELECT one, two FROM pair ORDER BY rowid").fetchall() == rows

"""What was spent counts, whoever spent it and however; what comes in agrees to nothing and makes no room."""

from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model, rows, write_study
from typer.testing import CliRunner

from personas.errors import InputError
from runner.cli.app import app
from runner.engine.run import run
from runner.progress.status import read_status
from runner.store.database import open_database
from runner.store.ledger import room_left
from runner.store.merge import merge

PRICE = {"input": 1.0, "output": 1.0}


async def test_a_cap_counts_what_was_spent_without_one(tmp_path: Path) -> None:
    with FakeLLM() as server:
        first = await run(load(tmp_path, [model(server.url, price=PRICE)], n=4, groups=4), pilot=False)
        assert first.micro_usd == 20 * 101
        assert read_status(tmp_path / "study.sqlite").settled_micro_usd == first.micro_usd
        cap = {"usd": first.micro_usd / 1e6}
        second = await run(load(tmp_path, [model(server.url, price=PRICE)], n=4, groups=8, budget=cap), pilot=False)
    assert (second.exit_code, second.sent) == (4, 0)


async def test_a_file_of_an_older_version_counts_it_too(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url, price=PRICE)], n=4, groups=4)
        spent = (await run(study, pilot=False)).micro_usd
    connection = open_database(study.database)
    connection.execute("DELETE FROM spend")
    connection.execute("DROP TABLE released")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'whole_ledger'")
    connection.close()
    connection = open_database(study.database)
    assert room_left(connection, 1, 1_000_000, None) == 1_000_000 - spent
    assert connection.execute("SELECT process FROM spend").fetchall() == [(1,)]
    connection.close()


def _killed(path: Path, held: int = 700, settled: int = 300) -> None:
    """A file as a killed run leaves it, whose study agreed to a survey's terms."""
    connection = open_database(path)
    connection.execute(
        "INSERT INTO model (sha, name, provider, model, revision, dtype, parameters, answer) "
        "VALUES (x'01', 'fake', 'p', 'm', '', '', '{}', 'text')"
    )
    connection.execute(
        "INSERT INTO run (study, selection, code, packages, seed, started) "
        """VALUES ('', '{"models": [], "items": [], "personas": [], "variants": []}', '1', '{}', 1, '2026-01-02')"""
    )
    columns = "process, model, reserved_micro_usd, settled_micro_usd"
    connection.execute(f"INSERT INTO spend ({columns}) VALUES (1, 1, ?, ?)", (held, settled))
    connection.execute("INSERT INTO acknowledgement VALUES ('wvs', 'terms', '2026-01-02')")
    connection.close()


def _ledger(path: Path) -> list[tuple[int, int]]:
    connection = open_database(path)
    try:
        return connection.execute("SELECT reserved_micro_usd, settled_micro_usd FROM spend").fetchall()
    finally:
        connection.close()


def test_what_a_killed_run_holds_is_released_by_a_person_and_stays_in_sight(tmp_path: Path) -> None:
    _killed(tmp_path / "study.sqlite")
    study = write_study(tmp_path, [model("http://127.0.0.1:9", price=PRICE)])
    told = CliRunner().invoke(app, ["--study", str(study), "data", "release"])
    assert told.exit_code == 2 or isinstance(told.exception, InputError)
    assert _ledger(tmp_path / "study.sqlite") == [(700, 300)]
    told = CliRunner().invoke(app, ["--study", str(study), "data", "release", "--yes"])
    assert (told.exit_code, "$0.0007 released" in told.output) == (0, True)
    assert _ledger(tmp_path / "study.sqlite") == [(0, 300)]
    (line,) = [line for line in read_status(tmp_path / "study.sqlite").lines() if "accepted" in line]
    assert line.startswith("up to $0.0007 of unknown cost, accepted on 20")


async def test_a_cap_that_is_reached_names_what_is_held(tmp_path: Path) -> None:
    _killed(tmp_path / "study.sqlite", held=900)
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url, price=PRICE)], budget={"usd": 0.001})
        state = await run(study, pilot=False)
    assert state.exit_code == 4
    assert any("$0.0009 of the budget is held" in line and "data release" in line for line in state.remarks)


def test_a_merge_agrees_to_nothing_and_counts_what_was_released_elsewhere(tmp_path: Path) -> None:
    source, into = tmp_path / "source.sqlite", tmp_path / "into.sqlite"
    _killed(source)
    connection = open_database(source)
    connection.execute("UPDATE spend SET reserved_micro_usd = 0")
    connection.execute("INSERT INTO released VALUES (1, 1, '2026-01-03', 700)")
    connection.close()
    for _ in range(2):
        merge([source], into)
        assert _ledger(into) == [(700, 300)]
    connection = open_database(into)
    assert connection.execute("SELECT count(*) FROM acknowledgement").fetchone() == (0,)
    connection.execute("UPDATE spend SET reserved_micro_usd = 0")
    connection.execute("INSERT INTO released VALUES (1, 1, '2026-01-04', 700)")
    connection.close()
    merge([source], into)
    assert _ledger(into) == [(0, 300)]  # it was released here, too


@pytest.mark.parametrize("amount", ["-1", "0.5", str(1 << 62), "x'00'", "'much'"])
def test_an_amount_that_cannot_be_is_not_merged(amount: str, tmp_path: Path) -> None:
    _killed(tmp_path / "source.sqlite")
    connection = open_database(tmp_path / "source.sqlite")
    connection.execute(f"UPDATE spend SET settled_micro_usd = {amount}")
    connection.close()
    with pytest.raises(InputError, match=r"1 amounts in spend\.settled_micro_usd cannot be"):
        merge([tmp_path / "source.sqlite"], tmp_path / "into.sqlite")


def test_a_negative_row_makes_no_room(tmp_path: Path) -> None:
    _killed(tmp_path / "study.sqlite", held=100, settled=-5_000)
    connection = open_database(tmp_path / "study.sqlite")
    assert room_left(connection, 1, 1_000, None) == 900
    connection.close()
    assert rows(tmp_path, "SELECT count(*) FROM spend") == [(1,)]

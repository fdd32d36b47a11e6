"""prune and vacuum: what goes, what stays, and what is said first."""

import sqlite3
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model, rows
from typer.testing import CliRunner

from personas.errors import InputError, MachineError
from runner.cli.app import app
from runner.crossing.prepare import Prepared
from runner.engine import run as engine
from runner.engine.run import run
from runner.engine.state import State
from runner.progress.status import read_status
from runner.store.leases import Leases
from runner.store.prune import prune, vacuum

COUNTS = "SELECT (SELECT count(*) FROM completion), (SELECT count(*) FROM score), (SELECT count(*) FROM item)"


async def test_prune_shows_first_then_deletes_what_the_study_left(tmp_path: Path) -> None:
    price = {"input": 1.0, "output": 1.0}
    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url, price=price)], n=4, groups=10))
        study = load(tmp_path, [model(server.url, price=price)], n=4, groups=4)
        await run(study)
        asked = server.requests
        found = prune(study.database)
        assert (found.rows["score"], found.rows["completion"], found.rows["item"]) == (30, 30, 6)
        assert found.micro_usd == 30 * 101
        assert rows(tmp_path, COUNTS) == [(50, 50, 10)]
        assert prune(study.database, delete=True) == found
        assert rows(tmp_path, COUNTS) == [(20, 20, 4)]
        assert prune(study.database).total == 0
        assert (await run(study)).sent == 0 and server.requests == asked
    before, after = vacuum(study.database)
    assert after <= before
    assert f"{20:,} completions, {20:,} scores" in read_status(study.database).lines()[0]
    assert "a million trials" not in read_status(study.database).lines()[0]  # 20 of them say nothing on a million


async def test_a_prune_while_a_run_begins_takes_no_row_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = engine._begin

    def slow(ready: Prepared, state: State) -> int:
        prune(ready.study.database, delete=True)
        return begin(ready, state)

    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url)], n=4, groups=3))
        larger = load(tmp_path, [model(server.url)], n=9, groups=6)
        monkeypatch.setattr(engine, "_begin", slow)
        with pytest.raises(MachineError, match="was pruned while this run began; run again"):
            await run(larger)
        monkeypatch.setattr(engine, "_begin", begin)
        assert (await run(larger)).exit_code == 0
    assert rows(tmp_path, "SELECT count(*) FROM score WHERE item NOT IN (SELECT id FROM item)") == [(0,)]
    assert rows(tmp_path, COUNTS)[0][1] == 60


async def test_what_judges_answered_stays(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)])
        await run(study)
    connection = sqlite3.connect(study.database)
    connection.execute(
        "INSERT INTO model (sha, name, provider, model, revision, dtype, parameters, answer) "
        "VALUES (x'00', 'j', 'p', 'j', '', '', '{}', 'text')"
    )
    connection.execute(
        "INSERT INTO completion (key, model, persona_text, item_text, system_text, answer, finish) "
        "SELECT x'00', max(id), 0, 1, 0, 'A', 'stop' FROM model"
    )
    connection.commit()
    connection.close()
    assert prune(study.database).total == 0


async def test_neither_while_a_run_is_on(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)])
        await run(study)
    connection = sqlite3.connect(study.database, isolation_level=None)
    connection.execute("UPDATE run SET ended = NULL")
    with Leases(connection, study.database, 1):
        for job in (prune, vacuum):
            with pytest.raises(MachineError, match="a run is on"):
                job(study.database)
    connection.close()


async def test_the_command_deletes_only_when_it_is_told_to(tmp_path: Path) -> None:
    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url)], groups=10))
        study = load(tmp_path, [model(server.url)], groups=4)
        await run(study)
    command = ["--study", str(study.path), "data", "prune"]
    shown = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "30" in shown.output and "Nothing is deleted yet" in shown.output
    with pytest.raises(InputError, match="--yes"):
        CliRunner().invoke(app, [*command, "--delete"], catch_exceptions=False)
    assert rows(tmp_path, COUNTS) == [(50, 50, 10)]
    deleted = CliRunner().invoke(app, [*command, "--delete", "--yes"], catch_exceptions=False)
    assert "rows deleted" in deleted.output
    assert rows(tmp_path, COUNTS) == [(20, 20, 4)]
    assert "MB now" in CliRunner().invoke(app, [*command[:3], "vacuum"], catch_exceptions=False).output

"""What was spent counts, whoever spent it and however; what comes in agrees to nothing and makes no room."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from hypothesis import given
from hypothesis import strategies as st
from studies import load, model, rows, write_study
from typer.testing import CliRunner

from personas.errors import InputError, MachineError
from runner.backends.catalogue import key_usage
from runner.backends.keys import Account
from runner.cli.app import app
from runner.engine.run import run
from runner.progress.status import read_status
from runner.store.database import open_database
from runner.store.ledger import accepted, by_usage, cap_remarks, held, note_usage, release, room_left
from runner.store.merge import merge

PRICE = {"input": 1.0, "output": 1.0}


class TellingLLM(FakeLLM):
    """An endpoint that tells what a key has been charged."""

    dollars = 2.0

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/key", self._key)
        super().add_routes(app)

    async def _key(self, request: web.Request) -> web.Response:
        return web.json_response({"data": {"usage": self.dollars}})


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
    connection = open_database(tmp_path / "study.sqlite")
    assert cap_remarks(connection, run=1) == []  # what a run that is still on has reserved, it settles
    connection.close()
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


@pytest.mark.parametrize("column", ["reserved", "settled", "estimated"])
@pytest.mark.parametrize("amount", ["-1", "0.5", str(1 << 62), "x'00'", "'much'"])
def test_an_amount_that_cannot_be_is_not_merged(amount: str, column: str, tmp_path: Path) -> None:
    _killed(tmp_path / "source.sqlite")
    connection = open_database(tmp_path / "source.sqlite")
    connection.execute(f"UPDATE spend SET {column}_micro_usd = {amount}")
    connection.close()
    with pytest.raises(InputError, match=rf"1 amounts in spend\.{column}_micro_usd cannot be"):
        merge([tmp_path / "source.sqlite"], tmp_path / "into.sqlite")


def test_a_negative_row_makes_no_room(tmp_path: Path) -> None:
    _killed(tmp_path / "study.sqlite", held=100, settled=-5_000)
    connection = open_database(tmp_path / "study.sqlite")
    assert room_left(connection, 1, 1_000, None) == 900
    connection.close()
    assert rows(tmp_path, "SELECT count(*) FROM spend") == [(1,)]


ACCOUNT = Account("https://openrouter.ai", 7)
LONG_AGO = "2026-01-02T00:00:00+00:00"


def _ran(connection: sqlite3.Connection, run: int, *, held: int, settled: int, before: float | None, at: str) -> None:
    """A run of one model, which began as its key had been charged `before` dollars."""
    text = json.dumps({"at": at})
    row = (run, "", "{}", "1", "{}", 1, "2026-01-02", text)
    connection.execute(
        "INSERT INTO run (id, study, selection, code, packages, seed, started, heartbeat) VALUES "
        f"({', '.join('?' * len(row))})",
        row,
    )
    connection.execute("INSERT INTO spend VALUES (?, 1, ?, ?, 0)", (run, held, settled))
    if before is not None:
        note_usage(connection, run, [(1, ACCOUNT, before)])


@pytest.mark.parametrize(
    ("now", "spent"),
    [
        (1.0003, [0]),  # what is settled, and no more
        (1.0005, [200]),
        (1.0010, [700]),
        (9.0, [700]),  # others use the key: all that is held may be spent
        (0.5, [None]),  # counted anew: it tells nothing
    ],
)
def test_what_the_key_was_charged_tells_what_a_killed_run_spent(
    now: float, spent: list[int | None], tmp_path: Path
) -> None:
    with closing(open_database(tmp_path / "study.sqlite")) as connection:
        _ran(connection, 1, held=700, settled=300, before=1.0, at=LONG_AGO)
        assert [each.spent for each in held(connection, {ACCOUNT: now})] == spent
        assert [each.spent for each in held(connection, {ACCOUNT._replace(mark=8): now})] == [None]
        lately = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        connection.execute("UPDATE run SET heartbeat = ?", (json.dumps({"at": lately}),))
        assert [each.spent for each in held(connection, {ACCOUNT: now})] == [None]  # not all of it is posted yet


def test_a_release_by_usage_settles_and_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with closing(open_database(path)) as connection:
        _ran(connection, 1, held=700, settled=300, before=1.0, at=LONG_AGO)
        _ran(connection, 2, held=50, settled=0, before=None, at=LONG_AGO)  # whose usage was not read
    with pytest.raises(MachineError, match="a run began meanwhile"):
        release(path, {ACCOUNT: 1.0005}, 1)
    assert [each.spent for each in release(path, {ACCOUNT: 1.0005}, 2)] == [200, None]
    assert _ledger(path) == [(0, 500), (0, 0)]
    with closing(open_database(path)) as connection:
        ((by_account,), (by_hand,)) = by_usage(connection), accepted(connection)
    assert "$0.0002 was counted as spent and $0.0005 freed on 20" in by_account and "openrouter.ai" in by_account
    assert "of unknown cost, accepted on 20" in by_hand
    assert release(path, {ACCOUNT: 9.0}, 2) == [] and _ledger(path) == [(0, 500), (0, 0)]


_RUNS = st.lists(
    st.tuples(
        st.integers(0, 500),  # settled, as the file has it
        st.integers(0, 300),  # of it, what was not charged: it was estimated
        st.integers(0, 400),  # held as it was killed
        st.integers(0, 400),  # of that, what was charged after all
        st.integers(0, 300),  # what others did meanwhile with the same key
        st.booleans(),  # whether the usage was read as it began
        st.booleans(),  # whether somebody releases what is held after it
    ),
    min_size=1,
    max_size=5,
)


@given(_RUNS)
def test_the_file_never_has_less_than_was_charged(runs: list[tuple[int, int, int, int, int, bool, bool]]) -> None:
    charged = ours = 0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "study.sqlite"
        for run, (settled, estimated, held_then, late, others, is_read, releases) in enumerate(runs, start=1):
            with closing(open_database(path)) as connection:
                before = charged / 1e6 if is_read else None
                _ran(connection, run, held=held_then, settled=settled, before=before, at=LONG_AGO)
            real = settled - min(settled, estimated) + min(held_then, late)
            charged, ours = charged + real + others, ours + real
            if releases:
                release(path, {ACCOUNT: charged / 1e6}, run)
        with closing(open_database(path)) as connection:
            sums = "sum(reserved_micro_usd) + sum(settled_micro_usd)"
            (recorded,) = connection.execute(f"SELECT {sums} FROM spend").fetchone()
            (given_up,) = connection.execute("SELECT coalesce(sum(micro_usd), 0) FROM released").fetchone()
    assert recorded + given_up >= ours


async def test_a_run_reads_the_usage_first_and_the_command_goes_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_usage, "TELLING", frozenset({"127.0.0.1"}))
    monkeypatch.setenv("A_KEY", "sk-0123456789abcdef")
    with TellingLLM() as server:
        table = model(server.url, price=PRICE, key_env="A_KEY")
        study = load(tmp_path, [table], n=4, groups=4, budget={"usd": 1.0})
        spent = (await run(study, pilot=False)).micro_usd
        assert rows(tmp_path, "SELECT micro_usd, origin FROM key_usage") == [
            (2_000_000, server.url.removesuffix("/v1"))
        ]
        with closing(open_database(study.database)) as connection:  # as if it had been killed
            connection.execute("UPDATE spend SET reserved_micro_usd = 700")
            beat = json.dumps({"at": LONG_AGO})
            connection.execute("UPDATE run SET ended = NULL, heartbeat = ?", (beat,))
        server.dollars += (spent + 123) / 1e6
        command = ["--study", str(tmp_path / "study.toml"), "data", "release", "--yes"]
        told = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert "$0.0001 counted as spent and $0.0006 freed, by the usage of the key" in told.output, told
    assert rows(tmp_path, "SELECT reserved_micro_usd, settled_micro_usd, estimated_micro_usd FROM spend") == [
        (0, spent + 123, 123)
    ]
    assert not [name for name in tmp_path.iterdir() if b"sk-0123456789" in name.read_bytes()]

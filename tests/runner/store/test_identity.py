"""A file is itself under any path, and a run ends when it is gone."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model, rows
from waiting import until

from personas.errors import InputError, MachineError
from runner.engine.run import run
from runner.store.database import database_errors, open_database, read_only
from runner.store.identity import Watch
from runner.store.leases import Leases, lock_path
from runner.store.merge import merge
from runner.store.prune import prune, vacuum
from runner.study.config import Study


async def test_two_runs_by_two_paths_send_nothing_twice(tmp_path: Path) -> None:
    """The other one by a link to the file, in a link to its folder."""
    with FakeLLM(latency=0.02) as server:
        study = load(tmp_path, [model(server.url, concurrency=16)], n=9, groups=20)
        (tmp_path / "folder").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "link.sqlite").symlink_to("study.sqlite")
        text = study.path.read_text().replace('database = "study.sqlite"', 'database = "folder/link.sqlite"')
        (tmp_path / "other.toml").write_text(text)
        other = Study.load(tmp_path / "other.toml")
        states = await asyncio.gather(run(study, pilot=False), run(other, pilot=False))
    assert [state.exit_code for state in states] == [0, 0]
    assert (server.repeats, server.requests) == (0, rows(tmp_path, "SELECT count(*) FROM completion")[0][0])
    assert lock_path(other.database) == lock_path(study.database)


async def test_a_run_is_seen_through_a_link(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)], n=2, groups=2)
        await run(study)
    link = tmp_path / "link.sqlite"
    link.symlink_to(study.database)
    connection = open_database(study.database)
    connection.execute("UPDATE run SET ended = NULL")
    with Leases(connection, study.database, 1):
        for refused in (lambda: prune(link), lambda: vacuum(link), lambda: merge([study.database], link)):
            with pytest.raises((MachineError, InputError), match=r"a run is on|into itself"):
                refused()
    connection.close()


def test_a_hard_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite"
    open_database(path).close()
    os.link(path, tmp_path / "two.sqlite")
    for name in ("one.sqlite", "two.sqlite"):
        with pytest.raises(InputError, match=r"2 names \(hard links\)"):
            open_database(tmp_path / name, create=False)


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_stands_beside_a_file_is_regular(tmp_path: Path, end: str, make: Callable[[Path], None]) -> None:
    """Also before the file is made: SQLite would wait for ever at a pipe."""
    path = tmp_path / "one.sqlite"
    for _ in range(2):
        beside = path.with_name(f"{path.name}{end}")
        make(beside)
        for reading in (open_database, read_only):
            with pytest.raises(InputError, match=f"one.sqlite{end}: not a regular file"):
                reading(path)
        beside.rmdir() if beside.is_dir() else beside.unlink()
        open_database(path).close()


LOCKER = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.lockf(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def test_a_lock_that_another_program_keeps_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.store.leases.LOCK_SECONDS", 0.1)
    path = tmp_path / "one.sqlite"
    with closing(open_database(path)) as connection:
        command = [sys.executable, "-c", LOCKER, str(lock_path(path))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdin and other.stdout and other.stdout.readline()
            with pytest.raises(MachineError, match="another program has locked it"), Leases(connection, path, 1):
                pass
            other.stdin.close()
        with Leases(connection, path, 1):
            pass


def _delete(path: Path) -> None:
    path.unlink()


def _move(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))


def _replace(path: Path) -> None:
    open_database(path.with_suffix(".new")).close()
    path.with_suffix(".new").replace(path)


def _lose_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def _lose_lock(path: Path) -> None:
    path.with_name(f"{path.name}.lock").unlink()


def _lose_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


@pytest.mark.parametrize("lose", [_delete, _move, _replace, _lose_log, _lose_lock, _lose_folder])
async def test_a_run_ends_when_its_file_is_gone(lose: Callable[[Path], None], tmp_path: Path) -> None:
    with FakeLLM(latency=0.05) as server:
        study = load(tmp_path, [model(server.url, concurrency=4)], n=50, groups=50)
        with pytest.raises(MachineError, match=r"(deleted or moved|replaced by another file) while a run was writing"):
            async with until_requests(server, 20, lambda: lose(study.database)):
                await run(study, pilot=False)
        assert server.requests < 2_550


class until_requests:
    """Does something once the server has had so many requests."""

    def __init__(self, server: FakeLLM, count: int, then: Callable[[], None]) -> None:
        self._server, self._count, self._then = server, count, then

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        await until(lambda: self._server.requests >= self._count)
        self._then()

    async def __aexit__(self, *_: object) -> None:
        await self._task


async def test_a_file_that_was_moved_and_put_back_has_every_answer(tmp_path: Path) -> None:
    with FakeLLM(latency=0.02) as server:
        study = load(tmp_path, [model(server.url, concurrency=4)], n=10, groups=10)
        with pytest.raises(MachineError, match="put it back"):
            async with until_requests(server, 40, lambda: _move(study.database)):
                await run(study, pilot=False)
        study.database.with_suffix(".elsewhere").rename(study.database)
        state = await run(study, pilot=False)
        assert state.total("done") == 110
        assert server.requests - 110 <= 4  # in flight


def test_a_log_is_not_read_as_that_of_the_file_put_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    connection = open_database(path)
    connection.execute("INSERT INTO text (sha, text) VALUES (x'00', 'old')")
    watch = Watch(path)
    other = tmp_path / "b.sqlite"
    new = open_database(other)
    new.execute("INSERT INTO text (sha, text) VALUES (x'01', 'new')")
    new.close()
    shutil.move(other, path)
    with pytest.raises(MachineError, match="replaced"):
        watch.check()
    connection.close()
    watch.set_aside()
    found = open_database(path, create=False)
    assert found.execute("SELECT text FROM text").fetchall() == [("new",)]
    assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found.close()


@pytest.mark.parametrize("text", ["locking protocol", "disk I/O error", "no such column: x", "integer overflow", "odd"])
def test_whatever_sqlite_says_comes_with_a_remedy(text: str) -> None:
    with pytest.raises(MachineError, match=r"run again|restore|name a database"), database_errors(Path("r.sqlite")):
        raise sqlite3.OperationalError(text)


def test_a_copy_without_its_log_is_not_called_an_empty_study(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "a.sqlite")
    shutil.copy(tmp_path / "a.sqlite", tmp_path / "b.sqlite")
    connection.close()
    copied = open_database(tmp_path / "b.sqlite", create=False)  # the tables are in the file itself
    assert copied.execute("SELECT count(*) FROM run").fetchone() == (0,)
    copied.close()
    (tmp_path / "c.sqlite").write_bytes(b"")
    with pytest.raises(InputError, match="nothing is in it"):
        open_database(tmp_path / "c.sqlite", create=False)

"""Leases: two processes on one file never send the same request at the same time.

A lease is a row of `lease`, taken before a key is sent and dropped with its completion. It holds as long as its process
lives: each process locks a byte of its own in FILE.lock, and the system drops that lock when the process ends, however
it ends. FILE is the file itself, whatever links lead to it.
"""

import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from personas.errors import InputError, MachineError
from runner.store.cache import ResultCache
from runner.store.database import NO_LOCKS
from runner.store.identity import Identity, identity, real
from runner.store.rows import insert, select_many

LOCK_SECONDS = 2.0
_LIVE_HERE: set[tuple[Identity | None, int]] = set()  # a process never sees its own locks as taken


def lock_path(database: Path) -> Path:
    """The file that runs lock, beside the database itself."""
    place = real(database)
    return place.with_name(f"{place.name}.lock")


def is_running(connection: sqlite3.Connection, database: Path) -> bool:
    """Whether a run is on that writes to the file."""
    path, file = lock_path(database), identity(database)
    going = any(live == file for live, _ in _LIVE_HERE)  # its locks would be dropped by opening the file again
    runs = connection.execute("SELECT id FROM run WHERE ended IS NULL").fetchall()
    if not going and runs and path.exists():
        descriptor = _open_lock(database)
        try:
            going = any(_is_locked(descriptor, number) for (number,) in runs)
        finally:
            os.close(descriptor)
    return going


def refuse_running(connection: sqlite3.Connection, database: Path) -> None:
    """Raises MachineError while a run is on that writes to the file."""
    if is_running(connection, database):
        raise MachineError(f"{database}: a run is on; wait for it to end, or stop it")


def _open_lock(database: Path) -> int:
    """A descriptor of the lock, which whoever may write the database may open. Raises MachineError."""
    path = lock_path(database)
    try:
        mode = stat.S_IMODE(database.stat().st_mode) & 0o666
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        raise MachineError(
            f"{path}: the lock cannot be opened ({error.strerror}); if no run is on, remove it and run again"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MachineError(f"{path}: not a regular file; remove it and run again")
    return descriptor


def refuse_open_jobs(connection: sqlite3.Connection, database: Path) -> None:
    """Raises InputError while a provider works at a job of the file, whose results only this file can take."""
    (count,) = connection.execute("SELECT count(*) FROM job WHERE state != 'closed'").fetchone()
    if count:
        raise InputError(f"{database}: {count} of its batch jobs are open; run its study until they are through")


def _is_locked(file: int, byte: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except OSError:
        return True
    fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
    return False


class Leases:
    """The leases of one run, by its number."""

    def __init__(self, connection: sqlite3.Connection, database: Path, process: int) -> None:
        self._connection = connection
        self._process = process
        self.path = lock_path(database)
        self._database = identity(database)
        self._file = _open_lock(database)

    def __enter__(self) -> Self:
        self._lock()
        _LIVE_HERE.add((self._database, self._process))
        for (process,) in self._connection.execute("SELECT DISTINCT process FROM lease").fetchall():
            if process != self._process and not self.lives(process):
                self._connection.execute("DELETE FROM lease WHERE process = ?", (process,))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(sqlite3.Error):  # a file that is lost has said so already
            self._connection.execute("DELETE FROM lease WHERE process = ?", (self._process,))
        _LIVE_HERE.discard((self._database, self._process))
        if not any(live == self._database for live, _ in _LIVE_HERE):
            os.close(self._file)  # closing drops every lock of this process on the file

    def _lock(self) -> None:
        """Take this run's byte. Whoever looks whether it is locked has it for a moment; nobody has it for longer."""
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._process)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise MachineError(f"{self.path}: {error.strerror}; {NO_LOCKS}") from None
                if time.monotonic() > deadline:
                    raise MachineError(
                        f"{self.path}: another program has locked it, which no run does for so long; end that one "
                        f"(`fuser {self.path}` names it), and run again"
                    ) from None
                time.sleep(0.01)
            else:
                return

    async def take(self, cache: ResultCache, keys: Collection[bytes]) -> set[bytes]:
        """Of these keys, those that another run holds or has answered meanwhile, and those of open jobs.

        The rest are this run's, once this returns. The cache's writer takes them: the event loop waits for no disk.
        """
        return await cache.compute(partial(self._take, keys)) if keys else set()

    def _take(self, keys: Collection[bytes], connection: sqlite3.Connection) -> set[bytes]:
        """`take`, within a transaction of this connection."""
        found = list(select_many(connection, "SELECT key, process FROM lease WHERE key IN ({})", keys))
        alive = {process: self.lives(process) for process in {process for _, process in found}}
        held = {bytes(key) for key, process in found if process != self._process and alive[process]}
        for table in ("completion", "job_trial"):
            sql = f"SELECT key FROM {table} WHERE key IN ({{}})"
            held |= {bytes(key) for (key,) in select_many(connection, sql, keys)}
        rows = [(key, self._process) for key in keys if key not in held]
        conflict = "ON CONFLICT (key) DO UPDATE SET process = excluded.process"
        insert(connection, "INSERT", "lease", ("key", "process"), rows, conflict)
        return held

    def drop(self, key: bytes) -> None:
        """Let others have a key that this run has taken and not answered."""
        self._connection.execute("DELETE FROM lease WHERE key = ? AND process = ?", (key, self._process))

    def lives(self, process: int) -> bool:
        """Whether a run, by its number, is still going."""
        if (self._database, process) in _LIVE_HERE:
            return True
        return _is_locked(self._file, process)

"""One file, one identity: which file a database is, however its path is typed, and whether it is still in its place.

A database is only ever looked at by `stat`: closing a descriptor of it would drop SQLite's own locks.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from personas.errors import InputError, MachineError

LOG = "-wal"
BESIDE = (LOG, "-shm")  # what SQLite keeps beside a file that is open, by its name
JOURNAL = "-journal"  # in place of the log, for a moment
Identity = tuple[int, int]


def real(path: Path) -> Path:
    """The path without symbolic links: SQLite's files and the lock stand beside it."""
    return Path(os.path.realpath(path))


def identity(path: Path) -> Identity | None:
    """Device and inode; None where there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def refuse_odd_file(path: Path) -> None:
    """Raises InputError for what is no regular file, or has two names: its log goes by one of them.

    What stands beside it under the names of SQLite's own files must be regular, too: it waits for a pipe without an
    end, and writes to whatever a link leads to.
    """
    place = real(path)
    for beside in (place.with_name(f"{place.name}{end}") for end in (*BESIDE, JOURNAL)):
        with suppress(OSError):
            if not stat.S_ISREG(beside.lstat().st_mode):
                raise InputError(f"{beside}: not a regular file, and SQLite's name for one; remove it")
    try:
        found = path.stat()
    except OSError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: not a regular file; name another database")
    if found.st_nlink > 1:
        raise InputError(
            f"{path}: the file has {found.st_nlink} names (hard links), and answers that are written under one are "
            "missing under the other; remove the other names, or copy the file"
        )


class Watch:
    """The files of an open database, where they are now."""

    def __init__(self, path: Path) -> None:
        self._real = real(path)
        self._known: dict[Path, Identity] = {}
        for file in (self._real, *map(self._sibling, BESIDE)):
            self.add(file)

    def add(self, file: Path) -> None:
        """Another file that must stay where it is, if it is there."""
        if found := identity(file):
            self._known[file] = found

    def check(self) -> None:
        """Raises MachineError once one of them is deleted, replaced or moved."""
        for file, known in self._known.items():
            if (found := identity(file)) != known:
                what = "was deleted or moved" if found is None else "was replaced by another file"
                raise MachineError(
                    f"{file}: {what} while a run was writing to it, so the run stopped; {self._remedy()}"
                )

    def set_aside(self) -> None:
        """Once the database is closed: its log must not be read as that of a file that was put in its place."""
        log, now = self._sibling(LOG), identity(self._real)
        if now not in (None, self._known.get(self._real)) and identity(log) == self._known.get(log):
            with suppress(OSError):
                log.rename(log.with_name(f"{log.name}.replaced"))
                self._sibling("-shm").unlink(missing_ok=True)

    def _sibling(self, end: str) -> Path:
        return self._real.with_name(f"{self._real.name}{end}")

    def _remedy(self) -> str:
        if identity(self._real) is None:
            return f"put it back beside {self._real.name}{LOG}, which holds the last answers, and run again"
        return "leave a study's files alone while it runs, and run it again"

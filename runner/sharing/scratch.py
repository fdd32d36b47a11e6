"""Folders for what is only needed for a while, which a killed process leaves and the next one removes."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from personas.errors import MachineError

PREFIX = ".mtpa-scratch-"
_LOCK = "in-use"  # a file of its own: who opens a database locks the database's folder


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """A folder in the folder of `beside`, deleted afterwards; those whose process is gone are deleted first.

    Who uses a folder holds a lock on a file in it, and the system drops that with the process. Raises MachineError
    where the disk refuses.
    """
    parent = beside.absolute().parent
    try:
        with _locked(parent):
            for left in parent.glob(f"{PREFIX}*"):
                _remove_if_left(left)
            made = tempfile.TemporaryDirectory(dir=parent, prefix=PREFIX)
            held = os.open(Path(made.name, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
            _lock(held)
    except OSError as error:
        raise MachineError(f"{parent}: cannot be written ({error.strerror}); choose another place") from None
    with made:
        try:
            yield Path(made.name)
        finally:
            os.close(held)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """No other process looks for folders that were left while one is made and not yet locked."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    with suppress(OSError):  # a file system without such locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _remove_if_left(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        return
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # in use, or a file system that cannot tell
    finally:
        os.close(descriptor)
    shutil.rmtree(folder, ignore_errors=True)

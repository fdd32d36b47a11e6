"""Files that are there as a whole or not at all: a reader sees the old one or the new one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from personas.errors import MachineError


@contextmanager
def whole_file(path: Path, private: bool = False) -> Iterator[IO[bytes]]:
    """A file to write that takes its place only when it is complete and on the disk.

    It is readable as the umask says, or by its owner alone. Raises OSError where the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    mode = 0o600 if private else 0o666
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file and the folders that lead to it. Raises OSError where the disk refuses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(content)


@contextmanager
def replaced(path: Path, private: bool = False) -> Iterator[IO[bytes]]:
    """`whole_file`, where what the disk refuses is a sentence. Raises MachineError."""
    try:
        with whole_file(path, private) as file:
            yield file
    except OSError as error:
        raise MachineError(f"{path} cannot be written ({error.strerror or error}): choose another place") from None

"""SPSS and Stata files are read in a process of their own.

A damaged file that crashes the library, or keeps it busy for hours, ends that process and becomes one sentence here.

One process serves every file, one after another; a new one takes the place of one that a file has ended.
"""

import atexit
import os
import pickle
import subprocess
import sys
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd

from personas.errors import MachineError

SECONDS = 600  # for one answer; the largest file's columns take seven


class FileRefused(Exception):
    """What the library says of a file, or that it did not survive it; `encoding`: a text of it could not be decoded."""

    def __init__(self, clause: str, encoding: bool = False) -> None:
        super().__init__(clause)
        self.encoding = encoding


class _Process:
    """The process, started when it is first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def ask(self, job: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        """What the worker answers. Raises FileRefused where it ends or says nothing; MachineError."""
        with self._lock:
            pipe = self._pipe if self._owner == os.getpid() else None  # after a fork it is the parent's
            pipe = pipe or self._start()
            try:
                pipe.send(job)
                if not pipe.poll(SECONDS):
                    raise FileRefused(f"reading it took more than {SECONDS} seconds")
                return _receive(pipe)
            except (EOFError, OSError):
                self._end()
                raise FileRefused("reading it ended the process that read it") from None
            except BaseException:  # interrupted: its answer would be taken for the next one's
                self._end()
                raise

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        worker = str(Path(__file__).with_name("file_worker.py"))
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-I", worker, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={},  # no keys or tokens
            )
        except OSError as error:
            raise MachineError(f"the process that reads survey files cannot be started: {error.strerror}") from None
        finally:
            theirs.close()
        self._pipe, self._owner = ours, os.getpid()
        return ours

    def _end(self) -> None:
        if self._pipe and self._child and self._owner == os.getpid():
            self._pipe.close()
            self._child.kill()
            self._child.wait()
        self._pipe = self._child = None


def _receive(pipe: Connection) -> dict[str, Any]:
    packed, sizes = pipe.recv()
    arrays = [bytearray(size) for size in sizes]
    for array in arrays:
        pipe.recv_bytes_into(array)
    found: dict[str, Any] = pickle.loads(packed, buffers=arrays)  # noqa: S301 - from our own process
    return found


_process = _Process()
atexit.register(_process._end)


def read_labelled(path: Path, **options: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A file's columns and what it says of them, as pyreadstat names it.

    Raises FileRefused; MachineError where the process cannot be started.
    """
    found = _process.ask((str(path.absolute()), options))
    if "error" in found:
        raise FileRefused(found["error"], found["encoding"])
    return found["frame"], found["about"]

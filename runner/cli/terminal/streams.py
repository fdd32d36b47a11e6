"""Standard output and standard error that may go away: their reader may leave, the disk under them may be full.

Whoever leaves early (`| head`, a closed terminal) misses what comes after and ends nothing. What could not be written
for another reason is said at the end.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any, TextIO

LEFT = (errno.EPIPE, errno.EIO)  # a pipe without a reader, a terminal that is closed
MACHINE = 5


class Stream:
    """A text stream that goes quiet once it cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, unless that failed before."""
        if self.error is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Flush, unless writing failed before."""
        if self.error is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._lose(error)

    def _lose(self, error: OSError) -> None:
        """What is in the buffer, and what others write there, goes nowhere: so nothing fails again as Python ends."""
        self.error = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def guard() -> None:
    """Have both streams go quiet where they cannot be written.

    A closed one is opened onto nothing, so that no other file gets its number; where that is standard output, nobody
    would see the result, which ends the process.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = Stream(sys.stderr)
    if sys.stdout is None:
        sys.stderr.write("mtpa-run: standard output is closed; redirect it to a file or to /dev/null\n")
        sys.exit(MACHINE)
    sys.stdout = Stream(sys.stdout)


def finished(code: int) -> int:
    """The exit code, once what is printed is written: another one where it could not be."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    error = sys.stdout.error if isinstance(sys.stdout, Stream) else None
    if error is None or error.errno in LEFT:
        return code
    sys.stderr.write(
        f"mtpa-run: standard output cannot be written ({error.strerror}); run it again into another file\n"
    )
    return code or MACHINE

"""What the machine refuses, as a sentence and an exit code."""

import errno
import os

import pytest

from runner.cli.app import _failure


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/dev/fd"), "raise `ulimit -n`"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "x.csv"), "x.csv: Read-only file system"),
        (MemoryError(), "the memory is used up"),
        (RuntimeError("can't start new thread"), "starts no more threads"),
    ],
)
def test_what_the_machine_refuses_names_the_remedy(error: Exception, words: str) -> None:
    failure = _failure(error)
    assert words in str(failure)
    assert failure.exit_code == 5


def test_a_fault_of_ours_is_no_sentence() -> None:
    with pytest.raises(RuntimeError):
        _failure(RuntimeError("a bug"))

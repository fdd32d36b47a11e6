"""Errors for people.

MtpaError               one sentence that names the file, line or key, and the remedy
├── InputError          what was given is wrong (exit code 2)
└── MachineError        this machine cannot do it: disk, permission, database, asset (exit code 5)
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MtpaError(Exception):
    """A sentence for the user; `exit_code` is what the command ends with."""

    exit_code = 1


class InputError(MtpaError):
    """A study, a file or an argument is wrong."""

    exit_code = 2


class MachineError(MtpaError):
    """The machine cannot do what was asked."""

    exit_code = 5


class NewerFile(MachineError):
    """A file that a newer version of mtpa has written; `sign` is what it was known by."""

    def __init__(self, path: object, sign: str) -> None:
        super().__init__(f"{path}: made by a newer version of mtpa ({sign}); upgrade mtpa to open it")


def nearest(name: str, known: Iterable[str]) -> str:
    """A remedy for a misspelled name: the nearest right one, or all there are."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"

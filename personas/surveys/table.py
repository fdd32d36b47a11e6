"""A survey file as the reader sees it: its variables, what the file says of them, and a way to read some."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from personas.errors import InputError, MtpaError

Ranges = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Table:
    """A survey file: its variables, with what the file itself says of them, and how to read some.

    `labels` has values as text ("1", "-2", "d"); `declared` holds the ranges that an SPSS file declares missing. Cells
    of missing values stay as the file has them: numbers, or Stata's letters. `notes` is what a report should say of
    how the file was read; reading may add to it.
    """

    path: Path
    variables: tuple[str, ...]
    rows: int
    load: Callable[[list[str], int, int], pd.DataFrame]
    questions: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    declared: Mapping[str, Ranges] = field(default_factory=dict)
    ordinal: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)

    def find(self, names: str | Sequence[str]) -> str | None:
        """The first of these variables that the file has: as it is spelled, else in any case of its letters."""
        folded = {variable.lower(): variable for variable in reversed(self.variables)}
        folded |= {variable: variable for variable in self.variables}
        wanted = [names] if isinstance(names, str) else names
        found = (folded.get(name, folded.get(name.lower())) for name in wanted)
        return next((variable for variable in found if variable), None)

    def read(self, variables: Sequence[str], start: int = 0, stop: int | None = None) -> pd.DataFrame:
        """The columns of these variables, rows start to stop. Raises InputError where the file is damaged."""
        stop = self.rows if stop is None else stop
        if not variables:
            return pd.DataFrame(index=range(stop - start))
        try:
            frame = self.load(list(dict.fromkeys(variables)), start, stop)
        except MtpaError:
            raise
        except Exception as error:  # what a library says of a damaged file is anything at all
            raise damaged(self.path, error) from None
        if len(frame) != stop - start:
            raise InputError(f"{self.path}: {len(frame)} rows where {stop - start} should be: the file is cut off")
        return frame


def damaged(path: Path, error: Exception) -> InputError:
    """The sentence about a file that a library could not read."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(f"{path} is damaged or cut off ({reason}): download it again")


def text(value: Any) -> str:
    """A cell as a key: 2, 2.0 and "2.0" are all "2"."""
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else str(value)
    return str(value).strip().removesuffix(".0")

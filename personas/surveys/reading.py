"""What is kept while a survey is read: one file's rows, and what a report says of the way there."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from personas.people.respondents import Respondents
from personas.surveys.harmonise import Codes
from personas.surveys.table import Table
from personas.traits import Trait


@dataclass(frozen=True)
class ValueRow:
    """A value of a described trait's variable: as the file has and labels it, the code it became, and how often."""

    value: str
    label: str
    code: int
    count: int


@dataclass
class Reading:
    """What was read of a survey: the respondents, and what a report should say of the way there.

    With `traced`, `values` gets every value of every described trait.
    """

    respondents: Respondents
    rows: int = 0
    columns: int = 0
    absent: list[str] = field(default_factory=list)
    strays: dict[str, dict[str, int]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    sparse: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    traced: bool = False
    questions: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[ValueRow]] = field(default_factory=dict)

    def stray(self, name: str, values: dict[str, int]) -> None:
        """Count values that are no answers to a trait."""
        counts = self.strays.setdefault(name, {})
        counts.update({value: counts.get(value, 0) + count for value, count in values.items()})


@dataclass
class FilePart:
    """One file's share of a survey while it is read: the rows from start to stop that `keep` marks."""

    table: Table
    keep: np.ndarray
    start: int
    stop: int
    waves: pd.Series
    countries: pd.Series | str = ""
    weights: np.ndarray = field(default_factory=lambda: np.empty(0))
    traits: dict[str, Trait] = field(default_factory=dict)
    codes: dict[str, Codes] = field(default_factory=dict)

    def read(self, variables: Sequence[str]) -> pd.DataFrame:
        """The wanted rows of these columns."""
        frame = self.table.read(variables, self.start, self.stop)
        return frame if self.keep.all() else frame.loc[self.keep].reset_index(drop=True)

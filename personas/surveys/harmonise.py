"""From a survey's values to the catalogue's codes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from personas.traits import OTHER

Codes = np.ndarray
# What an empty cell looks like in a text file.
BLANK = ("", ".", "NA", "nan")

# A value as text → a code, a negative reason, or None when the value is no answer on the scale.
Translation = Callable[[str], int | None]


@dataclass(frozen=True)
class Harmonised:
    """One trait's codes (int16, shape (respondents,)), and the values that were no answers, with their counts."""

    codes: Codes
    strays: Mapping[str, int]

    def share_on_scale(self) -> float:
        """Of the rows that are not missing for a stated reason, how many hold a value of the scale (0 to 1)."""
        answers, stray = int((self.codes >= 0).sum()), sum(self.strays.values())
        return answers / (answers + stray) if answers + stray else 1.0


def harmonise(values: pd.Series, translate: Translation, text: Callable[[object], str], blank: int) -> Harmonised:
    """Translate a column, each distinct value once; a blank cell gets `blank`, a stray value the reason 'other'."""
    places, distinct = pd.factorize(values)
    counts = np.bincount(places[places >= 0], minlength=len(distinct))
    codes = np.full(len(distinct) + 1, blank, dtype=np.int16)
    strays: dict[str, int] = {}
    for place, value in enumerate(distinct):
        key = text(value)
        code = blank if key in BLANK else translate(key)
        if code is None:
            strays[key] = strays.get(key, 0) + int(counts[place])
        codes[place] = OTHER if code is None else code
    return Harmonised(codes[places], strays)


def deciles(codes: Codes, weights: np.ndarray) -> Codes:
    """Ordered brackets as ten steps: a bracket's step is where its middle stands in the weighted distribution.

    Shape (respondents,), int16, 1 to 10; negative codes stay.
    """
    valid = codes >= 0
    if not valid.any():
        return codes
    brackets, places = np.unique(codes[valid], return_inverse=True)
    mass = np.bincount(places, weights=weights[valid], minlength=len(brackets))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    result = codes.copy()
    result[valid] = np.clip(np.ceil(middle * 10), 1, 10).astype(np.int16)[places]
    return result

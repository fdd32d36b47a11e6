"""What unread answers (unparsed, refused) could change: Δ with them as wrong, and the bounds of a gap."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.statistics.effect import Contributions, contributions, estimate
from scoring.statistics.levels import levels_of
from scoring.statistics.pairs import Part

UNREAD = ("unparsed", "refused")
AS_WRONG = ("effect_as_wrong", "as_wrong_low", "as_wrong_high")
BOUNDS = ("gap_least", "gap_most")


class Unread:
    """A part in which some answers were not read."""

    def __init__(self, part: Part, measure: str) -> None:
        scores = part.clean.scores
        unread = scores[measure].isna()
        unread &= scores["status"].isin(UNREAD) if "status" in scores else False
        of_people = unread & ~part.clean.alone

        def worth(value: float, rows: pd.Series) -> Contributions:
            return contributions(part.of(scores.assign(**{measure: scores[measure].mask(rows, value)})), measure)

        self._as_wrong = worth(0.0, unread) if unread.any() else None
        self._extremes = [worth(value, of_people) for value in (0.0, 1.0)] if of_people.any() else []

    def as_wrong(self, attribute: str, level: str, effect: float, seed: int) -> dict[str, float]:
        """Δ of a level with unread answers, of the baseline too, as 0, and its interval for items like these too.

        It is `effect` where all was read.
        """
        if self._as_wrong is None:
            return {**dict.fromkeys(AS_WRONG, math.nan), AS_WRONG[0]: effect}
        inside = _at_level(self._as_wrong, attribute, level)
        found = estimate(self._as_wrong, inside, (math.nan, math.nan), seed)
        return dict(zip(AS_WRONG, (found.effect, found.items_low, found.items_high), strict=True))

    def bounds(self, attribute: str, level: str, gap: float) -> dict[str, float]:
        """The least and the most that a level's gap could be had all answers been read (Manski 1989).

        Its own people's unread answers as 0 and the others' as 1, and the reverse. It is the gap itself where all were
        read.

        The gap of what was read may lie outside: it leaves out the items too.
        """
        if not self._extremes:
            return dict.fromkeys(BOUNDS, gap)
        inside = [_at_level(of, attribute, level) for of in self._extremes]
        own = [of.delta(side) for of, side in zip(self._extremes, inside, strict=True)]
        others = [of.delta(~side) for of, side in zip(self._extremes, inside, strict=True)]
        return dict(zip(BOUNDS, (own[0] - others[1], own[1] - others[0]), strict=True))


def _at_level(of: Contributions, attribute: str, level: str) -> NDArray[np.bool_]:
    return np.asarray(levels_of(of.cells.people, attribute) == level, dtype=bool)

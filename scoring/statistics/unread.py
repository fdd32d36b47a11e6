"""What unread answers (unparsed, refused) could change: Δ with them as wrong, and the bounds of a gap."""

import math

import numpy as np

from scoring.statistics.effect import contributions, estimate
from scoring.statistics.levels import levels_of
from scoring.statistics.pairs import Part

UNREAD = ("unparsed", "refused")
AS_WRONG = ("effect_as_wrong", "as_wrong_low", "as_wrong_high")
BOUNDS = ("gap_least", "gap_most")


class Unread:
    """A part with its unread answers, with and without a persona, as 0 and as 1."""

    def __init__(self, part: Part, measure: str) -> None:
        scores = part.clean.scores
        unread = scores[measure].isna()
        unread &= scores["status"].isin(UNREAD) if "status" in scores else False
        self._filled = [
            contributions(part.of(scores.assign(**{measure: scores[measure].mask(unread, worth)})), measure)
            for worth in ((0.0, 1.0) if unread.any() else ())
        ]

    def as_wrong(self, attribute: str, level: str, effect: float, seed: int) -> dict[str, float]:
        """Δ of a level with unread as 0 and its interval for items like these too; `effect` where all was read."""
        if not self._filled:
            return {**dict.fromkeys(AS_WRONG, math.nan), AS_WRONG[0]: effect}
        of = self._filled[0]
        inside = (levels_of(of.cells.people, attribute) == level).to_numpy(dtype=bool)
        found = estimate(of, inside, (math.nan, math.nan), seed)
        return dict(zip(AS_WRONG, (found.effect, found.items_low, found.items_high), strict=True))

    def bounds(self, attribute: str, level: str, gap: float) -> dict[str, float]:
        """The least and the most that a level's gap could be: all its unread answers 0 and the others' 1, and the
        reverse (Manski 1989); the gap itself where all was read."""
        if not self._filled:
            return dict.fromkeys(BOUNDS, gap)
        inside = [(levels_of(of.cells.people, attribute) == level).to_numpy(dtype=bool) for of in self._filled]
        own, others = (
            [of.delta(side) for of, side in zip(self._filled, sides, strict=True)]
            for sides in (inside, [np.logical_not(each) for each in inside])
        )
        return dict(zip(BOUNDS, (own[0] - others[1], own[1] - others[0]), strict=True))

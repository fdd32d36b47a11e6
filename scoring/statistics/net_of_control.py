"""Δ net of the neutral control: the persona's answer beside the answer after a text as long that says nothing."""

import math

import numpy as np
import pandas as pd

from scoring.statistics.effect import Contributions, Estimate, contributions, estimate
from scoring.statistics.levels import levels_of
from scoring.statistics.pairs import Part

NET = (
    *("neutral", "neutral_low", "neutral_high"),
    *("net", "net_low", "net_high", "net_people_low", "net_people_high"),
)
NO_NET = dict.fromkeys(NET, math.nan)
_KEYS = ("persona_id", "item_id", "rotation", "frame", "placement", "traits")


class Neutral:
    """A part's neutral control, on the respondents, items and orders that also have a persona's answer and a baseline.

    There Δ = neutral + net: `neutral` is the control minus the baseline, `net` the persona minus the control of the
    same respondent, frame and placement. `is_there` says whether there is any.
    """

    def __init__(self, part: Part, measure: str) -> None:
        self._measure, self._part = measure, part
        there = part.scores[measure].notna()
        control = part.scores[part.control & there]
        self.is_there = not control.empty
        self._of: tuple[Contributions, Contributions] | None = None
        if not self.is_there:
            return
        clean = part.clean.scores
        clean = clean[clean[measure].notna()]
        alone = clean["persona_id"] == ""
        asked = clean.loc[alone, ["item_id", "rotation"]].drop_duplicates()
        keys = [name for name in _KEYS if name in clean]
        mean = control.groupby(keys, observed=True)[measure].mean().rename("_control").reset_index()
        both = clean[~alone].merge(mean, on=keys).merge(asked, on=["item_id", "rotation"])
        self.is_there = not both.empty
        self._both, self._alone, self._control = both, clean[alone], control

    @property
    def net(self) -> Part:
        """The persona beside the control: what is left of a score is compared with nothing."""
        measure = self._measure
        nobody = self._alone.drop_duplicates(["item_id", "rotation"]).assign(**{measure: 0.0})
        left = self._both.assign(**{measure: self._both[measure] - self._both["_control"]})
        return self._part.of(pd.concat([nobody, left.drop(columns="_control")]).assign(sampled=False))

    @property
    def control(self) -> Part:
        """The control beside the baseline; its clusters are its different texts."""
        keys = ["persona_id", "item_id", "rotation"]
        kept = self._control.merge(self._both[keys].drop_duplicates(), on=keys)
        return self._part.of(pd.concat([self._alone, kept.assign(format="control")]))

    def of(self, attribute: str, level: str, seed: int = 0) -> dict[str, float]:
        """`NET` of the people at a level.

        The interval for these items alone is left out where answers are draws: the noise of a control's text is shared
        by all who have it.
        """
        if not self.is_there:
            return NO_NET
        if self._of is None:
            self._of = contributions(self.control, self._measure), contributions(self.net, self._measure)
        neutral, net = (_at(each, attribute, level, seed) for each in self._of)
        sampled = self._of[0].cells.sampled
        people = (math.nan, math.nan) if sampled else (net.people_low, net.people_high)
        values = (neutral.effect, neutral.items_low, neutral.items_high, net.effect, net.items_low, net.items_high)
        return dict(zip(NET, (*values, *people), strict=True))


def _at(of: Contributions, attribute: str, level: str, seed: int) -> Estimate:
    inside = np.asarray(levels_of(of.cells.people, attribute) == level, dtype=bool)
    return estimate(of, inside, (math.nan, math.nan), seed)

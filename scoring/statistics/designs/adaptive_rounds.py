"""A precision-targeted run by adaptive rounds: the first with equal chances, then more of what varies.

Within a level each round draws, for every person by itself, as many item groups on average as a round of equal size
has, with the chances of `adaptive`; the last asks what is left. The chances are kept as they were drawn
(`Batch.drawn`), so that a run that goes on, and its report, know them whatever was answered or scored anew since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.designs.adaptive import chances, dealt, spread
from scoring.statistics.designs.inclusion import ASKED, PLANNED, ROUND, Round
from scoring.statistics.designs.incomplete import numbered
from scoring.statistics.designs.sequential import Batch, InterimLook, SequentialDesign, Target
from scoring.statistics.pairs import Part, parts


class AdaptiveDesign(SequentialDesign):
    """The adaptive rounds of one model and benchmark.

    Scores that are looked at have the columns of rounds (`with_rounds`). `strata` maps persona ids to strata, one for
    all where absent; `known` are the rounds that were drawn before, by level and number: they are not drawn again.
    """

    def __init__(
        self,
        target: Target,
        people: Mapping[str, str],
        groups: Sequence[str],
        strata: Mapping[str, str] = MappingProxyType({}),
        known: Mapping[tuple[str, int], Round] = MappingProxyType({}),
    ) -> None:
        super().__init__(target, people, groups)
        self._groups, self._strata, self._known = sorted(set(groups)), strata, dict(known)
        self._seen = pd.DataFrame()

    @property
    def known(self) -> Mapping[tuple[str, int], Round]:
        """The rounds that were drawn, by level and number."""
        return self._known

    def looks(self, scores: pd.DataFrame, beside: Part | None = None) -> list[InterimLook]:
        """Each level's state; what is drawn next depends on these scores."""
        self._seen = scores
        return super().looks(scores, beside)

    def _batch(self, level: str, number: int) -> Batch:
        key, members = (level, number + 1), self._members[level]
        before = self._known.get(key, {})
        new = [name for name in members if name not in before]
        drawn = self._draw(level, number + 1, new) if new else {}
        self._known[key] = {**before, **drawn}
        cells = {name: tuple(self._known[key][name]) for name in members}
        return Batch(level, cells, number + 1, drawn)

    def _draw(self, level: str, number: int, names: Sequence[str]) -> Round:
        """What these people of a level are asked in a round, and with what chances."""
        left = np.ones((len(names), len(self._groups)), dtype=bool)
        place = {group: at for at, group in enumerate(self._groups)}
        for row, name in enumerate(names):
            left[
                row, [place[group] for each in range(1, number) for group in self._known[level, each].get(name, ())]
            ] = False
        if number >= self._rounds:
            chance: Matrix = left.astype(float)
        else:
            chance = self._chances(level, names, left)
        seed = f"{self._target.seed}\x1f{level}\x1f{number}"
        return dealt(names, self._groups, chance, seed)

    def _chances(self, level: str, names: Sequence[str], left: np.ndarray) -> Matrix:
        members = self._members[level]
        strata = np.unique([self._strata.get(name, "") for name in members], return_inverse=True)[1]
        found = spread(*self._rest(members), strata)
        of = dict(zip(members, found.of_person.tolist(), strict=True))
        own = replace(found, of_person=np.array([of[name] for name in names]))
        return chances(left, own, len(self._groups) / self._rounds)

    def _rest(self, members: Sequence[str]) -> tuple[Matrix, np.ndarray]:
        """Person × item group: what answers so far are off their items' means, and which there are.

        Summed over a group's items, over √items: a group of many costs more.
        """
        size = len(members), len(self._groups)
        total, seen = np.zeros(size), np.zeros(size, dtype=bool)
        scores = self._of_course(self._seen) if len(self._seen) else self._seen
        known = scores[ROUND].notna() if ROUND in scores else pd.Series(dtype=bool)
        if not known.any():
            return total, seen
        (part,) = (each.whole for each in parts(scores))
        found = part.pairs(part.measures[-1]).answers
        row = numbered(found.people["persona_id"], {name: at for at, name in enumerate(members)})[found.person]
        here = row >= 0
        item, d, row = found.item[here], found.d[here], row[here]
        sums, counts = (np.bincount(item, weights=each, minlength=len(found.items)) for each in (d, np.ones(len(d))))
        mean = sums / np.maximum(counts, 1)
        column = numbered(found.items["group"], {name: at for at, name in enumerate(self._groups)})
        items = np.maximum(np.bincount(column[column >= 0], minlength=size[1]), 1)
        np.add.at(total, (row, column[item]), d - mean[item])
        seen[row, column[item]] = True
        return total / np.sqrt(items), seen

    def _of_course(self, scores: pd.DataFrame) -> pd.DataFrame:
        """The baseline, and the rounds that were asked so far in this course."""
        if PLANNED not in scores:
            return scores[(scores["persona_id"] == "").to_numpy()]
        asked = numbered(scores["persona_id"], {name: self._asked[level] for name, level in self._people.items()})
        alone = (scores["persona_id"] == "").to_numpy()
        number = scores[ROUND].to_numpy(dtype=float)
        kept = alone | (number <= asked)
        until = np.where(alone, np.nan, asked.astype(float))
        return scores.assign(**{ASKED: until})[kept]

"""Two models' scores on one benchmark side by side: one was asked a part of the crossing, one was asked all."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import LEVEL, Matrix
from scoring.statistics.covariates.control_variates import Covaried, PeopleRows, TwoPhase
from scoring.statistics.effect import Contributions, baseline_draws, contributions, mean_variance, wording_means
from scoring.statistics.pairs import Cells, Codes, Part, factorized
from scoring.statistics.weights import Floats


@dataclass(frozen=True)
class SideBySide:
    """Two models' answers about the same people and item groups.

    `people` are everybody whom either model was asked about, those of the dear model first, in the order of its pairs;
    matrices have a row a person and a column an item group, those of the answers that the dear model gave (`d`,
    `share`, `told`) end with its people. `weight` is of everybody; `beside` has the cheap model's score beside each
    pair of the dear one.
    """

    of: Contributions
    people: pd.DataFrame
    weight: Floats
    d: Matrix
    share: Matrix
    told: Matrix
    whole: Matrix
    whole_share: Matrix
    beside: Floats

    @classmethod
    def read(cls, dear: Part, cheap: Part) -> "SideBySide | None":
        """From both models' scores by letter probabilities, where there are any; None where either has no pair.

        A cheap score is less its item's mean, so that its baseline plays no part. What the cheap model did not answer
        counts as the item's mean; what the dear one was asked in vain is left out of everything, as it is of Δ.
        """
        of, found = contributions(dear, dear.measures[-1]), dear.pairs(dear.measures[-1])
        beside = cheap.pairs(cheap.measures[-1])
        if not len(found.person) or not len(beside.person):
            return None
        items, groups = (
            _Names.of(found.items["item_id"], beside.items["item_id"]),
            _Names.of(found.items["group"], beside.items["group"]),
        )
        people = _Names.of(found.people["persona_id"], beside.people["persona_id"])
        cells = _Cells(people, items, found, beside)
        group_of = np.zeros(len(items.names), dtype=np.int64)
        group_of[items.second], group_of[items.first] = groups.second, groups.first
        size = (len(people.names), len(groups.names))

        def summed(person: Codes, item: Codes, values: Floats) -> Matrix:
            """Sums by person and group."""
            place = person * size[1] + group_of[item]
            return np.bincount(place, weights=values, minlength=size[0] * size[1]).reshape(size).astype(np.float64)

        number, rows = len(found.people), (people.first[found.person], items.first[found.item])
        scale = 1 / np.maximum(found.answered, 1)[found.person]
        values = (found.d, np.ones(len(scale)), cells.told)
        d, share, told = (summed(*rows, scale * each)[:number] for each in values)
        kept = ~cells.asked_in_vain(dear)
        theirs = (people.second[beside.person][kept], items.second[beside.item][kept])
        answered = np.maximum(np.bincount(theirs[0], minlength=size[0]), 1)[theirs[0]]
        whole, whole_share = (summed(*theirs, each / answered) for each in (cells.centred[kept], np.ones(kept.sum())))
        columns = ["persona_id", "cluster", *(name for name in dear.columns if name in beside.people)]
        everybody = pd.concat([found.people[columns], beside.people[columns][~people.is_known]], ignore_index=True)
        weight = np.r_[of.weight, cheap.weights_of(everybody["persona_id"].iloc[number:])]
        return cls(of, everybody, weight, d, share, told, whole, whole_share, cells.told)

    @cached_property
    def cluster(self) -> Codes:
        """Persona cluster of everybody."""
        return factorized(self.people["cluster"].astype(str))

    def estimate(self, inside: NDArray[np.bool_], level: float = LEVEL, seed: int = 0) -> Covaried | None:
        """Δ of some of the people by both models' answers; None where the dear one has none of them."""
        known = inside[: len(self.d)]
        if not known.any():
            return None
        wording = mean_variance(wording_means(self.of.cells.wording[known], self.of.weight[known]))
        return self.rows(inside).estimate(wording, baseline_draws(self.of, known)[0], level, seed)

    def rows(self, inside: NDArray[np.bool_]) -> TwoPhase:
        """Some of the people, those whom the dear model was asked about and the others.

        Cheap scores are less what these people differ by from the items' means.
        """
        number = len(self.d)
        known = inside[:number]
        mean = self._means(inside)
        whole = self.whole - mean * self.whole_share

        def of(rows: slice) -> PeopleRows:
            there = inside[rows]
            return PeopleRows(self.weight[rows][there], self.cluster[rows][there], whole[rows][there])

        first, others = of(slice(number)), of(slice(number, None))
        return TwoPhase(first, others, self.d[known], self.share[known], (self.told - mean * self.share)[known])

    def correlations(self, inside: NDArray[np.bool_]) -> tuple[float, float]:
        """ρ of both models within a person and between people, of d less its item's mean.

        Moments of pairs of one person's answers tell the people's part. NaN where nothing varies.
        """
        found = self.of.cells
        mean = np.bincount(found.item, weights=found.d) / np.maximum(np.bincount(found.item), 1)
        here = inside[: len(self.d)][found.person]
        person, d, c = found.person[here], (found.d - mean[found.item])[here], self.beside[here]
        pairs = {name: _moments(person, *each) for name, each in {"dc": (d, c), "dd": (d, d), "cc": (c, c)}.items()}
        within, between = (_correlation(*(pairs[name][part] for name in ("dc", "dd", "cc"))) for part in range(2))
        return within, between

    def _means(self, inside: NDArray[np.bool_]) -> Floats:
        """What these people differ by from the items' means, group by group."""
        total, share = (self.weight[inside] @ each[inside] for each in (self.whole, self.whole_share))
        return np.divide(total, share, out=np.zeros_like(total), where=share > 0)


def _moments(person: Codes, one: Floats, two: Floats) -> tuple[float, float]:
    """Covariance within people, and between them: the mean product of two different answers of one person."""
    count = np.bincount(person).astype(float)
    pairs = float((count * (count - 1)).sum())
    products = float(one @ two)
    sums = float(np.bincount(person, weights=one) @ np.bincount(person, weights=two))
    between = (sums - products) / pairs if pairs > 0 else np.nan
    return products / max(1, len(one)) - between, between


def _correlation(both: float, one: float, two: float) -> float:
    return float(np.clip(both / np.sqrt(one * two), -1, 1)) if one > 0 and two > 0 else float("nan")


@dataclass(frozen=True)
class _Names:
    """The names of both columns, those of the first one first; the place of each row of either among them."""

    names: pd.Index
    first: Codes
    second: Codes
    is_known: NDArray[np.bool_]

    @classmethod
    def of(cls, first: pd.Series, second: pd.Series) -> "_Names":
        one, two = first.astype(str).to_numpy(), second.astype(str).to_numpy()
        names = pd.Index(pd.unique(np.r_[one, two]))
        return cls(names, names.get_indexer(one), names.get_indexer(two), np.isin(two, one))


class _Cells:
    """The cheap model's scores less their item's means (`centred`), and those on the dear model's answers (`told`)."""

    def __init__(self, people: _Names, items: _Names, dear: Cells, cheap: Cells) -> None:
        self._people, self._items = people, items
        count = np.bincount(cheap.item, minlength=len(cheap.items))
        mean = np.bincount(cheap.item, weights=cheap.y, minlength=len(cheap.items)) / np.maximum(count, 1)
        self.centred = cheap.y - mean[cheap.item]
        self._theirs = people.second[cheap.person] * len(items.names) + items.second[cheap.item]
        self._ours = people.first[dear.person] * len(items.names) + items.first[dear.item]
        order = np.argsort(self._theirs)
        place = np.minimum(np.searchsorted(self._theirs, self._ours, sorter=order), len(order) - 1)
        there = self._theirs[order[place]] == self._ours
        self.told = np.where(there, self.centred[order[place]], 0.0)

    def asked_in_vain(self, dear: Part) -> NDArray[np.bool_]:
        """Which of the cheap model's answers the dear one was asked for without giving one."""
        scores = dear.clean.scores
        pairs = scores.loc[~dear.clean.alone, ["persona_id", "item_id"]].drop_duplicates()
        person = self._people.names.get_indexer(pairs["persona_id"].astype(str))
        item = self._items.names.get_indexer(pairs["item_id"].astype(str))
        asked = (person * len(self._items.names) + item)[(person >= 0) & (item >= 0)]
        return np.isin(self._theirs, np.setdiff1d(asked, self._ours))

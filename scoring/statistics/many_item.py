"""Numbers that exist only over many items (a bias score, the share of a letter), with and without a persona.

Each is a formula over sums of columns, one value an answer. A persona's answer counts where it was read and the
baseline has a read answer to the same item in the same order of options; the baseline's side is the mean of those over
its replicates. Both sides are therefore of the same items for every persona, whatever is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.levels import ALL
from scoring.statistics.pairs import Codes, Part, factorized
from scoring.statistics.pigeonhole import Draws, Totals, drawn_totals, interval_of, pigeonhole_weights
from scoring.statistics.weights import Floats


@dataclass(frozen=True, eq=False)
class CountedAnswers:
    """The answers that some numbers are of, whose sums are taken once for all of them.

    `counts` are columns, a value a row; `read` says which rows count at all (the baseline's do wherever they were read,
    for any persona). `of` are the answers that these consist of, to different questions each: their sums are added up.
    """

    counts: Mapping[str, NDArray[Any]]
    read: NDArray[np.bool_]
    of: Sequence["CountedAnswers"] = ()


@dataclass(frozen=True)
class ManyItemScore:
    """One such number of some answers: `formula` takes the sums of their columns over the rows that count.

    `of` names the column whose rows are the denominator, all that are read where absent. `left_out` tells a reader what
    the number is not of.
    """

    name: str
    answers: CountedAnswers
    formula: Callable[[Totals], Floats]
    of: str | None = None
    category: str = ALL
    left_out: str = ""

    def value(self) -> float:
        """The number over all rows that were read; NaN where it is undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            counts, read = self.answers.counts, self.answers.read
            return float(self.formula({name: np.array([column[read].sum()]) for name, column in counts.items()})[0])


def mean_of(name: str, values: Floats, read: NDArray[np.bool_], **more: str) -> ManyItemScore:
    """The mean of a column over the rows that were read."""
    return ManyItemScore(
        name, CountedAnswers({"sum": values, "n": read}, read), lambda sums: sums["sum"] / sums["n"], **more
    )


class _Trials(NamedTuple):
    """The personas' answers of a part, each with the place of its question: the item in this order of options."""

    rows: Codes
    asked: Codes
    of_baseline: Codes
    cluster: Codes
    group: Codes
    weight: Floats


class _Sums(NamedTuple):
    """Both sides' column sums, as observed first and then in each draw, and what a row says of their size.

    `counted` has how many answers of either side each column counts, all of them under None; `clusters` and `groups`
    say which are among them.
    """

    without: Totals
    with_persona: Totals
    counted: Mapping[str | None, NDArray[np.int64]]
    unpaired: int
    clusters: NDArray[np.bool_]
    groups: NDArray[np.bool_]

    def plus(self, other: "_Sums") -> "_Sums":
        """Of both, which are answers to different questions."""
        return _Sums(
            {name: sums + other.without[name] for name, sums in self.without.items()},
            {name: sums + other.with_persona[name] for name, sums in self.with_persona.items()},
            {name: counts + other.counted[name] for name, counts in self.counted.items()},
            self.unpaired + other.unpaired,
            self.clusters | other.clusters,
            self.groups | other.groups,
        )


class PairedScores:
    """Everything that a part's many-item scores share: who answered what, and the draws of the bootstrap."""

    def __init__(self, part: Part, seed: int) -> None:
        clean = part.clean
        scores, alone = clean.scores, clean.alone.to_numpy()
        turns = int(scores["rotation"].max()) + 1 if len(scores) else 1
        asked = factorized(scores["item_id"]) * turns + scores["rotation"].to_numpy()
        rows = np.flatnonzero(~alone)
        weight = part.weights_of(scores["persona_id"].iloc[rows])
        cluster, group = factorized(scores["cluster"].iloc[rows]), factorized(scores["group"])[rows]
        self._trials = _Trials(rows, asked[rows], asked, cluster, group, weight)
        self._alone = np.flatnonzero(alone)
        self._size = int(asked.max(initial=-1)) + 1
        self._draws = pigeonhole_weights(int(cluster.max(initial=-1)) + 1, int(group.max(initial=-1)) + 1, seed)
        self._sums: WeakKeyDictionary[CountedAnswers, _Sums] = WeakKeyDictionary()

    def row(self, score: ManyItemScore) -> dict[str, float]:
        """A row a number: the answers it counts, both sides, the effect and its interval.

        `answers_without` and `answers_with` (those that count), `unpaired` (read answers of personas without one of the
        baseline beside them), clusters.
        """
        of = self._sums_of(score.answers)
        with np.errstate(divide="ignore", invalid="ignore"):
            without, with_persona = (score.formula(side) for side in (of.without, of.with_persona))
        answers = dict(zip(("answers_without", "answers_with"), of.counted[score.of].tolist(), strict=True))
        clusters, groups = int(of.clusters.sum()), int(of.groups.sum())
        size = {**answers, "unpaired": of.unpaired, "clusters": clusters, "groups": groups}
        return {**size, **interval_of(without, with_persona, min(clusters, groups))}

    def _sums_of(self, answers: CountedAnswers) -> _Sums:
        if answers not in self._sums:
            parts = map(self._sums_of, answers.of)
            self._sums[answers] = reduce(_Sums.plus, parts) if answers.of else self._summed(answers)
        return self._sums[answers]

    def _summed(self, answers: CountedAnswers) -> _Sums:
        of, base = self._trials, self._alone[answers.read[self._alone]]
        replicates = np.bincount(of.of_baseline[base], minlength=self._size)
        wanted = np.flatnonzero(answers.read[of.rows])
        kept = wanted[replicates[of.asked[wanted]] > 0]
        rows, asked = of.rows[kept], of.asked[kept]
        drawn = _Resampled(of.cluster[kept], of.group[kept], of.weight[kept], self._draws)
        there = base[np.isin(of.of_baseline[base], asked)]
        counted: dict[str | None, NDArray[np.int64]] = {None: np.array([len(there), len(rows)])}
        sides: tuple[list[Matrix], list[Matrix]] = [], []  # of the baseline and of the personas, a matrix a column
        with np.errstate(divide="ignore", invalid="ignore"):
            for name, column in answers.counts.items():
                sums = np.bincount(of.of_baseline[base], weights=column[base], minlength=self._size)
                own = column[rows]
                sides[0].append(drawn.sums((sums / replicates)[asked]))
                sides[1].append(drawn.sums(own))
                counted[name] = np.array([np.count_nonzero(each > 0) for each in (column[there], own)])
        totals = iter(drawn.totals([*sides[0], *sides[1]]))
        without, with_persona = ({name: next(totals) for name in answers.counts} for _ in sides)
        return _Sums(without, with_persona, counted, len(wanted) - len(kept), drawn.clusters, drawn.groups)


class _Resampled:
    """Some answers in every draw of the bootstrap."""

    def __init__(self, cluster: Codes, group: Codes, weight: Floats, draws: Draws) -> None:
        self.clusters, self.groups = (
            np.bincount(codes, minlength=side.shape[1]) > 0 for codes, side in zip((cluster, group), draws, strict=True)
        )
        self._draws = Draws(draws.people, draws.groups[:, self.groups])
        self._shape = draws.people.shape[1], self._draws.groups.shape[1]
        self._place = cluster * self._shape[1] + (np.cumsum(self.groups) - 1)[group]
        self._weight = weight

    def sums(self, values: NDArray[Any]) -> Matrix:
        """Cluster × group: the weighted sum of the answers' values."""
        size = self._shape[0] * self._shape[1]
        found = np.bincount(self._place, weights=self._weight * values, minlength=size)
        return found.astype(np.float64, copy=False).reshape(self._shape)

    def totals(self, sums: list[Matrix]) -> Matrix:
        """The total of each, a row each: as observed first, then in each draw."""
        return drawn_totals(np.stack(sums), self._draws)

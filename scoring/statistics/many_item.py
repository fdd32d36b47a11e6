"""Numbers that exist only over many items (a bias score, the share of a letter), with and without a persona.

Each is a formula over sums of columns, one value an answer. A persona's answer counts where it was read and the
baseline has a read answer to the same item in the same order of options; the baseline's side is the mean of those over
its replicates. Both sides are therefore of the same items for every persona, whatever is missing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
    for any persona).
    """

    counts: Mapping[str, NDArray[Any]]
    read: NDArray[np.bool_]


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

    `counted` has how many answers of either side each column counts, all of them under None.
    """

    without: Totals
    with_persona: Totals
    counted: Mapping[str | None, tuple[int, int]]
    unpaired: int
    clusters: int
    groups: int


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
        of = self._sums.get(score.answers)
        if of is None:
            of = self._sums[score.answers] = self._summed(score.answers)
        with np.errstate(divide="ignore", invalid="ignore"):
            without, with_persona = (score.formula(side) for side in (of.without, of.with_persona))
        answers = dict(zip(("answers_without", "answers_with"), of.counted[score.of], strict=True))
        size = {**answers, "unpaired": of.unpaired, "clusters": of.clusters, "groups": of.groups}
        return {**size, **interval_of(without, with_persona, min(of.clusters, of.groups))}

    def _summed(self, answers: CountedAnswers) -> _Sums:
        of, base = self._trials, self._alone[answers.read[self._alone]]
        replicates = np.bincount(of.of_baseline[base], minlength=self._size)
        wanted = np.flatnonzero(answers.read[of.rows])
        kept = wanted[replicates[of.asked[wanted]] > 0]
        rows, asked = of.rows[kept], of.asked[kept]
        drawn = _Resampled(of.cluster[kept], of.group[kept], of.weight[kept], self._draws)
        there = base[np.isin(of.of_baseline[base], asked)]
        counted: dict[str | None, tuple[int, int]] = {None: (len(there), len(rows))}
        sides: tuple[list[Matrix], list[Matrix]] = [], []
        with np.errstate(divide="ignore", invalid="ignore"):
            for name, column in answers.counts.items():
                sums = np.bincount(of.of_baseline[base], weights=column[base], minlength=self._size)
                own = column[rows]
                sides[0].append(drawn.sums((sums / replicates)[asked]))
                sides[1].append(drawn.sums(own))
                counted[name] = int(np.count_nonzero(column[there] > 0)), int(np.count_nonzero(own > 0))
        without, with_persona = (dict(zip(answers.counts, drawn.totals(side), strict=True)) for side in sides)
        return _Sums(without, with_persona, counted, len(wanted) - len(kept), drawn.clusters, drawn.groups)


class _Resampled:
    """Some answers in every draw of the bootstrap."""

    def __init__(self, cluster: Codes, group: Codes, weight: Floats, draws: Draws) -> None:
        here = np.bincount(group, minlength=draws.groups.shape[1]) > 0
        self._place = cluster * max(np.count_nonzero(here), 1) + (np.cumsum(here) - 1)[group]
        self._weight, self._draws = weight, Draws(draws.people, draws.groups[:, here])
        self.clusters, self.groups = int(np.count_nonzero(np.bincount(cluster))), int(np.count_nonzero(here))

    def sums(self, values: NDArray[Any]) -> Matrix:
        """Cluster × group: the weighted sum of the answers' values."""
        shape = self._draws.people.shape[1], self.groups
        found = np.bincount(self._place, weights=self._weight * values, minlength=shape[0] * shape[1])
        return found.astype(np.float64, copy=False).reshape(shape)

    def totals(self, sums: list[Matrix]) -> Iterator[Floats]:
        """The total of each: as observed first, then in each draw."""
        yield from drawn_totals(np.stack(sums), self._draws)

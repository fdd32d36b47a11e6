"""Numbers that exist only over many items (a bias score, the share of a letter), with and without a persona.

Each is a formula over sums of columns, one value an answer. A persona's answer counts where it was read and the
baseline has a read answer to the same item in the same order of options; the baseline's side is the mean of those over
its replicates. Both sides are therefore of the same items for every persona, whatever is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.levels import ALL
from scoring.statistics.pairs import Codes, Part, factorized
from scoring.statistics.pigeonhole import Draws, Totals, drawn_totals, interval_of, pigeonhole_weights
from scoring.statistics.weights import Floats


@dataclass(frozen=True)
class ManyItemScore:
    """One such number of some scores.

    `counts` are its columns, a value a row, and `formula` takes their sums over the rows that count; several numbers
    may share their columns.

    `read` says which rows count at all (the baseline's do wherever they were read, for any persona); `of` names the
    column whose rows are the denominator, all that are read where absent. `left_out` tells a reader what the number is
    not of.
    """

    name: str
    counts: Mapping[str, NDArray[Any]]
    formula: Callable[[Totals], Floats]
    read: NDArray[np.bool_]
    of: str | None = None
    category: str = ALL
    left_out: str = ""

    def value(self) -> float:
        """The number over all rows that were read; NaN where it is undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            sums = {name: np.array([column[self.read].sum()]) for name, column in self.counts.items()}
            return float(self.formula(sums)[0])


def mean_of(name: str, values: Floats, read: NDArray[np.bool_], **more: str) -> ManyItemScore:
    """The mean of a column over the rows that were read."""
    return ManyItemScore(name, {"sum": values, "n": read}, lambda sums: sums["sum"] / sums["n"], read, **more)


class _Trials(NamedTuple):
    """The personas' answers of a part, each with the place of its question: the item in this order of options."""

    rows: Codes
    asked: Codes
    of_baseline: Codes
    cluster: Codes
    group: Codes
    weight: Floats


class PairedScores:
    """Everything that a part's many-item scores share: who answered what, and the draws of the bootstrap."""

    def __init__(self, part: Part, seed: int) -> None:
        clean = part.clean
        scores, alone = clean.scores, clean.alone.to_numpy()
        turns = int(scores["rotation"].max()) + 1 if len(scores) else 1
        asked = factorized(scores["item_id"]) * turns + scores["rotation"].to_numpy()
        rows = np.flatnonzero(~alone)
        people = scores.iloc[rows]
        weight = part.weights_of(people["persona_id"])
        cluster, group = factorized(people["cluster"]), factorized(scores["group"])[rows]
        self._trials = _Trials(rows, asked[rows], asked, cluster, group, weight)
        self._alone = np.flatnonzero(alone)
        self._size = int(asked.max(initial=-1)) + 1
        self._draws = pigeonhole_weights(int(cluster.max(initial=-1)) + 1, int(group.max(initial=-1)) + 1, seed)

    def row(self, score: ManyItemScore) -> dict[str, float]:
        """A row a number: the answers it counts, both sides, the effect and its interval.

        `answers_without` and `answers_with` (those that count), `unpaired` (read answers of personas without one of the
        baseline beside them), clusters.
        """
        of, base = self._trials, self._alone[score.read[self._alone]]
        replicates = np.bincount(of.of_baseline[base], minlength=self._size)
        wanted = np.flatnonzero(score.read[of.rows])
        kept = wanted[replicates[of.asked[wanted]] > 0]
        rows, asked = of.rows[kept], of.asked[kept]
        drawn = self._drawn(kept)

        def baseline(name: str) -> Floats:
            sums = np.bincount(of.of_baseline[base], weights=score.counts[name][base], minlength=self._size)
            return drawn.total(sums[asked] / replicates[asked])

        sides = _ColumnSums(baseline), _ColumnSums(lambda name: drawn.total(score.counts[name][rows]))
        with np.errstate(divide="ignore", invalid="ignore"):
            without, with_persona = (score.formula(side) for side in sides)
        base = base[np.isin(of.of_baseline[base], asked)]
        size = {
            "answers_without": _counted(score, base),
            "answers_with": _counted(score, rows),
            "unpaired": len(wanted) - len(kept),
            "clusters": drawn.clusters,
            "groups": drawn.groups,
        }
        return {**size, **interval_of(without, with_persona, min(drawn.clusters, drawn.groups))}

    def _drawn(self, kept: Codes) -> "_Resampled":
        of = self._trials
        return _Resampled(of.cluster[kept], of.group[kept], of.weight[kept], self._draws)


class _ColumnSums(dict[str, Floats]):
    """A column's sums by its name, made when a formula asks for them."""

    def __init__(self, of: Callable[[str], Floats]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, name: str) -> Floats:
        found = self[name] = self._of(name)
        return found


class _Resampled:
    """Some answers in every draw of the bootstrap."""

    def __init__(self, cluster: Codes, group: Codes, weight: Floats, draws: Draws) -> None:
        here = np.bincount(group, minlength=draws.groups.shape[1]) > 0
        self._columns = np.flatnonzero(here)
        self._place = cluster * max(len(self._columns), 1) + (np.cumsum(here) - 1)[group]
        self._weight, self._draws = weight, draws
        self.clusters, self.groups = int(np.count_nonzero(np.bincount(cluster))), len(self._columns)

    def total(self, values: NDArray[Any]) -> Floats:
        """The weighted sum of the answers' values: as observed first, then in each draw."""
        shape = self._draws.people.shape[1], self.groups
        sums = np.bincount(self._place, weights=self._weight * values, minlength=shape[0] * shape[1])
        return drawn_totals(sums.astype(float).reshape(shape), self._draws, self._columns)


def _counted(score: ManyItemScore, rows: Codes) -> int:
    """How many of some answers are in the number's denominator."""
    return len(rows) if score.of is None else int(np.count_nonzero(score.counts[score.of][rows] > 0))

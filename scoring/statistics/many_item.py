"""Numbers that exist only over many items (a bias score, the share of a letter), with and without a persona.

Each is a formula over sums of columns, one value an answer. A persona's answer counts where it was read and the
baseline has a read answer to the same item in the same order of options; the baseline's side is the mean of those over
its replicates. Both sides are therefore of the same items for every persona, whatever is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.levels import ALL
from scoring.statistics.pairs import Codes, Part, factorized
from scoring.statistics.pigeonhole import Totals, drawn_totals, interval_of, pigeonhole_weights
from scoring.statistics.weights import Floats


@dataclass(frozen=True)
class ManyItemScore:
    """One such number of some scores: `counts` are its columns, a value a row, and `formula` takes their sums.

    `read` says which rows count at all (the baseline's do wherever they were read, for any persona); `of` names the
    column whose rows are the denominator, all that are read where absent. `left_out` tells a reader what the number is
    not of.
    """

    name: str
    counts: Mapping[str, Floats]
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
    counts = {"sum": np.where(read, values, 0.0), "n": read.astype(float)}
    return ManyItemScore(name, counts, lambda sums: sums["sum"] / sums["n"], read, **more)


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
        """`answers_without` and `answers_with` (those that count), `unpaired` (read answers of personas without one of
        the baseline beside them), clusters, both sides, the effect and its interval."""
        of, base = self._trials, self._alone[score.read[self._alone]]
        replicates = np.bincount(of.of_baseline[base], minlength=self._size)
        wanted = score.read[of.rows]
        kept = np.flatnonzero(wanted & (replicates[of.asked] > 0))
        with_persona, without = {}, {}
        for name, column in score.counts.items():
            sums = np.bincount(of.of_baseline[base], weights=column[base], minlength=self._size)
            own = column[of.rows[kept]]
            paired = sums[of.asked[kept]] / replicates[of.asked[kept]]
            with_persona[name], without[name] = (self._drawn(side, kept) for side in (own, paired))
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = score.formula(without), score.formula(with_persona)
        counted = score.read if score.of is None else score.read & (score.counts[score.of] > 0)
        base = base[np.isin(of.of_baseline[base], of.asked[kept])]
        clusters = len(np.unique(of.cluster[kept])), len(np.unique(of.group[kept]))
        size = {
            "answers_without": int(counted[base].sum()),
            "answers_with": int(counted[of.rows[kept]].sum()),
            "unpaired": int(wanted.sum() - len(kept)),
            "clusters": clusters[0],
            "groups": clusters[1],
        }
        return {**size, **interval_of(*sides, min(clusters))}

    def _drawn(self, values: Floats, kept: Codes) -> Floats:
        """The weighted sum of some answers' values: as observed first, then in each draw."""
        of = self._trials
        group, place = np.unique(of.group[kept], return_inverse=True)
        clusters = self._draws.people.shape[1]
        flat = of.cluster[kept] * max(len(group), 1) + place
        sums = np.bincount(flat, weights=of.weight[kept] * values, minlength=clusters * len(group)).astype(float)
        return drawn_totals(sums.reshape(clusters, len(group)), self._draws, group)

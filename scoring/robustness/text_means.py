"""What each persona cluster scored on each item group: the table that the tail and the reliability are taken from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import Matrix, Vector
from scoring.statistics.codes import clustered
from scoring.statistics.effect import Contributions


@dataclass(frozen=True)
class TextMeans:
    """Persona cluster × item group: Σ w·d and Σ w of a part, so that a mean over any of them is Σ total / Σ share."""

    total: Matrix
    share: Matrix

    @classmethod
    def of(cls, found: Contributions) -> "TextMeans":
        """From what each persona adds: people who read the same are one row, and groups without a pair are left out."""
        total, share = (clustered(each, found.cells.cluster) for each in (found.total, found.share))
        rows, columns = (share > 0).any(axis=1), (share > 0).any(axis=0)
        return cls(total[rows][:, columns], share[rows][:, columns])

    @property
    def clusters(self) -> int:
        """How many different texts were read."""
        return len(self.share)

    @property
    def groups(self) -> int:
        """How many item groups have a pair."""
        return int(self.share.shape[1])

    @property
    def weight(self) -> Vector:
        """What each persona cluster counts."""
        found: Vector = self.share.sum(axis=1)
        return found

    def on(self, groups: NDArray[np.bool_]) -> Vector:
        """Each persona cluster's mean over some item groups; NaN where it was asked none of them."""
        share, total = self.share[:, groups].sum(axis=1), self.total[:, groups].sum(axis=1)
        means: Vector = np.divide(total, share, out=np.full(len(share), np.nan), where=share > 0)
        return means

    def halves(self, random: np.random.Generator) -> NDArray[np.bool_]:
        """Which item groups are in the first of two halves: of two groups of about the same size, one at random."""
        order = np.argsort(-self.share.sum(axis=0) + 1e-9 * random.random(self.groups), kind="stable")
        first = np.zeros(self.groups, dtype=bool)
        start = random.integers(2, size=-(-self.groups // 2))
        for pair, side in enumerate(start):
            chosen = order[2 * pair : 2 * pair + 2]
            first[chosen[min(int(side), len(chosen) - 1)]] = True
        return first

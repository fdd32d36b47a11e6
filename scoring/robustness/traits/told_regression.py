"""What telling a trait does: regression on what was told, within people and item groups.

A cell is a person and an item group, which stands beside one of the person's texts. Effects of people and of item
groups are taken out, and with them those of country and survey, so that a person is compared with nobody but
themselves. Which text tells a trait is drawn, so the slopes are effects of telling.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import (
    NO_INTERVAL,
    UNKNOWN,
    Interval,
    Matrix,
    Variance,
    Vector,
    cell_variance,
    one_way,
    satterthwaite,
    t_interval,
)
from scoring.statistics.pairs import Codes

LEAST = 10  # item groups below which the interval covers too seldom
TOLERANCE, SWEEPS = 1e-11, 500


class ToldSlope(NamedTuple):
    """The effect of telling, with its interval for people like these on items like these.

    `people` were told in some texts and not in others; `note` says why there is no interval ("" where there is one).
    """

    effect: float
    interval: Interval
    people: int
    note: str


@dataclass(frozen=True)
class ToldCells:
    """A row a cell: the codes of its person, item group and text, its mean d and its weight.

    `told` has a column a trait, 1 where it was told, or a product of traits.
    """

    person: Codes
    group: Codes
    text: Codes
    d: Vector
    weight: Vector
    told: Matrix

    def within(self, values: Matrix) -> Matrix:
        """The columns less the effects of people and item groups: means taken out in turn until nothing moves."""
        found = np.array(values, dtype=float)
        scale = max(1.0, float(np.abs(found).max(initial=0)))
        sides = [(code, np.bincount(code, weights=self.weight)) for code in (self.person, self.group)]
        for _ in range(SWEEPS):
            moved = 0.0
            for code, whole in sides:
                for column in found.T:
                    sums = np.bincount(code, weights=self.weight * column, minlength=len(whole))
                    mean = np.divide(sums, whole, out=np.zeros(len(whole)), where=whole > 0)
                    column -= mean[code]
                    moved = max(moved, float(np.abs(mean).max(initial=0)))
            if moved < TOLERANCE * scale:
                break
        return found


def slopes(cells: ToldCells) -> list[ToldSlope]:
    """A slope for each column of `told`, by weighted least squares of d on all of them."""
    x, d = cells.within(cells.told), cells.within(cells.d[:, None])[:, 0]
    known = _identified(x, cells.weight)
    found = [ToldSlope(np.nan, NO_INTERVAL, 0, "told to everybody alike, or together with another")] * x.shape[1]
    if not known.any():
        return found
    moments = (x[:, known].T * cells.weight) @ x[:, known]
    inverse = np.linalg.inv(moments)
    effect = inverse @ (x[:, known].T @ (cells.weight * d))
    rest = d - x[:, known] @ effect
    for place, column in enumerate(np.flatnonzero(known)):
        own = x[:, known] @ inverse[:, place] / inverse[place, place]  # what the other columns do not tell of this one
        found[column] = _slope(cells, float(effect[place]), own, rest)
    return found


def _identified(x: Matrix, weight: Vector) -> NDArray[np.bool_]:
    """Columns that vary within people, and are no sum of those before them."""
    kept: list[int] = []
    whole = weight @ x**2
    for column in range(x.shape[1]):
        if whole[column] <= 1e-9 * weight.sum():
            continue
        root = np.sqrt(weight)[:, None]
        before = x[:, kept] * root
        own = x[:, column] * root[:, 0]
        left = own - before @ np.linalg.lstsq(before, own, rcond=None)[0] if kept else own
        if left @ left > 1e-6 * whole[column]:
            kept.append(column)
    found = np.zeros(x.shape[1], dtype=bool)
    found[kept] = True
    return found


def _slope(cells: ToldCells, effect: float, own: Vector, rest: Vector) -> ToldSlope:
    share = cells.weight * own**2
    total = effect * share + cells.weight * own * rest
    people = int((np.bincount(cells.person, weights=share) > 1e-12).sum())
    variance, note = _variance(cells, total, share)
    return ToldSlope(effect, t_interval(effect, variance), people, note)


def _sums(code: Codes, values: Vector, size: int = 0) -> Vector:
    return np.bincount(code, weights=values, minlength=size).astype(np.float64, copy=False)


def _variance(cells: ToldCells, total: Vector, share: Vector) -> tuple[Variance, str]:
    """The variance of a slope where people, texts and item groups are random; and why there is none.

    V_people + V_texts − V_people∩texts on one side, V_groups on the other, less what both hold (Cameron, Gelbach &
    Miller 2011), each bias-reduced; never under any side's own.
    """
    shape = (int(cells.person.max()) + 1, int(cells.group.max()) + 1)
    flat = cells.person * shape[1] + cells.group
    totals, shares = (_sums(flat, each, shape[0] * shape[1]).reshape(shape) for each in (total, share))
    own = np.unique(cells.person * (int(cells.text.max()) + 1) + cells.text, return_inverse=True)[1]
    sides = (cells.person, cells.group, cells.text, own)
    people, groups, texts, profiles = (one_way(_sums(side, total), _sums(side, share)) for side in sides)
    count = int((shares.sum(axis=0) > 0).sum())
    if count < LEAST:
        return UNKNOWN, f"under {LEAST} item groups"
    readers = max(people.value, texts.value, people.value + texts.value - profiles.value)
    scores = (totals - totals.sum() / shares.sum() * shares) / shares.sum()
    groups = groups._replace(value=groups.value * count / (count - 1))  # what people's own effects take of it
    value = readers + groups.value - cell_variance(scores, shares)
    value = max(value, readers, groups.value)
    return Variance(value, satterthwaite(value, people, texts, groups)), ""

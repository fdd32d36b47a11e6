"""Variance components of crossed and nested random effects, where cells may be missing, with jackknife intervals.

Symmetric sums (Koch 1968): for every set U of facets, half the squared differences of all pairs of rows that share U
are added up. Their expectation is a sum over the effects T that a pair does not share,

    E Q_U = Σ_T σ²_T (P_U − P_{U ∪ T}),    P_U = pairs that share U,

so as many equations as effects are solved at once: unbiased whatever is missing, the same as expected mean squares on
complete data, and no normal distribution is taken for granted.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import special

from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.codes import Codes, compacted
from scoring.statistics.designs.facet_design import BY, REST
from scoring.statistics.weights import Floats

LEAST_LEVELS = 5  # of a facet, below which its variance has no interval
LEAST_TOGETHER = 20  # of each facet in an interaction
DRAWN_AT = 0.97  # for 95 %: intervals drawn at 95 % hold too seldom where effects are skewed
FLOOR = 0.05  # of what is estimated: where the logarithm is cut off
_SINGULAR = 1e10


class Component(NamedTuple):
    """The variance of an effect, its levels, and its 95 % interval (NaN where there is none).

    `raw` is the estimate before what is below 0 is set to 0; `of_mean` is what the effect adds to the variance of the
    mean of all rows.
    """

    source: str
    levels: int
    raw: float
    low: float
    high: float
    of_mean: float

    @property
    def variance(self) -> float:
        """The estimate, at least 0."""
        return max(0.0, self.raw)


Key = tuple[int, ...]  # how deep each side goes: 0 is none of it


@dataclass(frozen=True)
class _CellSums:
    """Of each cell of a set of facets: rows, Σ d and Σ d²."""

    code: Codes
    count: Floats
    total: Floats
    square: Floats

    @property
    def moment(self) -> float:
        """Q: half the squared differences of the pairs that share a cell."""
        return float((self.count * self.square - self.total**2).sum())

    @property
    def pairs(self) -> float:
        """P: ordered pairs that share a cell, each row with itself too."""
        return float((self.count**2).sum())


class Crossed:
    """Values `d` and, a side each, what they are of: sides are crossed, facets within a side nested.

    `sides` maps facet → codes of each row, outermost first. `noise` is a known variance that all rows of one cell of
    `noisy` share, to be taken off that effect.
    """

    def __init__(
        self, d: Floats, sides: Sequence[Mapping[str, Codes]], noise: Floats | None = None, noisy: str = ""
    ) -> None:
        self.d, self.noise, self.noisy = d - d.mean(), noise, noisy
        self.sides = [found for side in sides if (found := _varied(side))]
        self.names = [list(side) for side in self.sides]
        self.sums = {key: self._sums(key) for key in product(*(range(len(side) + 1) for side in self.sides))}
        self.same = {key: self._largest(key) for key in self.sums}
        self.keys = sorted(set(self.same.values()), key=_place)

    def _sums(self, key: Key) -> _CellSums:
        code = np.zeros(len(self.d), dtype=np.int64)
        for side, depth in zip(self.sides, key, strict=True):
            if depth:
                own = list(side.values())[depth - 1]
                code = compacted(code * (int(own.max(initial=0)) + 1) + own)[1]
        count, total, square = (_added(code, each) for each in (np.ones(len(code)), self.d, self.d**2))
        return _CellSums(code, count, total, square)

    def _largest(self, key: Key) -> Key:
        """The largest set of facets that tells no more cells apart: what is confounded is one."""
        size = len(self.sums[key].count)
        alike = [k for k, s in self.sums.items() if _holds(k, key) and len(s.count) == size]
        return max(alike, key=sum)

    def _union(self, one: Key, other: Key) -> Key:
        return self.same[tuple(map(max, one, other))]

    @cached_property
    def unique(self) -> bool:
        """Whether every row is a cell of its own, so that the largest effect is what is left."""
        return len(self.sums[self.keys[-1]].count) == len(self.d)

    @cached_property
    def effects(self) -> list[Key | None]:
        """The effects apart: sets of facets, then None for what is left."""
        crossed = [key for key in self.keys if any(key)]
        return [*crossed[: -1 if self.unique else None], None]

    def source(self, key: Key | None) -> str:
        """An effect in words."""
        if key is None:
            return REST
        return BY.join(names[depth - 1] for names, depth in zip(self.names, key, strict=True) if depth)

    def components(self) -> list[Component]:
        """Every effect's variance, in the order of `effects`."""
        moments, pairs = ({key: getattr(s, name) for key, s in self.sums.items()} for name in ("moment", "pairs"))
        moments, pairs = ({key: np.array([value]) for key, value in each.items()} for each in (moments, pairs))
        size = float(len(self.d))
        found = self._solved(moments, pairs, np.array([size]))
        if found is None:
            return []
        shared = np.array([size if key is None else pairs[key][0] for key in self.effects])
        raw = found[0] - self._noise(np.array([0.0]), np.array([0.0]))[0]
        added = np.maximum(raw, 0) * shared / size**2
        bounds = self._bounds(raw, shared)
        return [
            Component(self.source(key), self._levels(key), float(value), *bound, float(mean))
            for key, value, bound, mean in zip(self.effects, raw, bounds, added, strict=True)
        ]

    def _levels(self, key: Key | None) -> int:
        return len(self.d) if key is None else len(self.sums[key].count)

    def _solved(self, moments: Mapping[Key, Floats], pairs: Mapping[Key, Floats], rows: Floats) -> Matrix | None:
        """σ² of each effect (columns) from moments, pairs and numbers of rows; None where they say too little.

        Of several sets of rows at once, a line each.
        """
        keys = [key for key in self.keys if not (self.unique and key == self.keys[-1])]
        left = np.zeros((len(rows), len(keys), len(self.effects)))
        for line, key in enumerate(keys):
            for column, effect in enumerate(self.effects):
                both = rows if effect is None else pairs[self._union(key, effect)]
                left[:, line, column] = (pairs[key] - both) / pairs[key]
        right = np.array([moments[key] / pairs[key] for key in keys]).T
        scale = np.abs(left).max(axis=1, keepdims=True)
        if (scale == 0).any() or np.linalg.cond(left[0] / scale[0]) > _SINGULAR:
            return None
        try:
            found: Matrix = np.linalg.solve(left / scale, right[..., None])[..., 0] / scale[:, 0]
        except np.linalg.LinAlgError:
            return None
        return found

    # What each facet's levels, left out one at a time, leave.

    @cached_property
    def outermost(self) -> list[Key]:
        """The facets that are left out: the outermost of each side with enough levels."""
        found = []
        for place in range(len(self.sides)):
            key = tuple(int(place == each) for each in range(len(self.sides)))
            if len(self.sums[key].count) >= LEAST_LEVELS:
                found.append(key)
        return found

    def _noise(self, rows: Floats, sums: Floats) -> Matrix:
        """What is taken off each effect, where these many rows with this noise in all are left out."""
        off = np.zeros((len(rows), len(self.effects)))
        if self.noise is not None:
            names = [self.source(key) for key in self.effects]
            if self.noisy in names:
                off[:, names.index(self.noisy)] = (self.noise.sum() - sums) / (len(self.d) - rows)
        return off

    def _without(self, facet: Key) -> Matrix | None:
        """Components without each level of a facet, a row each."""
        level = self.sums[facet].code
        size = len(self.sums[facet].count)
        moments: dict[Key, Floats] = {}
        pairs: dict[Key, Floats] = {}
        rows = self.sums[facet].count
        for key in self.keys:
            own, both = self.sums[key], self.sums[tuple(map(max, key, facet))]
            first = np.zeros(len(both.count), dtype=np.int64)
            first[both.code] = np.arange(len(self.d))
            of, at = own.code[first], level[first]
            across = own.count[of] * both.square - 2 * both.total * own.total[of] + own.square[of] * both.count
            within = both.count * both.square - both.total**2
            moments[key] = own.moment - _added(at, across - within, size)
            pairs[key] = own.pairs - _added(at, 2 * own.count[of] * both.count - both.count**2, size)
        found = self._solved(moments, pairs, len(self.d) - rows)
        noise = self.noise if self.noise is not None else np.zeros(len(self.d))
        return None if found is None else found - self._noise(rows, _added(level, noise, size))

    def _bounds(self, raw: Floats, shared: Floats) -> list[tuple[float, float]]:
        facets = self.outermost
        left_out = [self._without(facet) for facet in facets]
        if not facets or any(each is None for each in left_out):
            return [(math.nan, math.nan)] * len(raw)
        added = self._beside(raw, shared)
        return [
            self._bound(key, raw[place], added[place], [each[:, place] for each in left_out if each is not None])
            for place, key in enumerate(self.effects)
        ]

    def _beside(self, raw: Floats, shared: Floats) -> Floats:
        """What the means of an effect's levels vary by beside it: the effects within it, over their levels."""
        positive = np.maximum(raw, 0)
        found = np.zeros(len(raw))
        for place, key in enumerate(self.effects):
            for other, inner in enumerate(self.effects):
                if key is not None and other != place and (inner is None or _holds(inner, key)):
                    found[place] += positive[other] * shared[other] / shared[place]
        off: Floats = self._noise(np.zeros(1), np.zeros(1))[0]  # what was taken off the estimate varies it still
        return found + off

    def _bound(self, key: Key | None, value: float, beside: float, left_out: list[Floats]) -> tuple[float, float]:
        """Limits for log(σ² + what lies beside it), by the jackknife of each facet; NaN where a facet is too small.

        The facets' variances are added up, which counts what they share twice. Their degrees of freedom are a half of
        the levels less one, for interactions a third: squares of skewed effects vary more than normal ones.
        """
        sizes = [len(self.sums[facet].count) for facet in self.outermost]
        if self._fewest(key) < (LEAST_LEVELS if self._alone(key) else LEAST_TOGETHER) or value + beside <= 0:
            return math.nan, math.nan
        floor = FLOOR * (max(value, 0.0) + beside)
        logs = [np.log(np.maximum(each + beside, floor)) for each in left_out]
        parts = [(len(z) - 1) / len(z) * float(((z - z.mean()) ** 2).sum()) for z in logs]
        if (whole := sum(parts)) <= 0:
            return math.nan, math.nan
        less = 2 if self._alone(key) else 3
        doubt = sum(part**2 / ((size - 1) / less) for part, size in zip(parts, sizes, strict=True))
        half = float(special.stdtrit(max(1.0, whole**2 / doubt), (1 + DRAWN_AT) / 2)) * math.sqrt(whole)
        middle = math.log(max(value + beside, floor))
        low, high = (math.exp(middle + each) - beside for each in (-half, half))
        return max(0.0, low), max(0.0, high)

    def _alone(self, key: Key | None) -> bool:
        return key is not None and sum(map(bool, key)) == 1

    def _fewest(self, key: Key | None) -> int:
        """The levels of the facet in an effect that has fewest.

        What is left has every facet, unless answers were repeated.
        """
        one = [
            tuple(int(depth) if place == each else 0 for each in range(len(self.sides)))
            for place, depth in enumerate(self.keys[-1] if key is None else key)
            if depth
        ]
        sizes = [len(self.sums[each].count) for each in one]
        return max(sizes) if key is None and not self.unique else min(sizes, default=0)


def _added(code: Codes, values: Floats, size: int = 0) -> Floats:
    return np.bincount(code, values, size).astype(np.float64, copy=False)


def _varied(side: Mapping[str, Codes]) -> dict[str, Codes]:
    """The facets of a side that tell something apart that the one before does not."""
    found: dict[str, Codes] = {}
    levels = 1
    for name, code in side.items():
        size = len(np.unique(code))
        if size > levels:
            found[name], levels = code, size
    return found


def _place(key: Key) -> tuple[int, Key, Key]:
    """Main effects come first, then what two sides have together; the largest set is the last."""
    return sum(map(bool, key)), tuple(place for place, depth in enumerate(key) if depth), key


def _holds(large: Key, small: Key) -> bool:
    return all(one >= other for one, other in zip(large, small, strict=True))

"""A balanced part of all combinations: every level of every axis about equally often, and so every pair of levels."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import TypeVar

Row = TypeVar("Row", bound=tuple[object, ...])


def balanced_fraction(rows: Sequence[Row], fraction: float) -> tuple[Row, ...]:
    """The first combination and enough others to make up this share of all (rounded up), in their own order.

    There are never fewer than the longest axis has levels, so that no level is left out.

    Each is the one whose levels, and then whose pairs of levels, have been taken most seldom so far.
    """
    axes = range(len(rows[0])) if rows else range(0)
    least = max((len({row[axis] for row in rows}) for axis in axes), default=0)
    count = max(math.ceil(fraction * len(rows) - 1e-9), least)
    levels: Counter[object] = Counter()
    pairs: Counter[object] = Counter()
    chosen: list[int] = []
    while len(chosen) < min(count, len(rows)):
        left = [place for place in range(len(rows)) if place not in chosen]
        best = min(left, key=lambda place: (_taken(rows[place], levels, 1), _taken(rows[place], pairs, 2), place))
        chosen.append(best)
        levels.update(_parts(rows[best], 1))
        pairs.update(_parts(rows[best], 2))
    return tuple(rows[place] for place in sorted(chosen))


def _parts(row: tuple[object, ...], size: int) -> list[object]:
    """What of the row is counted: each level, or pair of levels, with its axes."""
    return list(combinations(enumerate(row), size))


def _taken(row: tuple[object, ...], counts: Counter[object], size: int) -> int:
    return sum(counts[part] ** 2 for part in _parts(row, size))

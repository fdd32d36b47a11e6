"""An order of drawing in which every beginning is a sample.

At each prefix, the number drawn of every level is within one of its share of what was drawn of the level above.

The shares may change along the way (a level runs out, a minimum is filled first), so a level's target is a curve T(k),
its fair number among the first k; the targets of siblings add up to k. That seats can always be given so that each
count stays within one of its target is Tijdeman's theorem on the chairman assignment (Tijdeman 1980, Discrete
Mathematics 32). Here a level's j-th seat may be given from the first k with T(k) > j − 1 to the first with T(k) ≥ j;
among the levels whose seat may be given, and with which the later deadlines can be kept, one is drawn with odds that
give a seat every place of its window alike. Drawn, not the most urgent one: else small levels would come late in every
branch alike, and a short prefix would hold none of them.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Rows = np.ndarray
HORIZON = 4096  # seats ahead within which a deadline is looked at; one further off is nobody's concern yet
_TINY = 1e-9


@dataclass(frozen=True)
class Branches:
    """Sibling levels: the share of each (any unit), how many members it has, and how many seats it gets first."""

    shares: np.ndarray
    members: np.ndarray
    floors: np.ndarray

    def targets(self, upto: int) -> np.ndarray:
        """T(k) of each level for k = 1 … upto, shape (upto, levels)."""
        first = int(self.floors.sum())
        heights, sums = self._curve()
        k = np.arange(1, upto + 1, dtype=float)
        later = self._clipped(np.interp(np.maximum(k, first), sums, heights))
        found: np.ndarray = np.where((k <= first)[:, None], k[:, None] * self.floors / max(first, 1), later)
        return found

    def windows(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """From which k, and until which, each seat of a level may be given; from 1."""
        seats = np.arange(1, int(self.members[level]) + 1, dtype=float)
        reach, leave = self._when(level, seats), self._when(level, seats - 1, leaving=True)
        return np.floor(leave + _TINY).astype(np.int64) + 1, np.ceil(reach - _TINY).astype(np.int64)

    def _when(self, level: int, seats: np.ndarray, leaving: bool = False) -> np.ndarray:
        """The k, not rounded, at which T reaches (or, if `leaving`, begins to exceed) a number of seats."""
        first, floor = int(self.floors.sum()), self.floors[level]
        heights, sums = self._curve()
        late = np.interp(seats / self.shares[level], heights, sums)
        early = seats * first / max(floor, 1)
        found: np.ndarray = np.where(seats < floor if leaving else seats <= floor, early, late)
        return found

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        """The breakpoints of the common height t, and the sum of clip(share · t, floor, members) at each."""
        heights = np.unique(np.concatenate([[0.0], self.floors / self.shares, self.members / self.shares]))
        sums = np.zeros(len(heights))
        for share, members, floor in zip(self.shares, self.members, self.floors, strict=True):
            sums += np.clip(share * heights, floor, members)
        return heights, sums

    def _clipped(self, heights: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.clip(heights[:, None] * self.shares, self.floors, self.members)
        return found


def seats(branches: Branches, n: int, seed: str) -> np.ndarray:
    """Which level gets each of the first n seats, shape (n,); the first seats of a larger n are those of a smaller."""
    count = len(branches.members)
    if count == 1:
        return np.zeros(n, dtype=np.int64)
    windows = [branches.windows(level) for level in range(count)]
    total = int(branches.members.sum())
    due = np.bincount(np.concatenate([until for _, until in windows]), minlength=total + 2)[: total + 2]
    slack = np.arange(total + 2) - np.cumsum(due)  # at b: the seats until b that no deadline until b needs
    targets, given = np.vstack([np.zeros(count), branches.targets(n)]), np.zeros(count, dtype=np.int64)
    draw, order = _drawing(seed), np.empty(n, dtype=np.int64)
    since, until = (np.array([window[side][0] for window in windows]) for side in (0, 1))
    for k in range(1, n + 1):
        ahead = slack[k : k + HORIZON]
        tight = np.flatnonzero(ahead == 0)
        limit = k + int(tight[0]) if len(tight) else k + HORIZON
        may = since <= k
        may &= until <= max(limit, int(until[may].min()))
        before = np.maximum(targets[k - 1], given)  # of the window of the next seat, this much is over
        odds = np.where(may, np.maximum(targets[k] - before, _TINY) / np.maximum(given + 1 - before, _TINY), 0.0)
        chosen = _one_of(odds, draw.random())
        order[k - 1] = chosen
        slack[k + 1 : until[chosen]] -= 1
        given[chosen] += 1
        if given[chosen] < branches.members[chosen]:
            since[chosen], until[chosen] = (side[given[chosen]] for side in windows[chosen])
        else:
            since[chosen] = until[chosen] = total + 1
    return order


def _one_of(odds: np.ndarray, uniform: float) -> int:
    """A place, with these odds."""
    sums = np.cumsum(odds)
    return int(np.searchsorted(sums, uniform * sums[-1], side="right"))


def _drawing(seed: str) -> random.Random:
    """Uniform numbers that are the same on every machine."""
    return random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big"))


@dataclass(frozen=True)
class QuotaTree:
    """Respondents as a tree of levels.

    Per respondent, `codes` has the level at each depth, shape (people, depth); `mass` what it counts in its level's
    share; `place` its rank among those of its cell. `minimum` is what every cell gets first; `equal` shares out the
    first depth equally.
    """

    codes: np.ndarray
    mass: np.ndarray
    place: np.ndarray
    names: Sequence[Sequence[str]]
    seed: str
    minimum: int = 0
    equal: bool = False

    def order(self, n: int) -> Rows:
        """The first n rows in the order of drawing."""
        return self._draw(np.argsort(self.place, kind="stable"), n, 0, self.seed)

    def _draw(self, rows: Rows, n: int, depth: int, seed: str) -> Rows:
        """The first n of these rows, which are in the order of their places."""
        if depth == self.codes.shape[1] or not n:
            return rows[:n]
        codes = self.codes[rows, depth]
        levels = np.unique(codes)
        parts = [rows[codes == level] for level in levels]
        chosen = seats(self._branches(parts, depth), n, seed)
        drawn = np.empty(n, dtype=np.int64)
        for number, (level, part) in enumerate(zip(levels, parts, strict=True)):
            where = np.flatnonzero(chosen == number)
            drawn[where] = self._draw(part, len(where), depth + 1, f"{seed}\x1f{self.names[depth][level]}")
        return drawn

    def _branches(self, parts: Sequence[Rows], depth: int) -> Branches:
        members = np.array([len(part) for part in parts])
        shares = np.array([1.0 if self.equal and depth == 0 else self.mass[part].sum() for part in parts])
        floors = np.array([self._floor(part, depth + 1) for part in parts])
        return Branches(np.maximum(shares, shares.max() * 1e-12), members, floors)

    def _floor(self, rows: Rows, depth: int) -> int:
        """What the cells below a level get first."""
        if not self.minimum:
            return 0
        _, sizes = np.unique(self.codes[rows, depth:], axis=0, return_counts=True)
        return int(np.minimum(sizes, self.minimum).sum())

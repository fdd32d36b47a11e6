"""Incomplete balanced crossing: each person is asked some of the item groups, every group by equally many people.

The groups stand on a circle in the order of sha256(seed, group). A person starts somewhere on it and goes round in
steps of the golden section, so that the first N groups, for any N, lie evenly on it, and asking more groups keeps those
of fewer. People who follow each other, sorted by the levels of the strata, start at groups that follow each other. So
over everybody, and within each level of the nested strata, two groups are asked of numbers of people that differ by 2
at most, seldom by 3 or 4 (simulated); by none where the people are a multiple of the groups.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd

from personas.people.pseudonyms import TWIN
from personas.stable_order import rank

GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Deal:
    """Which item groups of one benchmark each respondent is asked: the first `per_person` on their way round.

    `places` are the groups' places on the circle, `starts` where each respondent starts. A counterfactual twin is asked
    what its respondent is.
    """

    per_person: int
    places: Mapping[str, int]
    starts: Mapping[str, int]

    @cached_property
    def ranks(self) -> np.ndarray:
        """When a group is asked, by its distance from where a person starts; from 0."""
        return ranks(len(self.places))

    @cached_property
    def circle(self) -> list[str]:
        """The groups in their order on the circle."""
        return sorted(self.places, key=lambda group: self.places[group])

    def start(self, person: str) -> int:
        """Where a person starts."""
        return self.starts[person.split(TWIN)[0]]

    def holds(self, person: str, group: str) -> bool:
        """Whether a group is asked of a person."""
        return (self.places[group] - self.start(person)) % len(self.places) in self._reached

    def groups_of(self, person: str) -> list[str]:
        """The groups that a person is asked, in the order in which more would join them."""
        start, circle = self.start(person), self.circle
        return [circle[(start + step) % len(circle)] for step in self._steps]

    @cached_property
    def _steps(self) -> list[int]:
        """How far from where a person starts the groups stand that they are asked, in the order of asking."""
        return [int(step) for step in np.argsort(self.ranks)[: self.per_person]]

    @cached_property
    def _reached(self) -> frozenset[int]:
        return frozenset(self._steps)

    def positions(self, people: pd.Series, groups: pd.Series) -> np.ndarray:
        """When each row's group is asked of its person, from 0; −1 where the person or the group is not dealt."""
        start, place = numbered(people, self.starts), numbered(groups, self.places)
        rank = self.ranks[(place - start) % len(self.places)]
        return np.where((start >= 0) & (place >= 0), rank, -1)


def deal(
    groups: Sequence[str], people: Sequence[str], strata: Sequence[Sequence[str]], per_person: int, seed: int
) -> Deal:
    """Deal groups to people. `strata` has the level of each person in each attribute, nested from the first on."""
    circle = sorted(set(groups), key=partial(rank, seed))
    order = sorted(range(len(people)), key=lambda number: [column[number] for column in strata])
    starts = {people[number]: place % len(circle) for place, number in enumerate(order)}
    return Deal(per_person, {group: place for place, group in enumerate(circle)}, starts)


def ranks(count: int) -> np.ndarray:
    """When the group at each distance is asked, shape (count,).

    Step by step the golden section of the circle further, to the next group that was not asked yet.
    """
    found, free = np.empty(count, dtype=np.int64), list(range(count))
    for number in range(count):
        step = bisect_left(free, int(number * GOLDEN % 1 * count)) % len(free)
        found[free.pop(step)] = number
    return found


def numbered(column: pd.Series, numbers: Mapping[str, int]) -> np.ndarray:
    """The number of each row's name; −1 where it has none."""
    named = column.astype("category").cat
    of_category = np.array([numbers.get(str(name), -1) for name in named.categories], dtype=np.int64)
    return of_category[named.codes.to_numpy()] if len(of_category) else np.full(len(column), -1, dtype=np.int64)

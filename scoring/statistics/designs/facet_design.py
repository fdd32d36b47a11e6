"""The cheapest design whose Δ is known to a wanted half-width, over every facet that was measured (a D-study).

Δ's variance for people, items and wordings like these is Σ_T σ²_T / n_T over the sources of variance T (Brennan 2001,
chapter 4), n_T the levels of T that the design asks; its degrees of freedom are Satterthwaite's over the sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import special

from scoring.statistics.weights import Floats

PERSONA, GROUP, ITEM, ROTATION, WORDINGS, TRAITS = (
    "persona",
    "item group",
    "item",
    "rotation",
    "wording",
    "traits shown",
)
REST, BY = "rest", " × "
LEAST = 10  # people and item groups, below which intervals are not to be trusted
MOST_PEOPLE, MOST_WORDINGS, MOST_ROTATIONS, MOST_REPLICATES = 5000, 16, 4, 5
_STEPS = 30
_SHARES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.125, 0.0)  # of the groups that each person is asked; at least ten


class FacetVariances(NamedTuple):
    """σ² by source.

    `repeated` says that what is left is the draw of an answer alone, measured by asking again; `drawn` that the
    baseline is drawn too.
    """

    by_source: Mapping[str, float]
    repeated: bool = False
    drawn: bool = False

    def held(self, facet: str) -> "FacetVariances":
        """The variances where everything is asked at one level of a facet, of which alone the result speaks."""
        found: dict[str, float] = {}
        for source, variance in self.by_source.items():
            if rest := BY.join(name for name in source.split(BY) if name != facet):
                found[rest] = found.get(rest, 0.0) + variance
        return self._replace(by_source=found)

    def has(self, facet: str) -> bool:
        """Whether a facet was varied, so that more or fewer of its levels can be planned."""
        return any(facet in source.split(BY) for source in self.by_source)


# Where a file has no run to learn from: `power.DEFAULTS`, of whose residual what rotations average out is the rest.
FACET_DEFAULTS = FacetVariances({PERSONA: 0.004, GROUP: 0.012, BY.join((PERSONA, GROUP)): 0.04, REST: 0.08}, drawn=True)


@dataclass(frozen=True, slots=True)
class FacetDesign:
    """How many levels of each facet are asked; `per_person` are the item groups of each person."""

    people: int
    groups: int
    per_person: int
    wordings: int
    rotations: int
    replicates: int
    half_width: float
    requests: int
    usd: float


@dataclass(frozen=True, slots=True)
class FacetLimits:
    """What there is to choose from.

    Item groups, items a group; wordings and rotations where they were not varied; price of one request in USD; how
    often a drawn baseline is asked.
    """

    groups: int
    items_a_group: float = 1.0
    wordings: int = 1
    rotations: int = 1
    usd: float = 0.0
    baseline: int = 1


class _Grid(NamedTuple):
    """Designs side by side: an array of each facet's numbers."""

    people: Floats
    groups: Floats
    per_person: Floats
    wordings: Floats
    rotations: Floats
    replicates: Floats


def cheapest_facets(of: FacetVariances, half_width: float, limits: FacetLimits) -> FacetDesign | None:
    """The design with the fewest requests whose 95 % interval of Δ is no wider than ± `half_width`; None without one.

    Facets that were not varied stay as they are.
    """
    steps = np.unique(np.geomspace(min(LEAST, limits.groups), limits.groups, _STEPS).astype(int))
    wordings = range(2, MOST_WORDINGS + 1) if of.has(WORDINGS) else [limits.wordings]
    rotations = range(1, MOST_ROTATIONS + 1) if of.has(ROTATION) else [limits.rotations]
    replicates = range(1, MOST_REPLICATES + 1) if of.repeated else [1]
    grid = np.array(list(product(steps, _SHARES, wordings, rotations, replicates)), dtype=float)
    groups, share, *rest = grid.T
    per_person = np.maximum(np.ceil(share * groups), np.minimum(LEAST, groups))
    low, high = np.ones(len(grid)), np.full(len(grid), float(MOST_PEOPLE))
    there = _half_widths(of, _Grid(high, groups, per_person, *rest), limits) <= half_width
    for _ in range(MOST_PEOPLE.bit_length()):
        middle = np.floor((low + high) / 2)
        enough = _half_widths(of, _Grid(middle, groups, per_person, *rest), limits) <= half_width
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    asked = _Grid(np.maximum(high, LEAST), groups, per_person, *rest)
    requests = np.where(there, _requests(asked, limits), np.inf)
    if not there.any():
        return None
    best = int(requests.argmin())
    people, groups_asked, each, wordings_asked, turns, times = (int(numbers[best]) for numbers in asked)
    found = _half_widths(of, _Grid(*(numbers[best : best + 1] for numbers in asked)), limits)[0]
    cost = int(requests[best])
    size = (people, groups_asked, each, wordings_asked, turns, times)
    return FacetDesign(*size, float(found), cost, cost * limits.usd)


def half_width(of: FacetVariances, levels: Mapping[str, int], limits: FacetLimits) -> float:
    """Half of the 95 % interval of Δ that a design is expected to have.

    `levels` are people, groups, per_person and, if not 1, wordings, rotations and replicates.
    """
    numbers = {name: np.array([float(levels.get(name, 1))]) for name in _Grid._fields}
    return float(_half_widths(of, _Grid(**numbers), limits)[0])


def _requests(asked: _Grid, limits: FacetLimits) -> Floats:
    of_person = asked.per_person * limits.items_a_group * asked.rotations * asked.wordings * asked.replicates
    found: Floats = np.ceil(asked.people * of_person) + np.ceil(
        asked.groups * limits.items_a_group * asked.rotations * limits.baseline
    )
    return found


def _half_widths(of: FacetVariances, asked: _Grid, limits: FacetLimits) -> Floats:
    """Half of the 95 % interval of Δ that each design is expected to have."""
    total, doubt = np.zeros(len(asked.people)), np.zeros(len(asked.people))
    for source, variance in of.by_source.items():
        levels, freedom = _levels(source, asked, limits)
        total = total + variance / levels
        doubt = doubt + (variance / levels) ** 2 / freedom
    if of.drawn:
        items = asked.groups * limits.items_a_group * asked.rotations
        total = total + of.by_source.get(REST, 0.0) / (items * limits.baseline)
    freedom = np.maximum(np.divide(total**2, doubt, out=np.full(len(total), np.inf), where=doubt > 0), 1.0)
    found: Floats = special.stdtrit(freedom, 0.975) * np.sqrt(total)
    return found


def _levels(source: str, asked: _Grid, limits: FacetLimits) -> tuple[Floats, Floats]:
    """The levels of a source that a design asks, and the degrees of freedom of its mean square."""
    size, a_group = limits.items_a_group, asked.rotations
    inside = {GROUP: np.ones(len(asked.people)), ITEM: np.full(len(asked.people), size), ROTATION: size * a_group}
    names = source.split(BY)
    if source == REST:
        names = [PERSONA, ROTATION, WORDINGS]
    levels = np.ones(len(asked.people)) * (asked.replicates if source == REST else 1.0)
    freedom = np.ones(len(asked.people))
    for name in names:
        if name == PERSONA:
            levels, freedom = levels * asked.people, freedom * (asked.people - 1)
        elif name in inside:
            groups = asked.per_person if PERSONA in names else asked.groups
            levels, freedom = levels * groups * inside[name], freedom * (groups - 1)
        elif name == WORDINGS:
            levels, freedom = levels * asked.wordings, freedom * np.maximum(asked.wordings - 1, 1)
    return levels, np.maximum(freedom, 1.0)

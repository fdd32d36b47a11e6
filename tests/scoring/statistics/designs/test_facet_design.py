"""The cheapest design over every facet: what it promises, and that nothing cheaper does."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from scoring.statistics.designs.facet_design import FacetLimits, FacetVariances, cheapest_facets

OF = {"persona": 0.006, "item": 0.02, "persona × item": 0.01, "rest": 0.1}


def half(people: int, groups: int, per_person: int) -> float:
    """By hand: one wording, one order."""
    parts = np.array([0.006 / people, 0.02 / groups, 0.11 / (people * per_person)])
    freedom = np.array([people - 1, groups - 1, 1e9])
    own = np.array([0.01, 0.1]) / (people * per_person)
    doubt = (
        (parts[:2] ** 2 / freedom[:2]).sum()
        + own[0] ** 2 / ((people - 1) * (per_person - 1))
        + own[1] ** 2 / (people - 1) / (per_person - 1)
    )
    total = parts.sum()
    return float(stats.t.ppf(0.975, total**2 / doubt) * np.sqrt(total))


def test_it_is_narrow_enough_and_nothing_in_reach_is_cheaper() -> None:
    found = cheapest_facets(FacetVariances(OF), 0.05, FacetLimits(200))
    assert found is not None and (found.wordings, found.rotations, found.replicates) == (1, 1, 1)
    assert (
        found.half_width == pytest.approx(half(found.people, found.groups, found.per_person))
        and found.half_width <= 0.05
    )
    assert found.requests == found.people * found.per_person + found.groups
    cheaper = [
        (people, groups, each)
        for people, groups, each in product(range(10, 200, 5), range(10, 201, 5), range(10, 101, 5))
        if each <= groups and people * each + groups < 0.93 * found.requests and half(people, groups, each) <= 0.05
    ]
    assert not cheaper


def test_facets_that_were_not_varied_stay_and_others_are_chosen() -> None:
    worded = FacetVariances({**OF, "wording": 0.002, "persona × wording": 0.001})
    found = cheapest_facets(worded, 0.05, FacetLimits(200))
    assert found is not None and found.wordings >= 4
    one = cheapest_facets(worded.held("wording"), 0.05, FacetLimits(200))
    assert one is not None and one.wordings == 1 and one.requests < found.requests
    repeated = FacetVariances({**OF, "rest": 2.0}, repeated=True)
    again = cheapest_facets(repeated, 0.1, FacetLimits(200))
    assert again is not None and again.replicates == 1  # another person averages out as much, and is new
    assert cheapest_facets(worded, 0.001, FacetLimits(20)) is None

"""Each person is asked some of the groups, every group by equally many people, within strata too."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.statistics.designs.incomplete import deal, ranks


@settings(max_examples=40)
@given(st.integers(2, 90), st.integers(1, 60), st.data())
def test_groups_are_asked_equally_often_and_more_keep_those_of_fewer(
    people: int, groups: int, data: st.DataObject
) -> None:
    per_person = data.draw(st.integers(1, groups))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    strata = [random.choice(["A", "B", "C"], people).tolist(), random.choice(["f", "m"], people).tolist()]
    names, of = [f"p{n}" for n in range(people)], [f"g{n}" for n in range(groups)]
    dealt = deal(of, names, strata, per_person, 3)
    asked = np.array([[dealt.holds(name, group) for group in of] for name in names])
    assert (asked.sum(axis=1) == per_person).all()
    country, gender = (np.array(column) for column in strata)
    for inside in (np.ones(people, bool), country == "A", (country == "B") & (gender == "f")):
        counts = asked[inside].sum(axis=0)
        assert counts.max() - counts.min() <= 5
    if people % groups == 0:
        assert set(asked.sum(axis=0)) == {people * per_person // groups}
    for name in names[:5]:
        fewer = deal(of, names, strata, max(1, per_person - 1), 3).groups_of(name)
        assert dealt.groups_of(name)[: len(fewer)] == fewer
        assert {group for group in of if dealt.holds(name, group)} == set(dealt.groups_of(name))
        assert {group for group in of if dealt.holds(f"{name}~gender=male", group)} == set(dealt.groups_of(name))


def test_positions_are_the_places_on_each_persons_way() -> None:
    dealt = deal([f"g{n}" for n in range(7)], ["p0", "p1"], [["A", "A"]], 4, 0)
    people, groups = pd.Series(["p1"] * 4 + ["", "p9"]), pd.Series([*dealt.groups_of("p1"), "g0", "g0"])
    assert dealt.positions(people, groups).tolist() == [0, 1, 2, 3, -1, -1]


def test_every_group_has_its_own_rank() -> None:
    for count in (1, 2, 3, 10, 97):
        assert sorted(ranks(count).tolist()) == list(range(count))

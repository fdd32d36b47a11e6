"""Who is asked what, where not everybody is asked everything: by the rows of a file and by those of another."""

import itertools

import pandas as pd

from runner.store.assigned.deals import all_deals, in_other_numbers, is_dealt

# three groups of one item each on the circle; people 1 and 2 start at the first and at the second, one group a person
DEAL = {"groups": [[10], [11], [12]], "starts": [[1, 0], [2, 1]], "per_person": 1, "variants": [5]}


def rows(*wanted: tuple[int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(wanted, columns=["item", "persona", "variant"])


def test_a_person_is_asked_the_group_where_it_starts_and_no_other() -> None:
    asked = rows((10, 1, 5), (11, 1, 5), (12, 1, 5), (10, 2, 5), (11, 2, 5))
    assert is_dealt(asked, [DEAL]).tolist() == [True, False, False, False, True]


def test_what_no_deal_is_about_is_asked_of_everybody() -> None:
    asked = rows((10, 0, 5), (99, 1, 5), (10, 3, 5), (11, 1, 6))  # baseline, another item, person, variant
    assert is_dealt(asked, [DEAL]).all() and is_dealt(asked, []).all()


def test_more_groups_a_person_keep_those_asked_already() -> None:
    every = rows(*((item, person, 5) for item in (10, 11, 12) for person in (1, 2)))
    counts = [is_dealt(every, [{**DEAL, "per_person": most}]) for most in (1, 2, 3)]
    assert [kept.sum() for kept in counts] == [2, 4, 6]
    assert all((fewer <= more).all() for fewer, more in itertools.pairwise(counts))


def test_another_file_has_other_numbers() -> None:
    maps = {"item": {10: 0, 11: 1}, "persona": {1: 7}, "variant": {5: 2}}
    (moved,) = in_other_numbers([DEAL], maps)
    assert moved == {"groups": [[0], [1], []], "starts": [[7, 0]], "per_person": 1, "variants": [2]}
    assert all_deals([{"deals": [DEAL]}, {}, {"deals": [DEAL, moved]}]) == [DEAL, moved]

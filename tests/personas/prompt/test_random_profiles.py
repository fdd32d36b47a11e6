"""Random profiles: balanced, independent between traits, and the same whoever else is asked."""

from collections import Counter

import numpy as np
import pytest

from personas.errors import InputError
from personas.people.pseudonyms import pseudonym
from personas.prompt.random_profiles import RandomProfiles, random_told

TRAITS = ("age", "gender", "country", "education", "religion", "trust")
RULE = RandomProfiles(TRAITS, told=4, count=4, seed=3)
PEOPLE = [f"gss:2018:{number}" for number in range(400)]


def test_every_trait_is_told_as_often_as_any_other() -> None:
    for person in PEOPLE[:40]:
        counts = Counter(name for profile in RULE.of(person) for name in profile)
        assert set(counts) == set(TRAITS) and set(counts.values()) <= {2, 3} and counts.total() == 16
    over_people = Counter(name for person in PEOPLE for profile in RULE.of(person) for name in profile)
    assert max(over_people.values()) - min(over_people.values()) < 90  # of 1,067, by chance


def test_which_text_tells_a_trait_is_independent_of_the_others() -> None:
    told = np.array([[[name in profile for name in TRAITS] for profile in RULE.of(person)] for person in PEOPLE])
    within = (told - told.mean(axis=1, keepdims=True)).reshape(-1, len(TRAITS))
    correlation = np.corrcoef(within.T) - np.eye(len(TRAITS))
    assert np.abs(correlation).max() < 0.1  # four standard errors; with 4 in each text it would be -0.2


def test_a_person_keeps_the_profiles_under_every_name() -> None:
    assert RULE.of("a:b:1") == RULE.of("a:b:1~gender=male") == RULE.of(pseudonym("a:b:1"))
    assert RULE.of("a:b:1")[:2] == [
        ["age", "gender", "education", "trust"],
        ["age", "country", "education", "religion"],
    ]  # as it was asked before
    places = [RULE.beside("a:b:1", place) for place in range(12)]
    assert [sorted(places[start : start + 4]) for start in (0, 4, 8)] == [[0, 1, 2, 3]] * 3
    assert places == [RULE.beside(pseudonym("a:b:1"), place) for place in range(12)]


def test_no_more_traits_are_told_than_there_are() -> None:
    assert random_told("all", TRAITS) is None and random_told("random:5", TRAITS) == 5
    with pytest.raises(InputError, match="6 traits are chosen"):
        random_told("random:6", TRAITS)

"""Names as a cue: fitting, always the same, and equally frequent."""

from collections import Counter
from dataclasses import replace

import pytest

from personas.countries import country_name
from personas.errors import InputError
from personas.people.pseudonyms import TWIN
from personas.prompt.given_names import common_names, given_name, refuse_unnamed
from personas.surveys.survey import load_survey
from personas.traits import Persona, catalogue

TRAITS = {**catalogue().traits, **{name: trait for name, (trait, _) in load_survey("gss").defined().items()}}


ANSWERS = {"age": 18, "gender": 2, "education": 6, "imp_friends": 1, "neigh_aids": 1, "gss:polviews": 4}


PERSON = Persona("gss:2018:1", "gss", "2018", "USA", 1.0, ANSWERS)


ALL = list(TRAITS)


def test_a_respondent_always_has_the_same_name() -> None:
    """Pinned: a name that changed would be another text, and be sent again."""
    names = [given_name(replace(PERSON, persona_id=f"gss:2018:{number}"), ALL) for number in range(1, 6)]
    assert names == ["Barbara", "Patricia", "Mary", "Margaret", "Patricia"]
    twin = replace(PERSON, persona_id=f"{PERSON.persona_id}{TWIN}age=80")
    assert given_name(twin, ALL) == given_name(PERSON, ALL)
    assert given_name(replace(PERSON, answers={"gender": 1}), ALL) in common_names()["USA"].men


def test_a_hidden_gender_is_not_told_by_the_name() -> None:
    shown = [name for name in ALL if name != "gender"]
    people = [replace(PERSON, persona_id=str(number)) for number in range(400)]
    for person in people:
        assert given_name(person, shown) == given_name(replace(person, answers={"gender": 1}), shown)
    counts = Counter(given_name(person, shown) in common_names()["USA"].women for person in people)
    assert min(counts.values()) > 150


def test_every_name_is_as_frequent_as_another() -> None:
    counts = Counter(given_name(replace(PERSON, persona_id=str(number)), ALL) for number in range(5000))
    assert set(counts) == set(common_names()["USA"].women)
    assert max(abs(count - 500) for count in counts.values()) < 4.5 * (500 * 0.9) ** 0.5


def test_countries_without_names_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"no list of names of Great Britain, Sweden; choose other countries"):
        refuse_unnamed(["SWE", "USA", "GBR", "SWE"], ALL)
    with pytest.raises(InputError, match="leave country out"):
        refuse_unnamed(["USA"], ["age", "gender"])


def test_the_list_of_names_is_whole() -> None:
    known = common_names()
    assert len(known) == 85 and all(country_name(country) for country in known)
    for names in known.values():
        for each in (names.men, names.women):
            assert 5 <= len(set(each)) == len(each) <= 10 and all(name == name.strip() != "" for name in each)

"""The facts about a persona: articles, lists, and labels that look like places to fill."""

from dataclasses import replace

import pytest

from personas.prompt.phrases import SECOND, THIRD, Wording, facts
from personas.traits import Persona, catalogue

TRAITS = catalogue().traits


def persona(**answers: int) -> Persona:
    return Persona("wvs7:7:1", "wvs7", "7", "NOR", 1.0, answers)


@pytest.mark.parametrize(
    ("age", "opening"), [(18, "an 18-year-old man"), (80, "an 80-year-old man"), (32, "a 32-year-old man")]
)
def test_the_article_is_the_spoken_one(age: int, opening: str) -> None:
    found = facts(persona(age=age, gender=1), TRAITS, ["age", "gender"], Wording(SECOND))
    assert found.opening == (opening,)


def test_what_is_not_shown_is_not_said() -> None:
    assert facts(persona(age=30, gender=2), TRAITS, ["gender"], Wording(SECOND)).opening == ("a woman",)
    assert facts(persona(age=30), TRAITS, ["country"], Wording(SECOND)).opening == ("a person", "interviewed in Norway")


def test_equal_answers_share_a_clause_and_each_person_has_its_pronoun() -> None:
    found = facts(persona(child_manners=1, child_hard_work=1), TRAITS, list(TRAITS), Wording(THIRD))
    ((clause,),) = found.sections.values()
    assert " and " in clause and "you" not in clause.split()


def test_a_label_with_braces_is_put_in_literally() -> None:
    trait = replace(TRAITS["imp_family"], labels={1: "{they} {label}"}, phrase="{They} said: {label}.")
    found = facts(persona(imp_family=1), {"imp_family": trait}, ["imp_family"], Wording(SECOND))
    assert list(found.sections.values()) == [("You said: {they} {label}.",)]

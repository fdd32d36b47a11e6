"""Labels are compared in any language, and those that say nothing are known."""

import doctest

import pytest

from personas.surveys import label_cleaning
from personas.surveys.label_cleaning import clean_label, direction, says_nothing
from personas.traits import catalogue

CORE = catalogue().traits


def test_the_examples_of_the_docstrings() -> None:
    assert doctest.testmod(label_cleaning).failed == 0


@pytest.mark.parametrize(
    ("trait", "low", "high", "expected"),
    [
        ("imp_family", "Muito importante", "Nada importante", 1),
        ("imp_family", "Helemaal niet belangrijk", "Zeer belangrijk", -1),
        ("imp_family", "Très important", "Pas du tout important", 1),
        ("men_better_leaders", "Totalmente en desacuerdo", "Totalmente de acuerdo", -1),
        ("men_better_leaders", "Совершенно согласен", "Совершенно не согласен", 1),
        ("men_better_leaders", "Completamente d'accordo", "Completamente in disaccordo", 1),
        ("neigh_aids", "Nicht genannt", "Genannt", -1),
        ("child_faith", "Nevnt", "Ikke nevnt", 1),
        ("gender", "Weiblich", "Männlich", -1),
        ("gender", "男", "女", 1),
        ("urban_rural", "Landelijk", "Stedelijk", -1),
        ("jobs_men_priority", "Strongly disagree", "Strongly agree", -1),
        ("imp_work", "1", "4", 0),
        ("education", "Keine", "Promotion", 0),
    ],
)
def test_the_direction_of_end_labels(trait: str, low: str, high: str, expected: int) -> None:
    ours = CORE[trait].labels
    assert direction(ours, {min(ours): low, max(ours): high}) == expected


@pytest.mark.parametrize("label", ["NS/NC", "Vet ikke", "Nie wiem", "Затрудняюсь ответить", "Bilmiyorum", "Refusal"])
def test_labels_that_say_nothing(label: str) -> None:
    assert says_nothing(label)


@pytest.mark.parametrize("label", ["No", "Nothing at all", "Refuse to obey", "Nada", "National", "None", "Nunca"])
def test_answers_that_only_look_like_it(label: str) -> None:
    assert not says_nothing(label)


def test_numbers_alone_are_no_labels() -> None:
    assert [clean_label(label, 7) for label in ("7", "7.", "{7}", "(7)", " ", "07 ", "7: seven", "7-8 times")] == [
        *[""] * 6,
        "seven",
        "7-8 times",
    ]

"""Attributes, levels and people in words."""

import pytest

from personas.people.respondents import MISSING_LABEL
from scoring.report.names import attribute_name, level_name, people_of, person
from scoring.statistics.levels import ALL, PAIR


@pytest.mark.parametrize(
    ("attribute", "level", "name", "people"),
    [
        ("country", "USA", "United States", "people in the United States"),
        ("gender", "female", "Women", "women"),
        ("age_band", "35-44", "35–44", "people aged 35–44"),
        (f"gender{PAIR}country", f"male{PAIR}NOR", "men, Norway", "men in Norway"),
        ("gender", "non-binary", "non-binary", "people whose gender is “non-binary”"),
        ("religion", MISSING_LABEL, "not known", "people whose religion is not known"),
        ("country", "XX", "XX", "people in XX"),
    ],
)
def test_a_level_in_a_table_and_in_a_sentence(attribute: str, level: str, name: str, people: str) -> None:
    assert level_name(attribute, level).lower() == name.lower()
    assert people_of(attribute, level) == people


def test_everybody_and_one_person() -> None:
    assert people_of(ALL, ALL) == "everybody"
    assert attribute_name(f"age_band{PAIR}birth_country") == f"age{PAIR}birth country"
    assert person("male", "42", "USA") == "man, 42, United States"
    assert person("", MISSING_LABEL, "") == ""

"""What a report calls attributes, their levels, and the people behind an interval."""

import re

import pandas as pd

from personas.countries import country_name
from personas.errors import InputError
from personas.people.respondents import MISSING_LABEL
from personas.traits import catalogue
from scoring.statistics.levels import ALL, PAIR

_GENDERS = {"male": "men", "female": "women"}  # as survey codebooks label them
_SINGULAR = {"male": "man", "female": "woman"}
_ATTRIBUTES = {"age_band": "age"}


def attribute_name(attribute: str) -> str:
    """An attribute in words: "age" for age_band."""
    return PAIR.join(_ATTRIBUTES.get(name, name.replace("_", " ")) for name in attribute.split(PAIR))


def question_of(attribute: str) -> str:
    """The survey question behind an attribute; its name in words where there is none."""
    known = catalogue().traits.get(attribute)
    return known.question if known and attribute not in ("country", "gender") else attribute_name(attribute)


def level_name(attribute: str, level: str) -> str:
    """A level as a row of a table has it: a country's name, "men", "35–44"."""
    names, levels = attribute.split(PAIR), level.split(PAIR)
    if len(names) != len(levels):
        return level
    return ", ".join(_label(name, each) for name, each in zip(names, levels, strict=True))


def people_of(attribute: str, level: str) -> str:
    """The people of a level as a sentence has them: "men aged 35–44", "women in Norway"."""
    names, levels = attribute.split(PAIR), level.split(PAIR)
    if attribute == ALL or len(names) != len(levels):
        return "everybody" if attribute == ALL else f"people of {level}"
    parts = dict(zip(names, levels, strict=True))
    gender = parts.pop("gender", "")
    who = _GENDERS.get(gender, "people")
    rest = [_clause(name, each) for name, each in parts.items()]
    rest += [f"whose gender is “{gender}”"] if gender and gender not in _GENDERS else []
    return " ".join([who, *rest])


def person(gender: str, age: str, country: str) -> str:
    """One person as a list has them: "man, 42, United States"; "" where nothing of it is known."""
    known = [_SINGULAR.get(gender, gender), _years(age), _label("country", country) if country else ""]
    return ", ".join(each for each in known if each and each != MISSING_LABEL)


def _label(name: str, level: str) -> str:
    if level == MISSING_LABEL:
        return "not known"
    if name == "country":
        text = _country(level).removeprefix("the ")
        return text[:1].upper() + text[1:]
    return _GENDERS.get(level, level) if name == "gender" else _years(level) if name == "age_band" else level


def _clause(name: str, level: str) -> str:
    if level == MISSING_LABEL:
        return f"whose {attribute_name(name)} is not known"
    if name == "country":
        return f"in {_country(level)}"
    if name == "age_band":
        return f"aged {_years(level)}"
    return f"whose answer on {attribute_name(name)} is “{level}”"


def _country(code: str) -> str:
    try:
        return country_name(code)
    except InputError:
        return code


def _years(band: str) -> str:
    """An age band: 35–44."""
    return re.sub(r"(?<=\d)-(?=\d)", "–", band)


def who_else(countries: int) -> str:
    """The people whom an interval speaks of: a sample within several countries says nothing of others."""
    return "people of these countries" if countries > 1 else "people like these"


def countries_in(scores: pd.DataFrame) -> int:
    """How many countries the respondents come from."""
    if "country" not in scores:
        return 0
    return int(scores.loc[scores["persona_id"] != "", "country"].nunique())

"""Given names that are common in a country (`names.toml`, which names its source and licence)."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files

from personas.countries import country_name
from personas.errors import InputError
from personas.people.pseudonyms import TWIN
from personas.stable_order import rank
from personas.traits import Persona

MAN, WOMAN = 1, 2


@dataclass(frozen=True, slots=True)
class CommonNames:
    """A country's names, and the year that they are of: of children born then, or of the population."""

    year: int
    men: tuple[str, ...]
    women: tuple[str, ...]

    def of(self, gender: int | None) -> tuple[str, ...]:
        """The names of a gender; all of them where it is not known, or not told."""
        return {MAN: self.men, WOMAN: self.women}.get(gender or 0, (*self.men, *self.women))


@cache
def common_names() -> Mapping[str, CommonNames]:
    """By ISO 3166-1 alpha-3 country."""
    raw = tomllib.loads(files("personas.prompt").joinpath("names.toml").read_text(encoding="utf-8"))
    return {
        country: CommonNames(table["year"], tuple(table["men"]), tuple(table["women"]))
        for country, table in raw["names"].items()
    }


def given_name(persona: Persona, shown: Sequence[str]) -> str:
    """A name that is common in the persona's country and, where its gender is shown, for that gender.

    One respondent and gender always gets the same name, and each name is equally likely. Raises InputError for a
    country without names.
    """
    refuse_unnamed([persona.country], shown)
    gender = persona.answers.get("gender") if "gender" in shown else None
    known = common_names()[persona.country].of(gender)
    return min(known, key=partial(rank, persona.persona_id.partition(TWIN)[0]))


def refuse_unnamed(countries: Iterable[str], shown: Sequence[str]) -> None:
    """Raises InputError where people cannot be known by a name: their country is not shown, or has no list of names."""
    if "country" not in shown:
        raise InputError(
            '[variants] cues: "name" tells a person\'s country by a name that is common there, but the traits shown '
            "leave country out; add it there, or drop the cue"
        )
    if missing := sorted({country for country in countries if country not in common_names()}):
        spoken = ", ".join(country_name(each) or each for each in missing)
        raise InputError(
            f'[variants] cues: "name" has no list of names of {spoken}; choose other countries in [personas] where, or '
            "drop the cue"
        )

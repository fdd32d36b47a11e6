"""What a persona says, clause by clause: the facts that every format lays out in its own way."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from personas.countries import country_name
from personas.traits import Persona, Trait, catalogue

# Who the clauses are about: "you" or, with verbs that agree just the same, "they".
SECOND = {"they": "you", "their": "your", "them": "you"}
THIRD = {"they": "they", "their": "their", "them": "them"}
_NOUNS = {1: "man", 2: "woman"}
_PLACES = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """The person of the clauses, and whether they are worded as in the paper's Figure 2."""

    pronouns: Mapping[str, str]
    as_paper: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """The opening ("a 32-year-old woman", "interviewed in India", ...) and the clauses under each section."""

    opening: tuple[str, ...]
    sections: Mapping[str, tuple[str, ...]]


def facts(persona: Persona, traits: Mapping[str, Trait], shown: Sequence[str], wording: Wording) -> Facts:
    """Everything that a prompt says about a persona. A missing answer, and one without a phrase, is left out.

    Sections come in the catalogue's order where `shown` follows the catalogue; a section of a survey's own, last.
    """
    return Facts(_opening(persona, traits, shown), _sections(persona, traits, shown, wording))


def _opening(persona: Persona, traits: Mapping[str, Trait], shown: Sequence[str]) -> tuple[str, ...]:
    """From whichever of age, gender, country and birth country is known and shown."""
    answers = {name: code for name, code in persona.answers.items() if name in shown}
    noun = _NOUNS.get(answers.get("gender", 0), "person")
    age = answers.get("age")
    parts = [f"{_article(age)} {age}-year-old {noun}" if age is not None else f"a {noun}"]
    if "country" in shown and persona.country:
        parts.append(f"interviewed in {country_name(persona.country)}")
    if "birth_country" in answers:
        parts.append(f"born in {catalogue().traits['birth_country'].label(answers['birth_country'])}")
    return tuple(parts)


def _article(number: int) -> str:
    """The article: "an" before 8, 11, 18 and 80 to 89, as they are spoken."""
    return "an" if number in (8, 11, 18) or 80 <= number <= 89 else "a"


def _sections(
    persona: Persona, traits: Mapping[str, Trait], shown: Sequence[str], wording: Wording
) -> dict[str, tuple[str, ...]]:
    """Each section that has something to say, with its clauses; equal templates with {items} share a clause."""
    clauses: dict[str, dict[tuple[str, str], list[str]]] = {}
    for name in shown:
        trait, code = traits.get(name), persona.answers.get(name)
        if trait is None or code is None or not trait.section or not (said := trait.template(code, wording.as_paper)):
            continue
        key = (said, "" if "{items}" in said else name)
        clauses.setdefault(trait.section, {}).setdefault(key, []).append(name)
    result = {}
    for section, found in clauses.items():
        result[section] = tuple(
            _clause(template, [traits[name] for name in names], persona.answers[names[0]], wording.pronouns)
            for (template, _), names in found.items()
        )
    return result


def _clause(template: str, told: Sequence[Trait], code: int, pronouns: Mapping[str, str]) -> str:
    """Fill a template. Labels come from outside and are put in last and literally: braces in them mean nothing."""
    first = told[0]
    items = {"items": _listing([trait.item for trait in told]), "item": first.item, "Item": _capital(first.item)}
    template = _PLACES.sub(lambda place: items.get(place[1], place[0]), template)
    answer = {"label": first.label(code), "code": str(code), "question": first.question}
    words = {**pronouns, "They": _capital(pronouns["they"]), **answer}
    return _PLACES.sub(lambda place: words.get(place[1], place[0]), template)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listing(items: Sequence[str]) -> str:
    """The items as "a", "a and b" or "a, b and c"."""
    return " and ".join(part for part in (", ".join(items[:-1]), items[-1]) if part)

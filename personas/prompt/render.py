"""From a persona to the words that stand before a question, and to the messages that are sent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from personas.prompt.cue_texts import interview, memory
from personas.prompt.given_names import given_name
from personas.prompt.neutral import neutral_text
from personas.prompt.phrases import SECOND, THIRD, Facts, Wording, facts
from personas.prompt.written_forms import Format, Frame, Placement
from personas.stable_order import rank
from personas.traits import Persona, Trait, catalogue

_PERSPECTIVE = "It is very important that you always answer questions from this perspective."
_CHARGES: Mapping[Frame, str] = {
    "role": f"{_PERSPECTIVE} Your personality is the set of attributes below.",
    "user": "Their personality is the set of attributes below.",
    "third-person": (
        "It is very important that the answer is always given from this perspective. "
        "Their personality is the set of attributes below."
    ),
}
# As the paper prints it.
_PAPER_CHARGE = f"{_PERSPECTIVE} Your personality as the set of attributes below."


@dataclass(frozen=True, slots=True)
class Variant:
    """One choice of how a persona is written and where it stands; equal for baseline and persona but for the text.

    A cue other than a description (`personas.prompt.cue_texts`) is a format of its own. `trait_order` 0 is the order of
    the traits shown; every other number is a permutation of its own, the same for all personas.
    """

    format: Format = "prose"
    frame: Frame = "role"
    placement: Placement = "prompt"
    trait_order: int = 0


def render(persona: Persona, traits: Mapping[str, Trait], shown: Sequence[str], variant: Variant) -> str:
    """The persona as the variant writes it; "" for the format `none`.

    `shown` names the traits that may appear, in order. Every format tells the same facts: age, gender, country and
    country of birth make the opening, every other answer is a clause under its section, a missing answer is left out.
    `prose-paper` is the layout of the paper's Figure 2 (Tehenan, Chamoun & Vlachos 2025), byte for byte. `interview`
    and `memory` tell them as a dialogue and as an assistant's notes; `name` tells nothing but a name, which is common
    where the persona lives. Raises InputError for a name in a country that has no list of names.
    """
    if variant.format == "none":
        return ""
    if variant.format == "neutral":
        prose = Variant("prose", variant.frame, variant.placement, variant.trait_order)
        return neutral_text(len(render(persona, traits, shown, prose).split()))
    if variant.format == "interview":
        return interview(persona, traits, permuted(shown, variant.trait_order), variant.frame)
    if variant.format == "name":
        return _framed(given_name(persona, shown), variant.frame)
    as_paper = variant.format == "prose-paper"
    wording = Wording(SECOND if variant.frame == "role" else THIRD, as_paper)
    told = facts(persona, traits, permuted(shown, variant.trait_order), wording)
    told = Facts(told.opening, _ordered(told.sections, variant.trait_order))
    if variant.format == "memory":
        return memory(told)
    charge = _PAPER_CHARGE if as_paper and variant.frame == "role" else _CHARGES[variant.frame]
    layout = {"bullets": _bullets, "json": _json, "oneliner": _oneliner}.get(variant.format, _prose)
    return ("[PERSONA] " if as_paper else "") + layout(told, variant.frame, charge)


def permuted(shown: Sequence[str], trait_order: int) -> list[str]:
    """The traits in one of the orders: 0 is their own, every other number a permutation by sha256."""
    if trait_order == 0:
        return list(shown)
    return sorted(shown, key=partial(rank, trait_order))


def _ordered(sections: Mapping[str, tuple[str, ...]], trait_order: int) -> dict[str, tuple[str, ...]]:
    """Sections in the catalogue's order, or, where the traits are permuted, in that of their first trait."""
    known = catalogue().sections if trait_order == 0 else ()
    names = [*(name for name in known if name in sections), *(name for name in sections if name not in known)]
    return {name: sections[name] for name in names}


def _framed(opening: str, frame: Frame) -> str:
    """The sentence that introduces the persona."""
    return {
        "role": f"You are answering as {opening}.",
        "user": f"The user is {opening}.",
        "third-person": f"How would {opening}{',' if ',' in opening else ''} answer?",
    }[frame]


def _prose(told: Facts, frame: Frame, charge: str) -> str:
    text = f"{_framed(', '.join(told.opening), frame)} {charge}"
    said = [f"{section}: {'; '.join(clauses)}." for section, clauses in told.sections.items()]
    return "\n".join([text, " ".join(said)]) if said else text


def _bullets(told: Facts, frame: Frame, charge: str) -> str:
    lines = [f"- {section}: {clause}" for section, clauses in told.sections.items() for clause in clauses]
    return "\n".join([f"{_framed(_PERSON, frame)} {charge}", *(f"- {part}" for part in told.opening), *lines])


def _json(told: Facts, frame: Frame, charge: str) -> str:
    table = {"Person": list(told.opening), **{section: list(clauses) for section, clauses in told.sections.items()}}
    return f"{_framed(_PERSON, frame)} {charge}\n{json.dumps(table, ensure_ascii=False)}"


def _oneliner(told: Facts, frame: Frame, charge: str) -> str:
    said = "; ".join(clause for clauses in told.sections.values() for clause in clauses)
    line = _framed(", ".join(told.opening), frame)
    return f"{line} {said[:1].upper()}{said[1:]}." if said else line


_PERSON = "the person described below"

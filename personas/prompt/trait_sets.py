"""Which traits a study shows of a persona, and who reads the same."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from personas.errors import InputError, nearest
from personas.traits import Persona, Trait, catalogue


def cluster(persona: Persona, shown: Sequence[str]) -> str:
    """Identifies what a persona shows: respondents who read the same are one cluster (16 hex digits).

    A hash of the shown trait=code pairs, so it is the same under every format.
    """
    pairs = {name: persona.answers[name] for name in shown if name in persona.answers}
    told = {**pairs, "country": persona.country} if "country" in shown else pairs
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def chosen_traits(selection: str | Sequence[str], traits: Mapping[str, Trait]) -> list[str]:
    """The traits that a study shows.

    "core", "demographic", "all" and "all-but:NAME" (all traits but that one) are in the catalogue's order, a list in
    its own.

    Raises InputError for a name that no survey of the study has.
    """
    core = [name for name, trait in traits.items() if trait.use != "extended"]
    if isinstance(selection, str):
        named = {
            "all": list(traits),
            "core": core,
            "demographic": [name for name in core if traits[name].use == "demographic"],
        }
        if selection.startswith("all-but:"):
            left_out = _known(selection.removeprefix("all-but:"), traits)
            return [name for name in traits if name != left_out]
        if selection not in named:
            raise InputError(
                f"[personas] traits: unknown selection {selection!r}; {nearest(selection, [*named, 'all-but:NAME'])}"
            )
        return named[selection]
    return [_known(name, traits) for name in selection]


def trait_sets(selections: Sequence[str | Sequence[str]], traits: Mapping[str, Trait]) -> list[list[str]]:
    """The traits of each selection, the smallest set first; selections that come to the same are one set.

    Raises InputError where one does not hold the smallest: respondents who read the same in that one must be one
    cluster in all.
    """
    chosen = dict.fromkeys(tuple(chosen_traits(each, traits)) for each in selections)
    sets = [list(each) for each in sorted(chosen, key=len)]
    for each in sets[1:]:
        if lacking := [name for name in sets[0] if name not in each]:
            raise InputError(
                f"[variants] traits: the smallest set has {lacking[0]!r}, a larger one does not; add it there"
            )
    return sets


def set_name(shown: Sequence[str]) -> str:
    """What a report calls a set of traits, such as "demographic (10)" or "demographic, value (33)"."""
    core = catalogue().traits
    uses = {core[name].use if name in core else "extended" for name in shown}
    return f"{', '.join(sorted(uses))} ({len(shown)})"


def _known(name: str, traits: Mapping[str, Trait]) -> str:
    if name not in traits:
        raise InputError(f"[personas] traits: unknown trait {name!r}; {nearest(name, traits)}")
    return name

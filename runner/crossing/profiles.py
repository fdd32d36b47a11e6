"""Random profiles in a study: the variants that each persona is asked in, and beside which items each stands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from personas.people.pseudonyms import TWIN
from personas.prompt.phrases import SECOND, Wording, facts
from personas.prompt.random_profiles import RandomProfiles
from personas.prompt.render import Variant
from personas.traits import Persona, Trait
from runner.store.assigned.profile_rows import ProfileRows

if TYPE_CHECKING:
    from runner.crossing.questions import Question


class AskedVariant(NamedTuple):
    """A variant with its row, and the traits that it shows; of random profiles, which of a persona's it is."""

    id: int
    variant: Variant
    shown: Sequence[str]
    profiles: frozenset[int] = frozenset()


NOBODY = AskedVariant(0, Variant(), ())


@dataclass(frozen=True)
class Profiles:
    """The random profiles of a study.

    `of` has each persona's traits told by profile, `wordings` the ways in which each is written, `numbers` the rows of
    the variants.
    """

    rule: RandomProfiles
    wordings: Sequence[Variant]
    of: Mapping[str, Sequence[tuple[str, ...]]]
    numbers: Mapping[tuple[Variant, tuple[str, ...]], int]

    @cached_property
    def variants(self) -> Sequence[AskedVariant]:
        """Those of all personas together."""
        return [AskedVariant(number, *each) for each, number in self.numbers.items()]

    def variants_of(self, persona_id: str) -> Sequence[AskedVariant]:
        """A persona's own variants, profile by profile; a twin's are those that tell what it differs in."""
        changed = persona_id.partition(TWIN)[2].partition("=")[0]
        told: dict[tuple[str, ...], set[int]] = {}
        for profile, shown in enumerate(self.of[persona_id]):
            if not changed or changed in shown:
                told.setdefault(shown, set()).add(profile)
        return [
            AskedVariant(self.numbers[variant, shown], variant, shown, frozenset(profiles))
            for shown, profiles in told.items()
            for variant in self.wordings
        ]

    def holds(self, persona_id: str, variant: AskedVariant, place: int) -> bool:
        """Whether a variant of a persona's stands beside the item group at a place."""
        return self.rule.beside(persona_id, place) in variant.profiles

    @cached_property
    def ways(self) -> Sequence[AskedVariant]:
        """Every wording with all traits, which nobody is asked in."""
        return [AskedVariant(0, variant, self.rule.traits) for variant in self.wordings]

    def rows(self, personas: Iterable[tuple[int, Persona]], questions: Iterable["Question"]) -> ProfileRows:
        """What a run keeps, in the numbers of the rows."""
        items: dict[int, list[int]] = {}
        for question in questions:
            items.setdefault(question.place, []).append(question.id)
        own = [(number, self.variants_of(persona.persona_id)) for number, persona in personas]
        return {
            "name": self.rule.name,
            "traits": list(self.rule.traits),
            "told": self.rule.told,
            "count": self.rule.count,
            "seed": self.rule.seed,
            "items": [[place, numbers] for place, numbers in sorted(items.items())],
            "people": [[number, [[each.id, sorted(each.profiles)] for each in variants]] for number, variants in own],
        }


def told_of(
    rule: RandomProfiles, people: Iterable[Persona], traits: Mapping[str, Trait]
) -> dict[str, list[tuple[str, ...]]]:
    """The traits that each profile of each persona tells: those drawn, less those of which nothing can be said."""
    found = {}
    for persona in people:
        tellable = {name for name in rule.traits if _says(persona, traits, name)}
        found[persona.persona_id] = [
            tuple(name for name in each if name in tellable) for each in rule.of(persona.persona_id)
        ]
    return found


def _says(persona: Persona, traits: Mapping[str, Trait], name: str) -> bool:
    """Whether a text tells anything where it shows this trait."""
    wording = Wording(SECOND)
    return facts(persona, traits, [name], wording) != facts(persona, traits, [], wording)

"""A benchmark item as a study asks it, and who is asked it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from personas.prompt.render import Variant
from personas.traits import Persona
from runner.crossing.asked_shares import EVERYTHING, AskedShare
from runner.crossing.request_keys import encoded
from scoring.answers.items import Item
from scoring.benchmarks.base import Benchmark
from scoring.benchmarks.registry import measure
from scoring.statistics.designs.incomplete import Deal
from scoring.statistics.pairs import CONTROL

SCORER = "2"  # 2: letters are read from what a reply claims; a text never stands in for probabilities


@dataclass(frozen=True)
class Question:
    """An item as it is asked: per rotation, the order of its options and the text.

    `deal` and `people` say who is asked, if not everybody; `place` is its group's among those of its benchmark.
    """

    id: int
    item: Item
    benchmark: Benchmark
    orders: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]
    judge: str | None = None
    deal: Deal | None = None
    people: frozenset[str] | None = None
    place: int = 0

    @cached_property
    def encoded(self) -> tuple[bytes, ...]:
        """The texts as they stand within canonical JSON."""
        return tuple(map(encoded, self.texts))

    @cached_property
    def measure(self) -> str:
        """What a report calls the part that the item belongs to."""
        return measure(self.benchmark.name, self.item.part, self.item.elicitation)

    @cached_property
    def scorer(self) -> str:
        """Names the code, and the judge, that score the item; a score by another is made anew."""
        judge = f":{self.judge}" if self.judge else ""
        return f"{SCORER}:{self.benchmark.name}:{self.benchmark.version}{judge}"

    @cached_property
    def rotations(self) -> Sequence[int]:
        """The rotations in which it is asked."""
        return range(len(self.texts))

    @cached_property
    def beside(self) -> Hashable:
        """What decides which text of a persona stands beside it."""
        return self.item.shown_key

    @cached_property
    def audience(self) -> Hashable:
        """What decides whom it is for: the same for questions that are for the same people; None is everybody."""
        if self.item.target_trait is None and not self.item.baseline_only:
            return None
        return self.item.baseline_only, self.item.target_trait, self.people

    @cached_property
    def is_put_to_all(self) -> bool:
        """Whether everybody is asked it of whom a model is asked anything."""
        return self.audience is None and self.deal is None

    @property
    def can_be_targeted(self) -> bool:
        """Whether Δ can be looked at while it runs: there is a baseline, and no judge to wait for."""
        return self.is_for(None) and self.judge is None

    def is_for(self, persona: Persona | None) -> bool:
        """Whether it can be asked of this persona: a hidden trait's gold answer is the persona's own."""
        if self.item.baseline_only:
            return persona is None
        trait = self.item.target_trait
        if trait is None:
            return True
        asked = persona is not None and trait in persona.answers
        return asked and (self.people is None or (persona is not None and persona.persona_id in self.people))

    def is_put_to(self, persona: Persona | None, variant: Variant, share: AskedShare = EVERYTHING) -> bool:
        """Whether a model with this share puts it to a persona in a variant; the neutral control is asked all."""
        if not self.is_for(persona) or (persona is not None and not share.has(persona)):
            return False
        if self.deal is None or persona is None or variant.format == CONTROL or share.all_groups:
            return True
        return self.deal.holds(persona.persona_id, self.item.group)


class DealtQuestions:
    """The questions of a study, by the item groups that people are dealt: most are not asked of most people."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = questions
        self._not_dealt: list[int] = []
        self._places: dict[int, tuple[Deal, dict[str, list[int]]]] = {}
        for place, question in enumerate(questions):
            if question.deal is None:
                self._not_dealt.append(place)
            else:
                _, places = self._places.setdefault(id(question.deal), (question.deal, {}))
                places.setdefault(question.item.group, []).append(place)

    def of(self, persona_id: str) -> Sequence[Question]:
        """Those that are not dealt, and those that a person is dealt, in their order."""
        if not self._places:
            return self._questions
        found = list(self._not_dealt)
        for deal, places in self._places.values():
            for group in deal.groups_of(persona_id):
                found += places[group]
        return [self._questions[place] for place in sorted(found)]

"""Which part of a study's people and item groups each model is asked, and how a run's selection keeps it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from personas.people.pseudonyms import TWIN
from personas.traits import Persona
from runner.store.assigned.deals import DealRows
from runner.study.config import Study
from runner.study.sections import ModelSection
from scoring.statistics.designs.incomplete import Deal
from scoring.statistics.pairs import CONTROL

if TYPE_CHECKING:
    from runner.crossing.questions import Question
    from runner.crossing.trials import Crossing


class AskedShare(NamedTuple):
    """What a model is asked.

    About these respondents, or about everybody; all item groups, whatever is dealt, or those that each person is dealt.
    """

    people: frozenset[str] | None = None
    all_groups: bool = False

    def has(self, persona: Persona) -> bool:
        """Whether the model is asked about a persona; about a twin as about its respondent."""
        return self.people is None or persona.persona_id.split(TWIN)[0] in self.people


EVERYTHING = AskedShare()


def share_of(section: ModelSection, study: Study, people: Sequence[Persona]) -> AskedShare:
    """What a model of the study is asked, of people in the order of asking."""
    names = [person.persona_id for person in people if TWIN not in person.persona_id]
    asked = None if section.people is None or section.people >= len(names) else frozenset(names[: section.people])
    return AskedShare(asked, section.name in study.covariates)


def deal_of(deal: Deal | None, share: AskedShare) -> Deal | None:
    """Who is asked what of a benchmark by a model; None where it is asked all of everybody."""
    if deal is None:
        return None
    per_person = len(deal.places) if share.all_groups else deal.per_person
    if share.people is None:
        return None if per_person == len(deal.places) else deal
    starts = {name: start for name, start in deal.starts.items() if name in share.people}
    return replace(deal, per_person=per_person, starts=starts)


def deal_rows(crossing: "Crossing") -> Iterator[DealRows]:
    """Who is asked what, where not everybody is asked everything, in the numbers of the rows.

    Where it is not of all models, of which.
    """
    told = [each.id for each in crossing.variants if each.variant.format != CONTROL]
    shares: dict[AskedShare, list[int]] = {}
    for model in crossing.models:
        shares.setdefault(model.share, []).append(model.id)
    for deal, questions in _dealt(crossing.questions):
        circle: list[list[int]] = [[] for _ in deal.places]
        for question in questions:
            circle[deal.places[question.item.group]].append(question.id)
        for share, models in shares.items():
            if (own := deal_of(deal, share)) is None:
                continue
            starts = [[number, deal.start(each.persona_id)] for number, each in crossing.personas if share.has(each)]
            row: DealRows = {"per_person": own.per_person, "groups": circle, "starts": starts, "variants": told}
            yield row | ({"models": models} if len(shares) > 1 or share.people is not None else {})


def _dealt(questions: Sequence["Question"]) -> list[tuple[Deal, list["Question"]]]:
    found: dict[int, tuple[Deal, list[Question]]] = {}
    for question in questions:
        if question.deal:
            found.setdefault(id(question.deal), (question.deal, []))[1].append(question)
    return list(found.values())

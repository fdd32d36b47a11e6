"""The cross product of a study, enumerated lazily, persona by persona."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple

from personas.people.respondents import Respondents
from personas.people.sample import balance
from personas.prompt.render import render
from personas.traits import Persona
from runner.backends.catalogue.answer_forms import parameters_for
from runner.backends.request import AnswerKind, ModelIdentity, Request, canonical
from runner.crossing.asked_shares import EVERYTHING, AskedShare, deal_rows
from runner.crossing.profiles import NOBODY, AskedVariant, Profiles
from runner.crossing.questions import DealtQuestions, Question
from runner.crossing.request_keys import Form, PromptPrefix, answer_kind, is_sampled
from runner.store.cache import Trial
from runner.store.runs import SelectionRows
from runner.study.sections import ModelSection
from runner.study.shard import WHOLE, Shard
from scoring.answers.responses import Response
from scoring.statistics.pairs import CONTROL

BLOCK = 512


@dataclass(frozen=True)
class AskedModel:
    """A model of the study with its row, and what part of the people and item groups it is asked."""

    id: int
    section: ModelSection
    identity: ModelIdentity
    baseline_replicates: int = 1
    share: AskedShare = EVERYTHING

    def replicates_alone(self, question: Question) -> int:
        """How often a question is put to nobody: as often as to a persona, or more often where answers are draws."""
        drawn = is_sampled(question.item, self.section)
        return max(self.section.replicates, self.baseline_replicates) if drawn else self.section.replicates

    def form_of(self, question: Question) -> Form:
        """How a question's answer is asked for; many questions share a form."""
        if (found := self._form_of.get(question.id)) is None:
            kind, options = answer_kind(question.item, self.section.answer)
            parameters = parameters_for(self.section.backend, self.identity.parameters, question.item)
            name = (kind, options, canonical(parameters))
            found = self._forms.setdefault(name, Form(kind, options, self.identity, parameters))
            self._form_of[question.id] = found
        return found

    @cached_property
    def _form_of(self) -> dict[int, Form]:
        """By the question's id."""
        return {}

    @cached_property
    def _forms(self) -> dict[tuple[AnswerKind, tuple[str, ...], bytes], Form]:
        return {}

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The part of every key that is the model's."""
        return self.identity.fields()


class Judged(NamedTuple):
    """The answer that a judge is asked about, and its key."""

    response: Response
    key: bytes


@dataclass(slots=True)
class Asked:
    """A trial and what it takes to send and score it."""

    trial: Trial
    question: Question
    persona: Persona | None
    prefix: PromptPrefix
    form: Form
    key: bytes
    judged: Judged | None = None
    _request: Request | None = None

    @property
    def request(self) -> Request:
        """What is sent, put together when it is first wanted: a trial that is answered needs its key alone."""
        if self._request is None:
            self._request = self.prefix.request(self.key, self.form, self.text)
        return self._request

    def judged_by(self, request: Request, judged: Judged) -> "Asked":
        """The trial with what a judge is sent about its answer."""
        return replace(self, key=request.key, judged=judged, _request=request)

    @property
    def persona_text(self) -> str:
        """What is told of the persona; "" in the baseline."""
        return self.prefix.persona_text

    @property
    def text(self) -> str:
        """The question as it is asked."""
        return self.question.texts[self.trial.rotation]

    @property
    def order(self) -> tuple[int, ...]:
        """The options in the order shown."""
        return self.question.orders[self.trial.rotation]


class ShardPart(NamedTuple):
    """The places of those whom a shard asks anything, and how many trials each question has in it, by its id."""

    people: Sequence[int]
    places: Counter[int]


@dataclass(frozen=True)
class Crossing:
    """Everything that a study crosses, each with the id of its row; a shard asks its own part of the trials.

    `personas` are in the order of asking, of which every prefix is balanced over the levels of `strata`. With
    `profiles`, each persona has variants of its own among all `variants`.
    """

    personas: Sequence[tuple[int, Persona]]
    variants: Sequence[AskedVariant]
    questions: Sequence[Question]
    models: Sequence[AskedModel]
    judges: Mapping[str, AskedModel]
    respondents: Respondents
    system: str
    shard: Shard = WHOLE
    strata: Sequence[str] = ()
    profiles: Profiles | None = None

    def trials(self, model: AskedModel) -> Iterator[Asked]:
        """The trials of one model: the baseline first, then persona by persona."""
        for trials in self.people_of(model):
            yield from trials

    def people_of(self, model: AskedModel) -> Iterator[Iterator[Asked]]:
        """The trials of one model, those of the baseline and of each persona apart.

        A sampled baseline is asked twice at first; its further replicates go with the people, so that every prefix of
        a run knows both sides equally well.
        """
        first, most, count = 2, model.baseline_replicates, len(self.in_order)
        yield self.baseline(model, 0, first if count else most)
        for place, (number, persona) in enumerate(self.in_order):
            due = [first + max(0, most - first) * each // count for each in (place, place + 1)]
            told = self.of_persona(model, number, persona, self.questions)
            yield chain(self.baseline(model, *due), told) if due[1] > due[0] else told

    @cached_property
    def in_order(self) -> Sequence[tuple[int, Persona]]:
        """Those whom the shard asks, in the order of asking: every prefix is balanced in each shard, too."""
        if self.shard.whole:
            return self.personas
        here = self._of_shard.people
        order = balance(self.respondents.take(here), self.strata) if here else ()
        return [self.personas[here[place]] for place in order]

    def place_of(self, number: int) -> int:
        """When the persona of this row is asked, from 1; 0 for the baseline."""
        return self._place_of.get(number, 0)

    @cached_property
    def _place_of(self) -> Mapping[int, int]:
        return {number: place for place, (number, _) in enumerate(self.in_order, start=1)}

    def baseline(self, model: AskedModel, start: int = 0, stop: int | None = None) -> Iterator[Asked]:
        """The trials without a persona, of the sampled ones replicates `start` to `stop`."""
        return self._asked(model, 0, None, NOBODY, self.questions, start, stop)

    def of_persona(
        self, model: AskedModel, number: int, persona: Persona, questions: Sequence[Question]
    ) -> Iterator[Asked]:
        """Some questions to one persona, in every variant; `number` is its row."""
        for variant in self.variants_of(persona):
            yield from self._asked(model, number, persona, variant, questions)

    def variants_of(self, persona: Persona) -> Sequence[AskedVariant]:
        """The variants that a persona is asked in."""
        return self.variants if self.profiles is None else self.profiles.variants_of(persona.persona_id)

    def counts(self, model: AskedModel) -> Iterator[tuple[Question, int]]:
        """How many trials of one model each question has."""
        for question in self.questions:
            extra = model.replicates_alone(question) - model.section.replicates
            alone = self._baseline_places[question.id] * extra if extra else 0
            yield question, self._places(model.share)[question.id] * model.section.replicates + alone

    @cached_property
    def _baseline_places(self) -> Counter[int]:
        """How many baseline trials each question has in a model without replicates, by its id."""
        return self._count(None, NOBODY)

    def _places(self, share: AskedShare) -> Mapping[int, int]:
        """How many trials each question has in a model without replicates that is asked this share, by its id."""
        if share not in self._known_places:
            self._known_places[share] = self._counted(share) if self.shard.whole else self._in_shard(share).places
        return self._known_places[share]

    @cached_property
    def _known_places(self) -> dict[AskedShare, Mapping[int, int]]:
        return {}

    def _counted(self, share: AskedShare) -> Mapping[int, int]:
        if self.profiles is not None:
            return self._places_of_profiles(share)
        people: dict[Hashable, int] = {}
        for each in self.questions:
            if each.audience not in people:
                people[each.audience] = sum(each.is_for(persona) and share.has(persona) for _, persona in self.personas)
        told = [each for each in self.variants if each.variant.format != CONTROL]
        dealt = self._dealt_to(told[0], share) if told else None
        places = {}
        for each in self.questions:
            count = people[each.audience] * len(self.variants)
            if each.deal and dealt is not None:
                count += (dealt[each.id] - people[each.audience]) * len(told)
            places[each.id] = len(each.orders) * (each.is_for(None) + count)
        return places

    def _dealt_to(self, variant: AskedVariant, share: AskedShare) -> Counter[int]:
        """To how many people each dealt question is put in a variant, by its id."""
        if not any(each.deal for each in self.questions):
            return Counter()
        put = (self._put_to(persona, variant, self.questions, share) for _, persona in self.personas)
        return Counter(question.id for questions in put for question in questions if question.deal)

    def _places_of_profiles(self, share: AskedShare) -> Counter[int]:
        found = Counter({each.id: int(each.is_for(None)) for each in self.questions})
        for _, persona in self.personas:
            for variant in self.variants_of(persona):
                found.update(each.id for each in self._put_to(persona, variant, self.questions, share))
        return Counter({each.id: found[each.id] * len(each.orders) for each in self.questions})

    @cached_property
    def _of_shard(self) -> "ShardPart":
        """Whom the shard asks anything of any model, and how often each question of one that is asked most."""
        most = AskedShare(None, any(model.share.all_groups for model in self.models))
        return self._in_shard(most)

    def _in_shard(self, share: AskedShare) -> "ShardPart":
        places, people = self._count(None, NOBODY), []
        for place, (_, persona) in enumerate(self.personas):
            counts = [self._count(persona, each, share) for each in self.variants_of(persona)]
            for count in counts:
                places.update(count)
            if any(count.total() for count in counts):
                people.append(place)
        return ShardPart(people, places)

    def _count(self, persona: Persona | None, variant: AskedVariant, share: AskedShare = EVERYTHING) -> Counter[int]:
        """How many trials each question has of a persona in a variant without replicates, by its id."""
        asked = self._asked_of(persona, variant, self.questions, share)
        return Counter({question.id: len(rotations) for question, _, rotations in asked})

    def asked(self, model: AskedModel, trial: Trial) -> Asked:
        """One trial, by the ids of its rows."""
        question, persona = self._numbered[trial.item], self._people.get(trial.persona)
        variant = self._variants[trial.variant] if persona else NOBODY
        prefix, form = self._prefix(persona, variant, question), model.form_of(question)
        key = prefix.key(form, question.encoded[trial.rotation], trial.replicate)
        return Asked(trial, question, persona, prefix, form, key)

    @cached_property
    def _numbered(self) -> Mapping[int, Question]:
        return {question.id: question for question in self.questions}

    @cached_property
    def _people(self) -> Mapping[int, Persona]:
        return dict(self.personas)

    @cached_property
    def _variants(self) -> Mapping[int, AskedVariant]:
        return {each.id: each for each in self.variants}

    def selection(self) -> SelectionRows:
        """The rows that a report on this study is about, and which part of its trials this file asks."""
        return {
            "shard": [self.shard.number, self.shard.count],
            "models": [model.id for model in self.models],
            "personas": [number for number, _ in self.personas],
            "variants": [each.id for each in self.variants],
            "items": [question.id for question in self.questions],
            **({} if self.shard.whole else {"here": [number for number, _ in self.in_order]}),
            **({"deals": deals} if (deals := list(deal_rows(self))) else {}),
            **({"profiles": [self.profiles.rows(self.personas, self.questions)]} if self.profiles else {}),
        }

    def _asked(
        self,
        model: AskedModel,
        persona_id: int,
        persona: Persona | None,
        variant: AskedVariant,
        questions: Sequence[Question],
        start: int = 0,
        stop: int | None = None,
    ) -> Iterator[Asked]:
        told = range(model.section.replicates)
        for question, prefix, rotations in self._asked_of(persona, variant, questions, model.share):
            form = model.form_of(question)
            replicates = told if persona else range(model.replicates_alone(question))[start:stop]
            for rotation in rotations:
                encoded = question.encoded[rotation]
                for replicate in replicates:
                    trial = Trial(model.id, persona_id, variant.id, question.id, rotation, replicate)
                    yield Asked(trial, question, persona, prefix, form, prefix.key(form, encoded, replicate))

    def _asked_of(
        self,
        persona: Persona | None,
        variant: AskedVariant,
        questions: Sequence[Question],
        share: AskedShare = EVERYTHING,
    ) -> Iterator[tuple[Question, PromptPrefix, Sequence[int]]]:
        """Which of the questions the shard puts to a persona, with what they begin with and in which rotations."""
        prefixes: dict[Hashable, PromptPrefix | None] = {}  # None where another shard has all of a text
        for question in self._put_to(persona, variant, questions, share):
            beside = question.beside
            if beside not in prefixes:
                prefix = self._prefix(persona, variant, question)
                is_here = not prefix.persona_text or self.shard.holds(prefix.persona_text)
                prefixes[beside] = prefix if is_here else None
            if found := prefixes[beside]:
                yield question, found, question.rotations if found.persona_text else self._alone(question)

    def _alone(self, question: Question) -> Sequence[int]:
        """The rotations that the shard asks without a persona's text."""
        if self.shard.whole:
            return question.rotations
        return [rotation for rotation in question.rotations if self.shard.holds(question.texts[rotation])]

    def _put_to(
        self, persona: Persona | None, variant: AskedVariant, questions: Sequence[Question], share: AskedShare
    ) -> Sequence[Question]:
        """Which of the questions a model with this share puts to a persona, in whatever shard."""
        if persona is None:
            return [each for each in questions if each.is_for(None)]
        if not share.has(persona):
            return ()
        if questions is self.questions and variant.variant.format != CONTROL and not share.all_groups:
            questions = self._dealt.of(persona.persona_id)
        if self.profiles:
            name, holds = persona.persona_id, self.profiles.holds
            questions = [each for each in questions if holds(name, variant, each.place)]
        told = variant.variant
        return [each for each in questions if each.is_put_to_all or each.is_put_to(persona, told, share)]

    @cached_property
    def _dealt(self) -> DealtQuestions:
        return DealtQuestions(self.questions)

    def _prefix(self, persona: Persona | None, variant: AskedVariant, question: Question) -> PromptPrefix:
        """What the requests begin with that put a question, and all that stand beside the same text, to a persona."""
        text = ""
        if persona is not None:
            text = render(persona, self.respondents.traits, question.item.visible(variant.shown), variant.variant)
        return PromptPrefix(text, self.system, variant.variant)


def blocks(trials: Iterable[Asked]) -> Iterator[list[Asked]]:
    """A few hundred trials at a time."""
    iterator = iter(trials)
    while block := list(islice(iterator, BLOCK)):
        yield block

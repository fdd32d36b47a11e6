"""The cross product of a study, enumerated lazily, persona by persona."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple

from personas.people.respondents import Respondents
from personas.people.sample import balance
from personas.prompt.messages import compose
from personas.prompt.render import Variant, render
from personas.traits import Persona
from runner.backends.catalogue.answer_forms import parameters_for
from runner.backends.request import AnswerKind, ModelIdentity, Request, canonical, digest
from runner.crossing.asked_shares import EVERYTHING, AskedShare, deal_rows
from runner.crossing.profiles import NOBODY, AskedVariant, Profiles
from runner.crossing.questions import Question
from runner.crossing.request_keys import Envelopes, Form, answer_kind, is_sampled, key_of
from runner.store.cache import Trial
from runner.store.runs import SelectionRows
from runner.study.sections import ModelSection
from runner.study.shard import WHOLE, Shard
from scoring.answers.items import Item
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

    def replicates_of(self, question: Question, persona: Persona | None) -> int:
        """How often a question is put to a persona, or, more often where answers are draws, to nobody."""
        alone = persona is None and is_sampled(question.item, self.section)
        return max(self.section.replicates, self.baseline_replicates) if alone else self.section.replicates

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


class Asked(NamedTuple):
    """A trial and what it takes to send and score it."""

    trial: Trial
    question: Question
    persona: Persona | None
    persona_text: str
    request: Request
    judged: Judged | None = None

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
        order = balance(self.respondents.take(here), self.strata)
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
            extra = model.replicates_of(question, None) - model.section.replicates
            alone = self._baseline_places[question.id] * extra if extra else 0
            yield question, self._places(model.share)[question.id] * model.section.replicates + alone

    @cached_property
    def _baseline_places(self) -> Counter[int]:
        """How many baseline trials each question has in a model without replicates, by its id."""
        return Counter(question.id for question, _, _ in self._asked_of(None, NOBODY, self.questions))

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
        places = {}
        dealt = [each.variant for each in self.variants if each.variant.format != CONTROL]
        for question in self.questions:
            people = sum(question.is_for(each) and share.has(each) for _, each in self.personas)
            told = people * (len(self.variants) - len(dealt))
            if dealt:
                told += len(dealt) * sum(question.is_put_to(each, dealt[0], share) for _, each in self.personas)
            places[question.id] = len(question.orders) * (question.is_for(None) + told)
        return places

    def _places_of_profiles(self, share: AskedShare) -> Counter[int]:
        found = Counter({each.id: int(each.is_for(None)) for each in self.questions})
        for _, persona in self.personas:
            for variant in self.variants_of(persona):
                found.update(each.id for each in self.questions if self._is_put_to(each, persona, variant, share))
        return Counter({each.id: found[each.id] * len(each.orders) for each in self.questions})

    def _is_put_to(self, question: Question, persona: Persona | None, variant: AskedVariant, share: AskedShare) -> bool:
        if persona and self.profiles and not self.profiles.holds(persona.persona_id, variant, question.place):
            return False
        return question.is_put_to(persona, variant.variant, share)

    @cached_property
    def _of_shard(self) -> "ShardPart":
        """Whom the shard asks anything of any model, and how often each question of one that is asked most."""
        most = AskedShare(None, any(model.share.all_groups for model in self.models))
        return self._in_shard(most)

    def _in_shard(self, share: AskedShare) -> "ShardPart":
        places = Counter(question.id for question, _, _ in self._asked_of(None, NOBODY, self.questions))
        people = []
        for place, (_, persona) in enumerate(self.personas):
            before = places.total()
            for each in self.variants_of(persona):
                places.update(question.id for question, _, _ in self._asked_of(persona, each, self.questions, share))
            if places.total() > before:
                people.append(place)
        return ShardPart(people, places)

    def asked(self, model: AskedModel, trial: Trial) -> Asked:
        """One trial, by the ids of its rows."""
        question, persona = self._numbered[trial.item], self._people.get(trial.persona)
        variant = self._variants[trial.variant] if persona else NOBODY
        text = self._persona_text(persona, variant, question.item)
        return Asked(trial, question, persona, text, self._request(model, question, trial, text, variant.variant))

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
        for question, text, rotation in self._asked_of(persona, variant, questions, model.share):
            count = model.replicates_of(question, persona)
            for replicate in range(count)[start:stop]:
                trial = Trial(model.id, persona_id, variant.id, question.id, rotation, replicate)
                request = self._request(model, question, trial, text, variant.variant)
                yield Asked(trial, question, persona, text, request)

    def _asked_of(
        self,
        persona: Persona | None,
        variant: AskedVariant,
        questions: Sequence[Question],
        share: AskedShare = EVERYTHING,
    ) -> Iterator[tuple[Question, str, int]]:
        """Which of the questions the shard puts to a persona, with the persona's text and the rotation."""
        texts: dict[Hashable, str] = {}
        for question in questions:
            if not self._is_put_to(question, persona, variant, share):
                continue
            beside = question.item.shown_key
            if beside not in texts:
                texts[beside] = self._persona_text(persona, variant, question.item)
            for rotation, asked in enumerate(question.texts):
                if self.shard.holds(texts[beside] or asked):
                    yield question, texts[beside], rotation

    def _persona_text(self, persona: Persona | None, variant: AskedVariant, item: Item) -> str:
        if persona is None:
            return ""
        return render(persona, self.respondents.traits, item.visible(variant.shown), variant.variant)

    def _request(
        self, model: AskedModel, question: Question, trial: Trial, persona_text: str, variant: Variant
    ) -> Request:
        text = question.texts[trial.rotation]
        messages = compose(persona_text or None, text, self.system, variant)
        form = model.form_of(question)
        envelope = self._envelopes.around(
            (trial.variant, persona_text), lambda mark: compose(persona_text or None, mark, self.system, variant)
        )
        if envelope is None:
            key = digest(form.fields(messages, trial.replicate))
        else:
            key = key_of(form.frame(trial.replicate), envelope, question.encoded[trial.rotation])
        return Request(key, messages, form.parameters, form.kind, form.options, persona_text)

    @cached_property
    def _envelopes(self) -> Envelopes:
        """The messages of the latest personas, without the question."""
        return Envelopes()


def blocks(trials: Iterable[Asked]) -> Iterator[list[Asked]]:
    """A few hundred trials at a time."""
    iterator = iter(trials)
    while block := list(islice(iterator, BLOCK)):
        yield block

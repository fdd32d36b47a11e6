"""The cross product of a study, enumerated lazily, persona by persona."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

from personas.people.respondents import Respondents
from personas.prompt.messages import compose
from personas.prompt.render import Variant, render
from personas.traits import Persona
from runner.backends.request import AnswerKind, ModelIdentity, Request, digest, key_fields
from runner.store.cache import Trial
from runner.study.sections import ModelSection
from runner.study.shard import WHOLE, Shard
from scoring.answers.items import LETTERS, Item, continuations
from scoring.answers.responses import Response
from scoring.benchmarks.base import Benchmark, JudgeQuestion
from scoring.benchmarks.registry import measure

SCORER = "2"  # 2: letters are read from what a reply claims
BLOCK = 512


@dataclass(frozen=True)
class Question:
    """An item as it is asked: per rotation, the order of its options and the text."""

    id: int
    item: Item
    benchmark: Benchmark
    orders: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]
    judge: str | None = None

    @cached_property
    def measure(self) -> str:
        """What a report calls the part that the item belongs to."""
        return measure(self.benchmark.name, self.item.part)

    @property
    def scorer(self) -> str:
        """Names the code, and the judge, that score the item; a score by another is made anew."""
        judge = f":{self.judge}" if self.judge else ""
        return f"{SCORER}:{self.benchmark.name}:{self.benchmark.version}{judge}"

    def is_for(self, persona: Persona | None) -> bool:
        """Whether it can be asked of this persona: a hidden trait's gold answer is the persona's own."""
        trait = self.item.target_trait
        return trait is None or (persona is not None and trait in persona.answers)


@dataclass(frozen=True)
class AskedModel:
    """A model of the study with its row."""

    id: int
    section: ModelSection
    identity: ModelIdentity

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The part of every key that is the model's."""
        return self.identity.fields()


class AskedVariant(NamedTuple):
    """A variant with its row, and the traits that it shows."""

    id: int
    variant: Variant
    shown: Sequence[str]


NOBODY = AskedVariant(0, Variant(), ())


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


@dataclass(frozen=True)
class Crossing:
    """Everything that a study crosses, each with the id of its row; a shard asks its own part of the trials."""

    personas: Sequence[tuple[int, Persona]]
    variants: Sequence[AskedVariant]
    questions: Sequence[Question]
    models: Sequence[AskedModel]
    judges: Mapping[str, AskedModel]
    respondents: Respondents
    system: str
    shard: Shard = WHOLE

    def trials(self, model: AskedModel) -> Iterator[Asked]:
        """The trials of one model: the baseline first, then persona by persona."""
        yield from self.baseline(model)
        for number, persona in self.personas:
            yield from self.of_persona(model, number, persona, self.questions)

    def baseline(self, model: AskedModel) -> Iterator[Asked]:
        """The trials without a persona."""
        return self._asked(model, 0, None, NOBODY, self.questions)

    def of_persona(
        self, model: AskedModel, number: int, persona: Persona, questions: Sequence[Question]
    ) -> Iterator[Asked]:
        """Some questions to one persona, in every variant; `number` is its row."""
        for variant in self.variants:
            yield from self._asked(model, number, persona, variant, questions)

    def counts(self, model: AskedModel) -> Iterator[tuple[Question, int]]:
        """How many trials of one model each question has."""
        for question in self.questions:
            yield question, self._places[question.id] * model.section.replicates

    @cached_property
    def _places(self) -> Mapping[int, int]:
        """How many trials each question has in a model without replicates, by its id."""
        if not self.shard.whole:
            told = [(None, NOBODY), *((persona, each) for _, persona in self.personas for each in self.variants)]
            return Counter(question.id for pair in told for question, _, _ in self._asked_of(*pair, self.questions))
        places = {}
        for question in self.questions:
            people = sum(question.is_for(persona) for _, persona in self.personas)
            places[question.id] = len(question.orders) * (question.is_for(None) + people * len(self.variants))
        return places

    def asked(self, model: AskedModel, trial: Trial) -> Asked:
        """One trial, by the ids of its rows."""
        question, persona = self._numbered[trial.item], self._people.get(trial.persona)
        variant = self._variants[trial.variant] if persona else NOBODY
        text = self._persona_text(persona, variant, question.item.target_trait)
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

    def selection(self) -> dict[str, list[int]]:
        """The rows that a report on this study is about, and which part of its trials this file asks."""
        return {
            "shard": [self.shard.number, self.shard.count],
            "models": [model.id for model in self.models],
            "personas": [number for number, _ in self.personas],
            "variants": [each.id for each in self.variants],
            "items": [question.id for question in self.questions],
        }

    def _asked(
        self,
        model: AskedModel,
        persona_id: int,
        persona: Persona | None,
        variant: AskedVariant,
        questions: Sequence[Question],
    ) -> Iterator[Asked]:
        for question, text, rotation in self._asked_of(persona, variant, questions):
            for replicate in range(model.section.replicates):
                trial = Trial(model.id, persona_id, variant.id, question.id, rotation, replicate)
                request = self._request(model, question, trial, text, variant.variant)
                yield Asked(trial, question, persona, text, request)

    def _asked_of(
        self, persona: Persona | None, variant: AskedVariant, questions: Sequence[Question]
    ) -> Iterator[tuple[Question, str, int]]:
        """Which of the questions the shard puts to a persona, with the persona's text and the rotation."""
        texts: dict[str | None, str] = {}
        for question in questions:
            if not question.is_for(persona):
                continue
            hidden = question.item.target_trait
            if hidden not in texts:
                texts[hidden] = self._persona_text(persona, variant, hidden)
            for rotation, asked in enumerate(question.texts):
                if self.shard.holds(texts[hidden] or asked):
                    yield question, texts[hidden], rotation

    def _persona_text(self, persona: Persona | None, variant: AskedVariant, hidden: str | None) -> str:
        if persona is None:
            return ""
        shown = [name for name in variant.shown if name != hidden]
        return render(persona, self.respondents.traits, shown, variant.variant)

    def _request(
        self, model: AskedModel, question: Question, trial: Trial, persona_text: str, variant: Variant
    ) -> Request:
        messages = compose(persona_text or None, question.texts[trial.rotation], self.system, variant)
        kind, options = answer_kind(question.item, model.section.answer)
        fields = key_fields(model.fields, messages, kind, options, trial.replicate)
        return Request(digest(fields), messages, model.identity.parameters, kind, options)


def blocks(trials: Iterable[Asked]) -> Iterator[list[Asked]]:
    """A few hundred trials at a time."""
    iterator = iter(trials)
    while block := list(islice(iterator, BLOCK)):
        yield block


def answer_kind(item: Item, answer: str) -> tuple[AnswerKind, tuple[str, ...]]:
    """What is asked of a model whose study says `answer`, and the letters or continuations that it chooses from."""
    if item.ask == "loglik":
        return "loglik", continuations(item)
    if item.ask == "letter" and answer == "probabilities":
        return "letters", tuple(LETTERS[: len(item.choices)])
    return "text", ()


def judge_request(judge: AskedModel, question: JudgeQuestion) -> Request:
    """What a judge is sent."""
    messages = [{"role": "user", "content": question.text}]
    fields = key_fields(judge.fields, messages, "text", (), 0)
    return Request(digest(fields), messages, judge.identity.parameters, "text", ())

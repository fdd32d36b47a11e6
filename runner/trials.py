"""The cross product of a study, enumerated lazily, persona by persona."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

from personas.errors import InputError
from personas.render import Variant, chosen_traits, cluster, compose, render
from personas.respondents import Respondents
from personas.traits import Persona
from runner.cache import Trial
from runner.config import ModelSection, Study
from runner.database import register
from runner.requests import AnswerKind, ModelIdentity, Request, digest, key_fields
from runner.sources import Selection
from scoring.answers import Response
from scoring.benchmarks.base import Benchmark, JudgeQuestion, measure
from scoring.items import LETTERS, Item, continuations, option_order, question_text, rotations

SCORER = "1"


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
    """Everything that a study crosses, each with the id of its row."""

    personas: Sequence[tuple[int, Persona]]
    variants: Sequence[tuple[int, Variant]]
    questions: Sequence[Question]
    models: Sequence[AskedModel]
    judges: Mapping[str, AskedModel]
    respondents: Respondents
    shown: Sequence[str]
    system: str

    def trials(self, model: AskedModel) -> Iterator[Asked]:
        """The trials of one model: the baseline first, then persona by persona."""
        yield from self._asked(model, 0, None, 0, Variant())
        for persona_id, persona in self.personas:
            for variant_id, variant in self.variants:
                yield from self._asked(model, persona_id, persona, variant_id, variant)

    def counts(self, model: AskedModel) -> Iterator[tuple[Question, int]]:
        """How many trials of one model each question has."""
        for question in self.questions:
            people = sum(question.is_for(persona) for _, persona in self.personas)
            asked = question.is_for(None) + people * len(self.variants)
            yield question, len(question.orders) * model.section.replicates * asked

    def selection(self) -> dict[str, list[int]]:
        """The rows that a report on this study is about."""
        return {
            "models": [model.id for model in self.models],
            "personas": [number for number, _ in self.personas],
            "variants": [number for number, _ in self.variants],
            "items": [question.id for question in self.questions],
        }

    def _asked(
        self, model: AskedModel, persona_id: int, persona: Persona | None, variant_id: int, variant: Variant
    ) -> Iterator[Asked]:
        texts: dict[str | None, str] = {}
        for question in self.questions:
            if not question.is_for(persona):
                continue
            hidden = question.item.target_trait
            if hidden not in texts:
                texts[hidden] = self._persona_text(persona, variant, hidden)
            for rotation in range(len(question.orders)):
                for replicate in range(model.section.replicates):
                    trial = Trial(model.id, persona_id, variant_id, question.id, rotation, replicate)
                    request = self._request(model, question, trial, texts[hidden], variant)
                    yield Asked(trial, question, persona, texts[hidden], request)

    def _persona_text(self, persona: Persona | None, variant: Variant, hidden: str | None) -> str:
        if persona is None:
            return ""
        shown = [name for name in self.shown if name != hidden]
        return render(persona, self.respondents.traits, shown, variant)

    def _request(
        self, model: AskedModel, question: Question, trial: Trial, persona_text: str, variant: Variant
    ) -> Request:
        messages = compose(persona_text or None, question.texts[trial.rotation], self.system, variant)
        kind, options = answer_kind(question.item, model.section.answer)
        fields = key_fields(model.fields, messages, kind, options, trial.replicate)
        return Request(digest(fields), messages, model.identity.parameters, kind, options)


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


def cross(
    study: Study,
    connection: Any,
    respondents: Respondents,
    selections: Sequence[Selection],
    identities: Sequence[ModelIdentity],
) -> Crossing:
    """The crossing of a study; rows that the database does not have yet are made."""
    shown = chosen_traits(study.personas.traits, respondents.traits)
    people = list(respondents.personas())
    records = _persona_records(study, respondents, people, shown)
    persona_ids = register(connection, "persona", records, mutable=["subgroups"])
    variants = study.variants.crossed()
    variant_ids = register(connection, "variant", [{**asdict(each), "traits": list(shown)} for each in variants])
    asked = _models(study, connection, identities)
    return Crossing(
        personas=list(zip(persona_ids, people, strict=True)),
        variants=list(zip(variant_ids, variants, strict=True)),
        questions=[question for each in selections for question in _questions(connection, each)],
        models=[model for model in asked if model.section.name not in study.judges],
        judges={model.section.name: model for model in asked if model.section.name in study.judges},
        respondents=respondents,
        shown=shown,
        system=study.variants.system,
    )


def _persona_records(
    study: Study, respondents: Respondents, people: Sequence[Persona], shown: Sequence[str]
) -> list[dict[str, Any]]:
    """Persona rows; `subgroups` are the attributes that the report tells apart."""
    columns = {name: respondents.attribute(name) for name in study.report.attributes}
    return [
        {
            "persona_id": person.persona_id,
            "survey": person.survey,
            "wave": person.wave,
            "country": person.country,
            "weight": person.weight,
            "cluster": cluster(person, shown),
            "answers": dict(person.answers),
            "subgroups": {name: str(column.iat[place]) for name, column in columns.items()},
        }
        for place, person in enumerate(people)
    ]


def _questions(connection: Any, selection: Selection) -> Iterator[Question]:
    items = selection.items
    records = [
        {
            "item_id": item.id,
            "benchmark": item.benchmark,
            "part": item.part,
            "grp": item.group,
            "record": {**asdict(item), "meta": dict(item.meta), "scoring": dict(item.scoring)},
        }
        for item in items
    ]
    for number, item in zip(register(connection, "item", records), items, strict=True):
        orders = tuple(option_order(item, each) for each in range(rotations(item, selection.section.rotations)))
        texts = tuple(question_text(item, order) for order in orders)
        yield Question(number, item, selection.benchmark, orders, texts, selection.section.judge)


def _models(study: Study, connection: Any, identities: Sequence[ModelIdentity]) -> list[AskedModel]:
    records = [
        {"name": section.name, **identity.fields(), "answer": section.answer}
        for identity, section in zip(identities, study.models, strict=True)
    ]
    found: list[AskedModel] = []
    for section, identity, record in zip(study.models, identities, records, strict=True):
        row = {"provider": "", "model": "", "revision": "", "dtype": "", **record}
        (number,) = register(connection, "model", [row], mutable=["name"])
        if twin := next((each for each in found if each.id == number), None):
            raise InputError(f"{study.path}: models {twin.section.name!r} and {section.name!r} are the same; drop one")
        found.append(AskedModel(number, section, identity))
    return found

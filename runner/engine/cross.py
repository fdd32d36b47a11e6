"""The crossing of a study from its people, items and models; rows that the file lacks are made."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from personas.errors import InputError
from personas.people.respondents import Respondents
from personas.prompt.trait_sets import cluster, trait_sets
from personas.traits import Persona
from runner.backends.request import ModelIdentity
from runner.engine.trials import AskedModel, AskedVariant, Crossing, Question
from runner.store.rows import register
from runner.study.config import Study
from runner.study.sections import ModelSection
from runner.study.sources import Selection
from scoring.answers.items import option_order, question_text, rotations


def cross(
    study: Study,
    connection: Any,
    respondents: Respondents,
    selections: Sequence[Selection],
    identities: Sequence[ModelIdentity],
) -> Crossing:
    """The crossing of a study; rows that the database does not have yet are made."""
    people = list(respondents.personas())
    sets = trait_sets(study.trait_sets, respondents.traits)
    records = _persona_records(study, respondents, people, sets[0])
    persona_ids = register(connection, "persona", records, mutable=["subgroups"])
    variants = [(variant, shown) for shown in sets for variant in study.variants.crossed()]
    told = [{**asdict(variant), "traits": shown} for variant, shown in variants]
    variant_ids = register(connection, "variant", told)
    asked = _models(study, connection, identities)
    return Crossing(
        personas=list(zip(persona_ids, people, strict=True)),
        variants=[AskedVariant(number, *each) for number, each in zip(variant_ids, variants, strict=True)],
        questions=[question for each in selections for question in _questions(connection, each)],
        models=[model for model in asked if model.section.name not in study.judges],
        judges={model.section.name: model for model in asked if model.section.name in study.judges},
        respondents=respondents,
        system=study.variants.system,
        shard=study.shard,
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
            raise InputError(f"{study.path}: {_same(twin.section, section)}")
        found.append(AskedModel(number, section, identity))
    return found


def _same(one: ModelSection, other: ModelSection) -> str:
    """What to do about two models that no answer in the file can be told apart by."""
    names = f"models {one.name!r} and {other.name!r}"
    if one.base_urls == other.base_urls:
        return f"{names} are the same; drop one"
    return (
        f"{names} have the same id on two endpoints, so their answers could not be told apart; if they serve different "
        "versions, name each with revision = …, else list both addresses in one model's base_urls"
    )

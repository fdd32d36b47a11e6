"""The crossing of a study from its people, items and models; rows that the file lacks are made."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from personas.errors import InputError
from personas.people.draws import RULE
from personas.people.pseudonyms import TWIN, pseudonym
from personas.people.respondents import Respondents
from personas.prompt.given_names import refuse_unnamed
from personas.prompt.random_profiles import RandomProfiles, random_told
from personas.prompt.render import Variant
from personas.prompt.trait_sets import cluster, trait_sets
from personas.stable_order import rank
from personas.traits import Persona
from runner.backends.catalogue.answer_forms import without_schema
from runner.backends.catalogue.parameters import without_loglikelihoods
from runner.backends.request import AnswerKind, ModelIdentity
from runner.crossing.asked_shares import share_of
from runner.crossing.profiles import AskedVariant, Profiles, told_of
from runner.crossing.questions import Question
from runner.crossing.request_keys import answer_kind, is_sampled
from runner.crossing.trials import AskedModel, Crossing
from runner.store.assigned.deals import Starts
from runner.store.rows import keep_labels, register
from runner.study.config import Study
from runner.study.sections import ModelSection
from runner.study.sources import Selection
from scoring.answers.items import Item, item_record, option_order, question_text, rotations
from scoring.statistics.designs.incomplete import Deal, deal
from scoring.statistics.designs.power import DEFAULTS, baseline_replicates

_ASK_OTHERWISE = "choose another part (`mtpa-run benchmarks list`), or ask a local model"


def cross(
    study: Study,
    connection: Any,
    respondents: Respondents,
    selections: Sequence[Selection],
    identities: Sequence[ModelIdentity],
    known: Mapping[tuple[str, ...], Starts] = MappingProxyType({}),
    rule: int = RULE,
) -> Crossing:
    """The crossing of a study; rows that the database does not have yet are made.

    `known` says where people start whom an earlier run dealt groups to (`known_starts`), `rule` how they were drawn.
    """
    unable = [why for why in map(without_schema, study.asked_models) if why]
    if unable and "json" in study.variants.elicitation:
        raise InputError(f"{study.path}: {unable[0]}")
    people = list(respondents.personas())
    sets = trait_sets(study.trait_sets, respondents.traits)
    profiles = _profiles(study, connection, respondents, people, sets[0])
    if "name" in study.variants.cues:
        refuse_unnamed((person.country for person in people), sets[0])
    records = _persona_records(study, respondents, people, sets[0])
    persona_ids = register(connection, "persona", records, mutable=["subgroups"])
    keep_labels(connection, respondents.traits, (person.answers for person in people))
    questions = [
        question
        for each in selections
        for question in _questions(connection, study, each, _deal(study, each, respondents, people, known))
    ]
    asked = _models(study, connection, identities, questions, rule, people)
    return Crossing(
        personas=list(zip(persona_ids, people, strict=True)),
        variants=profiles.variants if profiles else _variants(study, connection, sets),
        questions=questions,
        models=[model for model in asked if model.section.name not in study.judges],
        judges={model.section.name: model for model in asked if model.section.name in study.judges},
        respondents=respondents,
        system=study.variants.system,
        shard=study.shard,
        strata=study.personas.stratify,
        profiles=profiles,
    )


def _variants(study: Study, connection: Any, sets: Sequence[Sequence[str]]) -> list[AskedVariant]:
    """Every wording with every set of traits."""
    crossed = [(variant, shown) for shown in sets for variant in study.variants.crossed()]
    numbers = register(connection, "variant", [_variant_record(*each) for each in crossed])
    return [AskedVariant(number, *each) for number, each in zip(numbers, crossed, strict=True)]


def _variant_record(variant: Variant, shown: Sequence[str]) -> dict[str, Any]:
    return {**asdict(variant), "traits": list(shown)}


def _profiles(
    study: Study, connection: Any, respondents: Respondents, people: Sequence[Persona], chosen: Sequence[str]
) -> Profiles | None:
    """The random profiles of a study, with the rows of their variants; None where everybody is told all."""
    if (told := random_told(study.personas.show, chosen)) is None:
        return None
    rule = RandomProfiles(tuple(chosen), told, study.personas.profiles, study.study.seed)
    of = told_of(rule, people, respondents.traits)
    wordings = study.variants.crossed()
    sets = dict.fromkeys(shown for own in of.values() for shown in own)
    texts = [(variant, shown) for shown in sets for variant in wordings]
    numbers = register(connection, "variant", [_variant_record(*each) for each in texts])
    return Profiles(rule, wordings, of, dict(zip(texts, numbers, strict=True)))


def _deal(
    study: Study,
    selection: Selection,
    respondents: Respondents,
    people: Sequence[Persona],
    known: Mapping[tuple[str, ...], Starts],
) -> Deal | None:
    """Who is asked which groups of a benchmark; None where everybody is asked all.

    People of whom only some models are asked are dealt groups after the others, so that both are balanced.
    """
    groups, section = {item.group for item in selection.items}, selection.section
    shares = [share_of(model, study, people) for model in study.asked_models]
    limits = sorted({len(each.people) for each in shares if each.people is not None})
    per_person = section.per_person or len(groups)
    if per_person == len(groups) and not limits:
        return None
    names = [str(name) for name in respondents.frame["persona_id"]]
    circle = deal(list(groups), [], [], per_person, study.study.seed).circle
    before = known.get(tuple(circle), {})
    starts = {name: before[pseudonym(name)] for name in names if pseudonym(name) in before}
    own = [place for place, name in enumerate(names) if TWIN not in name]
    for most in (*limits, len(own)):
        new = [place for place in own[:most] if names[place] not in starts]
        levels = [respondents.attribute(name).iloc[new].tolist() for name in study.personas.stratify]
        starts |= deal(circle, [names[place] for place in new], levels, per_person, study.study.seed).starts
    return replace(deal(circle, [], [], per_person, study.study.seed), starts=starts)


def _persona_records(
    study: Study, respondents: Respondents, people: Sequence[Persona], shown: Sequence[str]
) -> list[dict[str, Any]]:
    """Persona rows; `subgroups` are the attributes by which the report breaks results down."""
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


def _elicited(study: Study, items: Sequence[Item]) -> Iterator[Item]:
    """The items, once for every form of answer that the study asks for.

    An item that has only one form is there once.
    """
    for elicitation in study.variants.elicitation:
        room = study.variants.reasoning_tokens if elicitation == "reasoning" else None
        for item in items:
            if item.can_be_elicited:
                yield item if elicitation == "letter" else replace(item, elicitation=elicitation, room=room)
    yield from (item for item in items if not item.can_be_elicited)


def _questions(connection: Any, study: Study, selection: Selection, deal: Deal | None) -> Iterator[Question]:
    items = selection.items if study.variants.elicitation == ("letter",) else list(_elicited(study, selection.items))
    records = [
        {
            "item_id": item.id,
            "benchmark": item.benchmark,
            "part": item.part,
            "grp": item.group,
            "record": item_record(item),
        }
        for item in items
    ]
    places = {group: place for place, group in enumerate(_in_order({item.group for item in items}, study.study.seed))}
    for number, item in zip(register(connection, "item", records), items, strict=True):
        orders = tuple(option_order(item, each) for each in range(rotations(item, selection.section.rotations)))
        texts = tuple(question_text(item, order) for order in orders)
        about = (selection.section.judge, deal, selection.people, places[item.group])
        yield Question(number, item, selection.benchmark, orders, texts, *about)


def _in_order(groups: Iterable[str], seed: int) -> list[str]:
    """Item groups in the order in which they are drawn, so that more groups come behind those of fewer."""
    return sorted(groups, key=partial(rank, seed))


def _models(
    study: Study,
    connection: Any,
    identities: Sequence[ModelIdentity],
    questions: Sequence[Question],
    rule: int,
    people: Sequence[Persona],
) -> list[AskedModel]:
    """The study's models with their rows.

    Where a kind of answer that is asked for is not computed as before, the row is one of its own, so that old
    answers are never paired with new ones.
    """
    found: list[AskedModel] = []
    for section, identity in zip(study.models, identities, strict=True):
        row = model_row(section, identity)
        judges = section.name in study.judges
        kinds: set[AnswerKind] = {answer_kind(each.item, section.answer)[0] for each in questions}
        kinds = {"text"} if judges else kinds
        if "loglik" in kinds and (why := without_loglikelihoods(section)):
            raise InputError(f"{study.path}: model {section.name!r}: {_wanted(questions)}, and {why}; {_ASK_OTHERWISE}")
        if method := max((identity.methods.get(kind, "") for kind in kinds), default=""):
            row["method"] = method
        (number,) = register(connection, "model", [row], mutable=["name"])
        # how a local model is asked is the same for all of its rows; an endpoint's depends on the study
        same = "provider = ? AND model = ? AND revision = ? AND (provider = 'local' OR id = ?)"
        sql = f"UPDATE model SET methods = ? WHERE {same}"
        named = (identity.provider, identity.model, identity.revision, number)
        connection.execute(sql, (json.dumps(identity.methods), *named))
        if twin := next((each for each in found if each.id == number), None):
            raise InputError(f"{study.path}: {_same(twin.section, section)}")
        times = _baseline_replicates(study, section, questions, rule)
        found.append(AskedModel(number, section, identity, times, share_of(section, study, people)))
    return found


def _wanted(questions: Sequence[Question]) -> str:
    """Which benchmarks want log-likelihoods."""
    names = list(dict.fromkeys(each.measure for each in questions if each.item.ask == "loglik"))
    return f"{' and '.join(names)} want{'s' * (len(names) == 1)} log-likelihoods"


def model_row(section: ModelSection, identity: ModelIdentity) -> dict[str, Any]:
    """A model as its row has it; all but its name is what it is known by."""
    unnamed = {"provider": "", "model": "", "revision": "", "dtype": ""}
    return {**unnamed, "name": section.name, **identity.fields(), "answer": section.answer}


def _baseline_replicates(study: Study, section: ModelSection, questions: Sequence[Question], rule: int) -> int:
    """How often the model's sampled baseline is asked.

    As the study says, else as is cheapest; a study whose people were drawn before there was such a rule keeps its
    baseline.
    """
    if section.baseline_replicates is not None or rule < RULE:
        return section.baseline_replicates or section.replicates
    sampled = [question for question in questions if is_sampled(question.item, section)]
    if section.name in study.judges or not sampled:
        return section.replicates
    rotated = max(len(question.orders) for question in sampled)
    return baseline_replicates(
        DEFAULTS, min(section.people or study.personas.n, study.personas.n), len(sampled), rotated
    )


def _same(one: ModelSection, other: ModelSection) -> str:
    """What to do about two models whose answers in the file could not be distinguished."""
    names = f"models {one.name!r} and {other.name!r}"
    if one.base_urls == other.base_urls:
        return f"{names} are the same; drop one"
    return (
        f"{names} have the same id on two endpoints, so their answers could not be distinguished; if they serve "
        "different versions, name each with revision = …, else list both addresses in one model's base_urls"
    )

"""Where a study's personas and items come from: built-in names and files, fetched and read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from personas.errors import InputError, nearest
from personas.people.draws import RULE
from personas.people.pseudonyms import TWIN
from personas.people.respondents import Respondents, combine
from personas.people.sample import sample
from personas.people.twins import twins
from personas.prompt.trait_sets import trait_sets
from personas.release.read import read_personas
from personas.stable_order import rank
from personas.surveys.reader import known_surveys, load_survey, read_survey
from runner.study.assets import benchmark_directory, fetch
from runner.study.config import Study
from runner.study.sections import BenchmarkSection
from runner.study.survey_questions import as_benchmark, asked_people, fidelity_items
from scoring.answers.items import Item, rotations
from scoring.benchmarks.base import Benchmark, JudgedBenchmark, default_part
from scoring.benchmarks.loaded import load_items
from scoring.benchmarks.registry import benchmark, measure
from scoring.benchmarks.trait_inference import TraitInference

DESCRIPTIONS = (".toml", ".yaml", ".yml")
FILES = (".parquet", ".jsonl", ".jsonl.gz", ".json")


@dataclass(frozen=True)
class Selection:
    """The items of one [[benchmarks]] table, or of [fidelity].

    `people` are those who are asked them, if not everybody.
    """

    benchmark: Benchmark
    section: BenchmarkSection
    items: list[Item]
    people: frozenset[str] | None = None
    remarks: tuple[str, ...] = ()


def load_everyone(study: Study) -> Respondents:
    """The respondents that the study's sample is drawn from. Raises InputError or MachineError."""
    section = study.personas
    try:
        return combine([_source(source, study) for source in section.sources]).where(section.where)
    except InputError as error:
        raise InputError(f"{study.path}, [personas]: {error}") from None


def load_personas(study: Study, rule: int = RULE) -> Respondents:
    """The study's sample of respondents, each followed by the twins that `swap` asks for, in the order of asking."""
    section, everyone = study.personas, load_everyone(study)
    try:
        for name in (*section.stratify, *study.report.attributes):
            everyone.attribute(name)
        chosen = sample(
            everyone,
            section.n,
            section.stratify,
            study.study.seed,
            section.allocation,
            weights=section.weights,
            minimum=section.minimum,
            rule=rule,
        )
        return _with_twins(chosen, section.swap) if section.swap else chosen
    except InputError as error:
        raise InputError(f"{study.path}, [personas]: {error}") from None


def _with_twins(chosen: Respondents, swap: Sequence[str]) -> Respondents:
    both = combine([chosen, twins(chosen, swap)])
    place = {name: number for number, name in enumerate(chosen.frame["persona_id"])}
    order = [place[name.split(TWIN)[0]] for name in both.frame["persona_id"]]
    return both.take(np.argsort(order, kind="stable"))


def _source(source: str, study: Study) -> Respondents:
    """A built-in survey by its name, or a file that `mtpa-run personas build` or `export` made."""
    if source in known_surveys():
        survey = load_survey(source)
        if survey.asset:
            return read_survey(survey, fetch(survey.asset))
        raise InputError(f"{source!r} is not ours to give: build it from its file, `mtpa-run personas build --help`")
    if source.endswith(FILES):
        return read_personas(study.path.parent / source)
    starters = [name for name in known_surveys() if load_survey(name).asset]
    raise InputError(f"unknown source {source!r}; {nearest(source, starters)}, or a file ({', '.join(FILES)})")


def load_benchmarks(study: Study) -> list[Selection]:
    """The items that the study asks, whole groups at a time."""
    return [_select(section, study) for section in study.benchmarks]


def load_fidelity(study: Study, people: Respondents) -> list[Selection]:
    """The survey's own questions, where the study asks them of its people. Raises InputError."""
    section = study.fidelity
    if section is None:
        return []
    try:
        told = trait_sets(study.trait_sets, people.traits)[0]
        items, asked = fidelity_items(section, people, told), asked_people(section, people)
    except InputError as error:
        raise InputError(f"{study.path}, [fidelity]: {error}") from None
    if (count := len({item.group for item in items})) < (section.per_person or 0):
        raise InputError(
            f"{study.path}, [fidelity]: per_person = {section.per_person}, but {count} questions are asked; choose 1 "
            f"to {count}"
        )
    return [Selection(benchmark(TraitInference.name), as_benchmark(section), items, asked)]


def described(name: str, study: Study) -> Benchmark:
    """The benchmark that a study names; the path of one in a file starts at the study file. Raises InputError."""
    return benchmark(str(study.path.parent / name) if name.endswith(DESCRIPTIONS) else name)


def _select(section: BenchmarkSection, study: Study) -> Selection:
    try:
        found = described(section.name, study)
        remarks = []
        if section.part is None and len(found.parts) > 1 and not found.pooled:
            part = default_part(found)
            section = section.model_copy(update={"part": part})
            about = f", {found.about[part]}" if part in found.about else ""
            others = ", ".join(each for each in found.parts if each != part)
            remarks.append(f"{section.name}: no part is named, so {part!r} is asked{about} (others: {others})")
        loaded = load_items(found, benchmark_directory(found), section.part)
        items = [item for item in loaded if section.ask in (None, item.ask)]
    except InputError as error:
        raise InputError(f"{study.path}, [[benchmarks]]: {error}") from None
    if not items:
        of_part = f", part {section.part!r}," if section.part else ""
        raise InputError(
            f"{study.path}, [[benchmarks]]: {section.name!r}{of_part} has no items with ask = {section.ask!r}; choose "
            "another part or ask"
        )
    if section.judge is None and isinstance(found, JudgedBenchmark) and any(item.ask == "text" for item in items):
        raise InputError(f"{study.path}, [[benchmarks]]: {section.name!r} needs a judge: judge = NAME of a [[models]]")
    chosen = _whole_groups(items, section.groups, study.study.seed)
    if (count := len({item.group for item in chosen})) < (section.per_person or 0):
        raise InputError(
            f"{study.path}, [[benchmarks]]: per_person = {section.per_person}, but {section.name!r} has {count} "
            f"groups; choose 1 to {count}"
        )
    return Selection(found, section, chosen, remarks=(*remarks, *_unrotated(section, chosen)))


def _unrotated(section: BenchmarkSection, items: Sequence[Item]) -> Iterator[str]:
    """Says where `rotations` asks for more orders of the options than an item has."""
    fewer = [item for item in items if rotations(item, section.rotations) < section.rotations]
    if not fewer:
        return
    what = f"{measure(section.name, items[0].part)}: rotations = {section.rotations}"
    fixed = [item for item in fewer if rotations(item, section.rotations) == 1]
    if len(fixed) < len(fewer):
        yield f"{what}, but {len(fewer) - len(fixed):,} of {len(items):,} items have fewer options, hence fewer orders"
    if fixed:
        whole = "" if len(fixed) == len(items) else f" for {len(fixed):,} of {len(items):,} items"
        reasons = dict.fromkeys(map(_why_fixed, fixed))
        yield f"{what} changes nothing{whole}: {'; '.join(reasons)}"


def _why_fixed(item: Item) -> str:
    if item.ask == "loglik":
        return "options that are scored by log-likelihood have no order"
    if item.ask == "text":
        return "free text has no options"
    return "the question lists its own options" if item.listed else "the options are a scale, always in its order"


def _whole_groups(items: list[Item], groups: int | None, seed: int) -> list[Item]:
    """The items of `groups` groups, the first by sha256(seed, group): more groups keep those of fewer."""
    if groups is None:
        return items
    names = {item.group for item in items}
    ranked = sorted(names, key=partial(rank, seed))
    chosen = set(ranked[:groups])
    return [item for item in items if item.group in chosen]

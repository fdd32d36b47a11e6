"""The findings of a study, from its database."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from personas.errors import MachineError
from runner.crossing.registration import registration_of
from runner.results.checklist import checklist, registration_words
from runner.results.fidelity import study_fidelity
from runner.store.completeness import of_scores
from runner.store.report_rows import (
    load_distributions,
    load_gold,
    load_items,
    load_levels,
    load_mass,
    load_rounds,
    load_stated_shares,
)
from runner.store.runs import SelectionRows
from runner.store.scores import last_selection, load_about, load_scores
from runner.study.assets import assets, fetch
from runner.study.config import Study
from runner.study.logs import logger
from runner.study.sections import ReportSection
from runner.study.sources import described, load_everyone
from runner.study.target import target_of
from scoring.benchmarks.base import Benchmark
from scoring.fidelity.stated_shares import stated_share_table
from scoring.report.findings import Findings, brief_findings, findings
from scoring.report.paper import BY
from scoring.report.sentences import finding as sentences
from scoring.statistics.designs.adaptive_floor import FLOOR
from scoring.statistics.designs.adaptive_rounds import AdaptiveDesign
from scoring.statistics.designs.inclusion import Round, is_drawn
from scoring.statistics.designs.sequential import Target, target_table
from scoring.statistics.subgroups import Slicing
from scoring.statistics.weights import Weights
from scoring.tables.covariates import covariate_table
from scoring.tables.distributions import distribution_table
from scoring.tables.score_levels import score_table
from scoring.tables.shown_traits import of_smallest_set

log = logger(__name__)


def study_findings(study: Study) -> Findings:
    """Every table of the last run of a study.

    Raises
    ------
    MtpaError
        The study's file is missing, damaged, or holds no run.
    """
    known = [described(section.name, study) for section in study.benchmarks]
    selection = last_selection(study.database)
    scores = load_scores(study.database, selection, answers=False)
    turns = int(scores["rotation"].max()) + 1 if len(scores) else 1
    slicing = slicing_of(study, scores)
    compared = registration_of(study)
    found = findings(
        scores,
        slicing,
        load_gold(study.database, turns),
        partial(load_items, study.database),
        about(study, scores, known) | registration_words(compared),
        lambda found: {
            "target": _target(study, scores, selection),
            "covariates": covariate_table(found, _covariates(study), slicing.attributes, study.study.seed),
            **study_fidelity(study, found, slicing.attributes),
            "stated_shares": _stated_shares(study, selection),
            "distributions": distribution_table(
                found, load_distributions(study.database), slicing.by, study.study.seed
            ),
            "letters": load_mass(study.database, selection),
        },
    )
    tables = {**found.tables, **{name: compared.marked(found.tables[name]) for name in ("effects", "families")}}
    told = {**found.about, "checklist": checklist(study, found)}
    return replace(found, tables=tables, about=told)


def brief_study_findings(study: Study, scores: pd.DataFrame | None = None, fidelity: bool = False) -> Findings:
    """What the finding in sentences is made of, in a small part of the time of the whole report.

    `scores` are those of the study's last run, if they were read before. With `fidelity`, which takes longer, how well
    respondents are played too.

    Raises InputError or MachineError.
    """
    for section in study.benchmarks:
        described(section.name, study)  # so that its metric has a name
    if scores is None:
        scores = load_scores(study.database, last_selection(study.database), answers=False)
    missing = of_scores(study.database, scores).sentence
    slicing = slicing_of(study, scores)
    models = load_about(study.database)["models"]
    about = {"incomplete": missing, "models": models, **registration_words(registration_of(study))}
    if not fidelity:
        return brief_findings(scores, slicing, about)
    told = partial(study_fidelity, study, attributes=slicing.attributes)
    return brief_findings(scores, slicing, about, told)


def finding(study: Study) -> list[str]:
    """What the last run of a study found, in sentences: a paragraph for each model and benchmark.

    What is missing of a run that is not whole stands first. Raises InputError or MachineError.
    """
    return sentences(brief_study_findings(study, fidelity=True))


def paper_scores(study: Study, slicing: Slicing) -> pd.DataFrame:
    """Scores as the paper's tables have them: with the fewest traits shown, where the study shows several sets."""
    scores = of_smallest_set(load_scores(study.database, last_selection(study.database), answers=False))
    by = tuple(name for name in BY if name in slicing.by)
    return score_table(replace(slicing, by=by, pairs=()).parts(scores), by, slicing.seed)


def _covariates(study: Study) -> dict[str, str]:
    """The model whose answers make another's Δ surer, by the name of that one."""
    return {model.name: model.covariate for model in study.asked_models if model.covariate is not None}


def _target(study: Study, scores: pd.DataFrame, selection: SelectionRows | None) -> pd.DataFrame:
    """Where a targeted run stands; empty without a target, or where the file's rounds were of another kind."""
    target = target_of(study)
    if target is None or selection is None:
        return pd.DataFrame()
    if not target.adaptive and is_drawn(scores):
        return pd.DataFrame()
    levels = load_levels(study.database, selection, target.by)
    make = None
    if target.adaptive:
        make = partial(_adaptive_design, load_rounds(study.database, selection))
    return target_table(scores, target, *levels, _covariates(study), make)


def _adaptive_design(
    drawn: Mapping[tuple[str, str], Mapping[tuple[str, int], Round]],
    part: tuple[str, str],
    target: Target,
    people: Mapping[str, str],
    groups: Sequence[str],
) -> AdaptiveDesign:
    """The course of a model and benchmark, as far as the file has it."""
    rounds = drawn.get(part, {})
    asked = {name for one in rounds.values() for name in one}
    return AdaptiveDesign(target, {name: people[name] for name in people if name in asked}, groups, {}, rounds)


def _stated_shares(study: Study, selection: SelectionRows | None) -> pd.DataFrame:
    """What models say of whole populations, where they were asked."""
    answers = load_stated_shares(study.database, selection)
    return answers if answers.empty else stated_share_table(answers, load_everyone(study))


def world_map() -> str | None:
    """The geometry of the report's map; None where it cannot be fetched."""
    try:
        return (fetch("world_map") / "world_110m.json").read_text(encoding="utf-8")
    except MachineError as error:
        log.warning("the page has no map: %s", error)
        return None


def drawing_script() -> str | None:
    """The part of plotly's script that draws the report's figures, a third of the size of the whole.

    None, so that the whole script is taken, where it cannot be fetched.
    """
    try:
        return (fetch("plotly_geo") / "plotly-geo.min.js").read_text(encoding="utf-8")
    except MachineError:
        log.warning("the page is 3 MB larger than it need be: a smaller script for its figures cannot be fetched")
        return None


def slicing_of(study: Study, scores: pd.DataFrame) -> Slicing:
    """The [report] section as the statistics take it; before anybody has answered there is nothing to slice by."""
    section = study.report
    if (scores["persona_id"] == "").all():
        return Slicing(min_n=section.min_n, seed=study.study.seed)
    return Slicing(
        section.by,
        section.pairs,
        section.weights,
        section.population,
        section.min_n,
        study.study.seed,
        section.adjust,
        study.robustness.contrasts,
        study.robustness.margin,
        study.robustness.interactions,
    )


def report_weights(database: Path) -> tuple[Weights, dict[str, float]]:
    """The persona weights of a file's last run, and the adult populations that go with them."""
    try:
        section = tomllib.loads(str(load_about(database)["study"])).get("report", {})
        found = ReportSection.model_validate(section)
    except (tomllib.TOMLDecodeError, ValidationError):  # written by a version whose study file was another
        return "none", {}
    return found.weights, found.population


def about(study: Study, scores: pd.DataFrame, benchmarks: Sequence[Benchmark]) -> dict[str, Any]:
    """Provenance: the last run, the study it declared against the study as it is now, data, licences, citations."""
    found = load_about(study.database)
    known = assets()
    used = {asset for each in benchmarks for asset in each.assets}
    used |= {name for name in (*study.personas.sources, *(model.id for model in study.models)) if name in known}
    data = [known[name] for name in sorted(used) if name in known]
    return found | {
        "name": study.study.name,
        "sampling": _sampling(study),
        "chances": _chances(study),
        "trials": len(scores),
        "incomplete": of_scores(study.database, scores).sentence,
        "data": [{"title": each.title, "licence": each.licence, "citation": each.citation} for each in data],
        "declared": declared(found["study"], study),
    }


def _chances(study: Study) -> str:
    """How adaptive rounds drew and count item groups, in words; "" without them."""
    if study.target is None or study.target.allocation == "equal":
        return ""
    strata = study.target.strata
    among = f", and people by {', '.join(strata)}," if strata else ""
    return (
        f"after the first, each round drew item groups{among} by Neyman's (1934) allocation over what had varied so "
        f"far, none with a chance under {FLOOR:g}; every answer counts by the inverse of its chance (Des Raj 1956), "
        "beside the mean of the other people's answers to the item; "
    )


def _sampling(study: Study) -> str:
    """How people were drawn, in words."""
    section = study.personas
    first, rest = section.stratify[:1], section.stratify[1:]
    if not first:
        strata = ""
    elif section.allocation == "equal":
        strata = f", as many of each {first[0]}" + (
            f" and, within it, in proportion by {', '.join(rest)}" if rest else ""
        )
    else:
        strata = f", in proportion by {', '.join(section.stratify)}"
    weighted = ", with odds by the survey's weights" if section.weights == "survey" else ""
    return f"{section.n:,} respondents of {', '.join(section.sources)} were drawn{strata}{weighted}."


def declared(before: str, study: Study) -> list[tuple[str, str, str]]:
    """What the report looks at: (key, as the study file said when it ran, as it says now); and the target, if any."""
    try:
        tables = tomllib.loads(before) if before else {}
    except tomllib.TOMLDecodeError:
        tables = {}
    section = tables.get("report", {})
    now = study.report.model_dump(mode="json")
    defaults = type(study.report)().model_dump(mode="json")
    found = [(name, str(section.get(name, defaults[name])), str(value)) for name, value in now.items()]
    aims = tables.get("robustness", {})
    for name, value in study.robustness.model_dump(mode="json").items():
        if value or aims.get(name):
            found.append((f"robustness.{name}", str(aims.get(name, "none")), str(value)))
    if study.target or "target" in tables:
        aim = study.target.model_dump(exclude_unset=True) if study.target else "none"
        found.append(("target", str(tables.get("target", "none")), str(aim)))
    return found

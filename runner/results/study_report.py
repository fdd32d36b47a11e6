"""The findings of a study, from its database."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from personas.errors import MachineError
from personas.prompt.trait_sets import trait_sets
from runner.engine.target import target_of
from runner.store.scores import last_selection, load_about, load_gold, load_items, load_levels, load_scores
from runner.study.assets import assets, fetch
from runner.study.config import Study
from runner.study.sources import Say, described, load_everyone
from scoring.benchmarks.base import Benchmark
from scoring.report.findings import Findings, findings
from scoring.statistics.sequential import target_table
from scoring.statistics.subgroups import Slicing, effect_tables
from scoring.tables.hidden_traits import asks_traits, trait_table
from scoring.tables.shown_traits import of_smallest_set


def study_findings(study: Study) -> Findings:
    """Every table of the last run of a study. Raises InputError or MachineError."""
    known = [described(section.name, study) for section in study.benchmarks]
    selection = last_selection(study.database)
    scores = load_scores(study.database, selection)
    turns = int(scores["rotation"].max()) + 1 if len(scores) else 1
    return findings(
        scores,
        slicing_of(study, scores),
        load_gold(study.database, turns),
        partial(load_items, study.database),
        about(study, scores, known),
        {"target": _target(study, scores, selection), "traits": _traits(study, scores)},
    )


def paper_effects(study: Study, found: Findings) -> pd.DataFrame:
    """Δ as the paper's tables have it: with the fewest traits shown, where the study shows several sets."""
    if found.tables["conditionings"].empty:
        return found.effects
    scores = load_scores(study.database, last_selection(study.database))
    return effect_tables(of_smallest_set(scores), found.slicing).effects


def _target(study: Study, scores: pd.DataFrame, selection: Mapping[str, Sequence[int]] | None) -> pd.DataFrame:
    """Where a targeted run stands; empty without a target."""
    target = target_of(study)
    if target is None or selection is None:
        return pd.DataFrame()
    return target_table(scores, target, *load_levels(study.database, selection, target.by))


def _traits(study: Study, scores: pd.DataFrame) -> pd.DataFrame:
    """How well hidden traits are told, beside baselines that learn from those who were not asked."""
    if not asks_traits(scores):
        return pd.DataFrame()
    everyone = load_everyone(study, lambda line: None)
    largest = trait_sets(study.trait_sets, everyone.traits)[-1]
    shown = [name for name in largest if name in everyone.frame]
    return trait_table(scores, everyone, shown, study.study.seed)


def world_map(say: Say) -> str | None:
    """The geometry of the report's map; None, after a remark, where it cannot be fetched."""
    try:
        return (fetch("world_map", say) / "world_110m.json").read_text(encoding="utf-8")
    except MachineError as error:
        say(f"the page has no map: {error}")
        return None


def slicing_of(study: Study, scores: pd.DataFrame) -> Slicing:
    """The [report] section as the statistics take it; before anybody has answered there is nothing to slice by."""
    section = study.report
    if (scores["persona_id"] == "").all():
        return Slicing(min_n=section.min_n, seed=study.study.seed)
    return Slicing(section.by, section.pairs, section.weights, section.population, section.min_n, study.study.seed)


def about(study: Study, scores: pd.DataFrame, benchmarks: Sequence[Benchmark]) -> dict[str, Any]:
    """Provenance: the last run, the study it declared against the study as it is now, data, licences, citations."""
    found = load_about(study.database)
    known = assets()
    used = {asset for each in benchmarks for asset in each.assets}
    used |= {name for name in (*study.personas.sources, *(model.id for model in study.models)) if name in known}
    data = [known[name] for name in sorted(used) if name in known]
    return found | {
        "name": study.study.name,
        "trials": len(scores),
        "data": [{"title": each.title, "licence": each.licence, "citation": each.citation} for each in data],
        "declared": declared(found["study"], study),
    }


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
    if study.target or "target" in tables:
        aim = study.target.model_dump(exclude_unset=True) if study.target else "none"
        found.append(("target", str(tables.get("target", "none")), str(aim)))
    return found

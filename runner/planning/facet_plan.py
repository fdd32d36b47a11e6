"""The cheapest design whose Δ is known to a wanted half-width: every facet that the study's database has measured."""

from collections.abc import Iterator
from dataclasses import dataclass

from runner.planning.design import label_of, usd_a_request
from runner.store.scores import load_scores
from runner.study.config import Study
from runner.study.sources import load_benchmarks
from scoring.robustness.facets import crossed, is_drawn
from scoring.statistics.designs.facet_design import (
    FACET_DEFAULTS,
    ROTATION,
    TRAITS,
    WORDINGS,
    FacetDesign,
    FacetLimits,
    FacetVariances,
    cheapest_facets,
)
from scoring.statistics.pairs import parts

ANY_WORDING, ONE_WORDING = "any like these", "this one"


@dataclass(frozen=True)
class FacetPlan:
    """The cheapest design of one model and benchmark; None where no design does.

    Of what wordings its Δ speaks, and the facets that were measured.
    """

    model: str
    benchmark: str
    source: str
    scope: str
    design: FacetDesign | None
    unpriced: bool
    held: tuple[str, ...]


def facet_plans(study: Study, half_width: float) -> Iterator[FacetPlan]:
    """A row per model, benchmark and scope: for wordings like those of the file, where it has several, and for one.

    Raises InputError or MachineError.
    """
    known = measured_facets(study)
    every = study.model_copy(
        update={"benchmarks": tuple(each.model_copy(update={"groups": None}) for each in study.benchmarks)}
    )
    for asked in load_benchmarks(every):
        for name in dict.fromkeys(label_of(item) for item in asked.items):
            items = [item for item in asked.items if label_of(item) == name]
            groups = len({item.group for item in items})
            for model in study.models:
                of = known.get((model.name, name), FACET_DEFAULTS).held(TRAITS)
                usd = usd_a_request(study, model.name)
                times = model.baseline_replicates or (2 if of.drawn else 1)
                limits = FacetLimits(groups, len(items) / groups, 1, asked.section.rotations, usd or 0.0, times)
                source = "measured" if (model.name, name) in known else "defaults"
                held = tuple(_held(of))
                scopes = {ANY_WORDING: of} if of.has(WORDINGS) else {}
                for scope, variances in {**scopes, ONE_WORDING: of.held(WORDINGS)}.items():
                    design = cheapest_facets(variances, half_width, limits)
                    yield FacetPlan(model.name, name, source, scope, design, usd is None, held)


def _held(of: FacetVariances) -> Iterator[str]:
    """The facets that the file does not vary."""
    yield from (name for name in (WORDINGS, ROTATION) if not of.has(name))
    if not of.repeated:
        yield "replicate"


def measured_facets(study: Study) -> dict[tuple[str, str], FacetVariances]:
    """The variances of earlier runs in the file, by model and benchmark.

    Of the measure of chosen options, unless they never vary.
    """
    if not study.database.exists():
        return {}
    found: dict[tuple[str, str], FacetVariances] = {}
    for part in parts(load_scores(study.database)):
        for measure in part.measures:
            of = crossed(part, measure)
            by_source = {each.source: each.variance for each in of.components()} if of is not None else {}
            if of is not None and any(by_source.values()):
                drawn = is_drawn(part)
                found.setdefault(
                    (part.model, part.benchmark), FacetVariances(by_source, drawn and not of.unique, drawn)
                )
    return found

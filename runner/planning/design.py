"""What a study resolves, and the cheapest design for a gap: variances from its database, else stated defaults."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.store.database import opened
from runner.store.runs import sampling_rule
from runner.store.scores import load_scores
from runner.study.config import Study
from runner.study.sources import load_benchmarks, load_personas
from scoring.answers.items import Item
from scoring.benchmarks.registry import measure
from scoring.statistics.designs.power import (
    DEFAULTS,
    Components,
    DesignLimits,
    DesignPlan,
    cheapest,
    component_table,
    resolvable_gap,
)

MOST_PEOPLE = 5000
MOST_ROTATIONS = 4


@dataclass(frozen=True)
class CheapestDesign:
    """One model and benchmark: the least gap found now, and the cheapest design for the wanted one, if there is one."""

    model: str
    benchmark: str
    source: str
    now: float
    plan: DesignPlan | None
    unpriced: bool


def resolutions(study: Study, attribute: str, gap: float) -> Iterator[CheapestDesign]:
    """A row per model and benchmark of the study, part by part where parts are measures of their own.

    Raises InputError or MachineError.
    """
    known = _known(study, attribute)
    rule = sampling_rule(study.database, study.other_files)
    levels = load_personas(study, rule).attribute(attribute).nunique()
    every_item = study.model_copy(
        update={"benchmarks": tuple(each.model_copy(update={"groups": None}) for each in study.benchmarks)}
    )
    for asked, every in zip(load_benchmarks(study), load_benchmarks(every_item), strict=True):
        rotated = asked.section.rotations
        for name in dict.fromkeys(label_of(item) for item in asked.items):
            own, all_items = ([item for item in each.items if label_of(item) == name] for each in (asked, every))
            groups, most = (len({item.group for item in items}) for items in (own, all_items))
            for model in study.models:
                of = known.get((model.name, name), DEFAULTS)
                usd = usd_a_request(study, model.name)
                rotations = MOST_ROTATIONS if of.rotation else rotated
                limits = DesignLimits(MOST_PEOPLE, most, len(all_items) / most, rotations, usd or 0.0)
                dealt = _of_dealt(of, groups, asked.section.per_person)
                now = resolvable_gap(dealt, max(1, study.personas.n // levels), levels, groups, rotated)
                source = "defaults" if of is DEFAULTS else "measured"
                yield CheapestDesign(model.name, name, source, now, cheapest(of, gap, levels, limits), usd is None)


def label_of(item: Item) -> str:
    """What reports, and so measured components, call the part of a benchmark that an item belongs to."""
    return measure(item.benchmark, item.part)


def _of_dealt(of: Components, groups: int, per_person: int | None) -> Components:
    """Where a person answers only some of the groups, the residual is averaged over fewer answers."""
    share = groups / (per_person or groups)
    return replace(of, residual=of.residual * share, rotation=of.rotation * share)


def _known(study: Study, attribute: str) -> dict[tuple[str, str], Components]:
    """Variance components of earlier runs in the file, by model and benchmark; of the measure of chosen options."""
    if not study.database.exists():
        return {}
    scores = load_scores(study.database, answers=False)
    if attribute not in scores or scores.empty:
        return {}
    table = component_table(scores, [attribute])
    fields = ("persona", "group", "level_group", "residual")
    found: dict[tuple[str, str], Components] = {}
    for _, row in table.iterrows():
        values = {name: float(row[name]) for name in fields}
        # answers that never vary tell nothing about a design: the later row, by letter probabilities, may
        if any(values.values()):
            found.setdefault((str(row["model"]), str(row["benchmark"])), Components(**values))
    return found


def usd_a_request(study: Study, model: str) -> float | None:
    """The mean price of this model's completions in the file; None where there are none."""
    if not study.database.exists():
        return None
    with opened(study.database) as connection:
        sql = "SELECT avg(micro_usd) FROM completion JOIN model ON model.id = completion.model WHERE model.name = ?"
        (mean,) = connection.execute(sql, (model,)).fetchone()
    return None if mean is None else mean / 1e6

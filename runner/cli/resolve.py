"""`mtpa-run plan --resolve`: the cheapest design that finds a gap, and what the study as it stands can find."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

import mtpa
from personas.errors import InputError, nearest

ResolveGap = Annotated[
    float | None,
    typer.Option(
        "--resolve",
        metavar="GAP",
        min=0.0001,
        help="The smallest gap to be found, and the ± to which Δ is to be known, such as 0.02.",
    ),
]
ResolveBy = Annotated[str | None, typer.Option("--by", metavar="ATTRIBUTE", help="Between levels of what.")]


def print_resolution(study: "mtpa.Study", gap: float, by: str | None, out: Console) -> None:
    """What the study resolves, and the cheapest design that resolves `gap`, for every model and benchmark.

    Then the cheapest whose Δ is known to ± `gap`.
    """
    from runner.planning.design import resolutions
    from scoring.report.terminal import plain_table

    attribute = by or (study.report.by[0] if study.report.by else "")
    if attribute not in study.report.attributes:
        raise InputError(
            f"--by {attribute}: not in [report] by; {nearest(attribute, study.report.attributes or ['-'])}"
        )
    table = plain_table(
        f"A gap of {gap:g} by {attribute}, found with 80 % power",
        "now: the least gap that the study finds as it stands; then the design with the fewest requests, of up to "
        "5,000 people a level. Variances: measured in this study's database, or defaults (see "
        "scoring/statistics/designs/power.py)",
        ["model", "benchmark"],
        ["variances", "now", "people", "levels", "groups", "rotations", "finds", "requests", "USD"],
    )
    for row in resolutions(study, attribute, gap):
        head = (escape(row.model), escape(row.benchmark), row.source, f"{row.now:.3f}")
        if row.plan is None:
            table.add_row(*head, "no design within this study's items and people", *[""] * 6)
            continue
        plan = row.plan
        usd = "not priced" if row.unpriced else f"{plan.usd:,.2f}"
        counts = (plan.per_level, plan.levels, plan.groups, plan.rotations)
        table.add_row(*head, *map("{:,}".format, counts), f"{plan.resolves:.4f}", f"{plan.requests:,}", usd)
    out.print(table)
    _print_facets(study, gap, out)


def _print_facets(study: "mtpa.Study", half_width: float, out: Console) -> None:
    from runner.planning.facet_plan import facet_plans
    from scoring.report.terminal import plain_table
    from scoring.statistics.designs.facet_design import MOST_PEOPLE, MOST_ROTATIONS, MOST_WORDINGS

    table = plain_table(
        f"Δ known to ± {half_width:g}, for people and items like these",
        "the fewest requests, over every facet that this study's database has varied; a person: item groups that each "
        "person is asked (per_person)",
        ["model", "benchmark", "wordings"],
        ["variances", "people", "groups", "a person", "of wordings", "rotations", "repeats", "±", "requests", "USD"],
    )
    plans = list(facet_plans(study, half_width))
    for row in plans:
        head = (escape(row.model), escape(row.benchmark), row.scope, row.source)
        if row.design is None:
            table.add_row(*head, "none", *[""] * 8)
            continue
        found = row.design
        usd = "not priced" if row.unpriced else f"{found.usd:,.2f}"
        counts = (found.people, found.groups, found.per_person, found.wordings, found.rotations, found.replicates)
        table.add_row(*head, *map("{:,}".format, counts), f"{found.half_width:.4f}", f"{found.requests:,}", usd)
    out.print(table)
    held = sorted({name for row in plans for name in row.held})
    out.print(
        "Assumed: variances stay what they are, people and items are drawn at random, and a request costs what this "
        f"study's cost on average. At most {MOST_PEOPLE:,} people, {MOST_WORDINGS} wordings and {MOST_ROTATIONS} "
        "rotations were tried."
        + (f" Not varied in the file, so taken as they are: {', '.join(held)}." if held else ""),
        highlight=False,
        soft_wrap=True,
    )

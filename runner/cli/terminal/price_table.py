"""`mtpa-run plan --half-width`: what it takes to know Δ to a half-width, in each of the ways that there are."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from runner.cli.terminal.console import out, print_json

if TYPE_CHECKING:
    from runner.planning.price_ways import StudyWays
    from runner.study.config import Study

HalfWidth = Annotated[
    float | None,
    typer.Option("--half-width", metavar="X", min=0.0001, help="Price the ways to know Δ to ± X, such as 0.02."),
]


def print_ways(study: "Study", half_width: float, as_json: bool) -> None:
    """A table per model and benchmark, the assumptions under it, and the way that costs least."""
    from runner.planning.price_ways import study_ways
    from scoring.report.fitted import FittedTable

    found = list(study_ways(study, half_width))
    if as_json:
        print_json({"half_width": half_width, "rows": [_as_dict(each) for each in found]})
        return
    for each in found:
        title = f"{escape(each.model)} on {escape(each.benchmark)}: Δ to ± {half_width:g}, for people like these"
        numbers = ["people", "groups each", "looks", "requests", "to the covariate", "US$"]
        table = FittedTable(title, _assumptions(each), ["way"], numbers)
        for way in each.ways:
            usd = each.price(way)
            price = "not priced" if usd is None else f"{usd:,.2f}"
            counts = (f"{way.people:,}", f"{way.asked:g}", str(way.looks), f"{way.requests:,}")
            table.add_row(way.name, *counts, f"{way.beside:,}" if way.beside else "–", price)
        out.print(table)
        out.print(escape(_advice(each)), highlight=False, soft_wrap=True)


def _assumptions(each: "StudyWays") -> str:
    of, pool, shared = each.of, each.pool, each.shared
    source = "measured in this study's database" if each.measured else "defaults"
    rho = "measured" if each.shared_measured else "assumed"
    return (
        f"Of at most {pool.people:,} people and {pool.groups:,} item groups, each of {pool.requests_a_group:g} "
        f"requests; the baseline {pool.baseline:,} times, whose own noise is left out. Variances ({source}): people "
        f"{of.persona:.4g}, groups {of.group:.4g}, answers {of.residual:.4g}. ρ with the covariate ({rho}): "
        f"{shared.answers:.2f} within a person, {shared.people:.2f} between people. Looks: the round in which a target "
        f"is reached on average. {_adaptive_rounds(each)}"
    )


def _adaptive_rounds(each: "StudyWays") -> str:
    """What the price of adaptive rounds rests on."""
    if not (spreads := each.pool.spreads):
        return "Adaptive rounds are not priced: how far item groups vary is not known from the database"
    equal = sum(spreads) ** 2 / (len(spreads) * sum(one**2 for one in spreads))
    return (
        f"Adaptive rounds: item groups vary so unequally that {equal:.0%} of the answers would do at most, where few "
        "are asked"
    )


def _advice(each: "StudyWays") -> str:
    best = each.cheapest
    if best is None:
        return "No way is enough: draw more people ([personas] n), or allow a wider interval."
    keys = [f"people = {best.people}"]
    keys += [f"per_person = {best.per_person}"] if best.per_person < each.pool.groups else []
    if best.beside:
        keys.append(f"covariate = {each.covariate!r}" if each.covariate else "covariate = a cheap model's name")
    if "target" in best.name:
        keys.append('a [target] with allocation = "neyman"' if "neyman" in best.name else "a [target]")
    return f"Cheapest: {best.name} ({', '.join(keys)})."


def _as_dict(each: "StudyWays") -> dict[str, Any]:
    ways = [asdict(way) | {"usd": each.price(way)} for way in each.ways]
    best = each.cheapest
    found = asdict(each)
    return found | {"ways": ways, "cheapest": best.name if best else None}

"""What would be sent: `plan`, and `explain` of one trial."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

import mtpa
from runner.cli.resolve import ResolveBy, ResolveGap, print_resolution
from runner.cli.study import ShardOption
from runner.cli.terminal.console import AsJson, out, print_json
from runner.cli.terminal.price_table import HalfWidth, print_ways

if TYPE_CHECKING:
    from runner.crossing.trials import Asked
    from runner.planning.cap import Cap
    from runner.planning.plan import Plan
    from scoring.report.fitted import FittedTable


def plan(
    context: typer.Context,
    as_json: AsJson = False,
    show: Annotated[int, typer.Option(metavar="N", help="Print N requests of each model as they would be sent.")] = 0,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Only the first N trials of each model.")] = None,
    shard: ShardOption = "1/1",
    resolve: ResolveGap = None,
    by: ResolveBy = None,
    half_width: HalfWidth = None,
) -> None:
    """What a run would send, before it is sent: trials, requests, tokens, dollars, minutes.

    With --resolve X: the cheapest design that finds a gap of X, by country or the attribute of --by; then the cheapest
    whose Δ is known to ± X, over every facet that the study's database has varied. With --half-width X: what it takes
    to know Δ to ± X in each of the ways that there are, and which costs least.
    """
    if resolve is not None:
        print_resolution(mtpa.Study.load(context.obj), resolve, by, out)
        return
    if half_width is not None:
        print_ways(mtpa.Study.load(context.obj), half_width, as_json)
        return
    import asyncio

    from personas.errors import MtpaError
    from runner.backends.catalogue.model_list import catalogue_remarks
    from runner.crossing.prepare import prepared
    from runner.engine.acknowledgement import agreed_keys
    from runner.planning.cap import cap_of
    from runner.planning.faults import all_faults, missing_keys
    from runner.planning.plan import first_requests
    from runner.planning.plan import plan as plan_of

    study = mtpa.Study.load(context.obj).part(shard)
    try:
        with prepared(study) as ready:
            found, requests = plan_of(ready, limit), [_as_sent(asked) for asked in first_requests(ready, show)]
            cap, agreed = cap_of(ready, found), agreed_keys(ready.cache.connection)
    except MtpaError as error:
        raise all_faults(study, error) from None
    found.remarks.extend(asyncio.run(catalogue_remarks(study.models, agreed)))
    found.remarks.extend(missing_keys(study))
    if as_json:
        document = {
            "rows": [row.as_dict() for row in found.rows],
            "usd": found.usd,
            "usd_batch": found.usd_batch,
            "usd_left": cap.left,
            "share_paid_for": cap.share,
            "remarks": found.remarks,
            "requests": requests,
        }
        print_json(document)
        return
    out.print(_plan_table(study, found, cap))
    for remark in found.remarks:
        out.print(escape(remark), highlight=False, soft_wrap=True)
    for request in requests:
        out.print_json(json.dumps(request))


def _as_sent(asked: "Asked") -> dict[str, Any]:
    request = asked.request
    content = {"key": request.key.hex(), "messages": request.messages}
    return content | {"parameters": dict(request.parameters), "answer": request.kind}


def _plan_table(study: "mtpa.Study", found: "Plan", cap: "Cap") -> "FittedTable":
    from runner.planning.cap import dollars
    from scoring.report.fitted import FittedTable

    part = "" if study.shard.whole else f", part {study.shard}"
    bound = f", at most: it ends at Δ ± {study.target.half_width:g}" if study.target else ""
    batch = f", {dollars(found.usd_batch)} in batches" if found.usd_batch < found.usd else ""
    stop = f"; {cap.sentence()}" if cap.sentence() else ""
    numbers = ["trials", "requests", "answered", "to send", "tokens in", "tokens out", "US$", "minutes"]
    caption = f"At most {dollars(found.usd)}{batch}{stop}"
    table = FittedTable(f"Plan of {study.study.name}{part}{bound}", caption, ["model", "benchmark"], numbers, least=9)
    for row in found.rows:
        counts = [f"{count:,}" for count in (row.trials, row.requests, row.answered, row.to_send)]
        counts.append(_tokens(row.prompt_tokens))
        outputs = _span(row.output_tokens_low, row.output_tokens_high, _tokens)
        usd = _span(row.usd_low, row.usd_high, _usd)
        minutes = "?" if row.minutes is None else f"{row.minutes:,.1f}"
        table.add_row(escape(row.model), escape(row.benchmark), *counts, outputs, usd, minutes)
    if len(found.rows) > 1:
        table.add_row("total", "", *_totals(found), style="bold")
    return table


def _totals(found: "Plan") -> Iterator[str]:
    """The sums of every column but the minutes: models are asked side by side."""
    for name in ("trials", "requests", "answered", "to_send"):
        yield f"{sum(getattr(row, name) for row in found.rows):,}"
    yield _tokens(sum(row.prompt_tokens for row in found.rows))
    for name, form in (("output_tokens", _tokens), ("usd", _usd)):
        low, high = (sum(getattr(row, f"{name}_{end}") for row in found.rows) for end in ("low", "high"))
        yield _span(low, high, form)
    yield ""


def _span(low: float, high: float, form: Callable[[float], str]) -> str:
    ends = (form(low), form(high))
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def _tokens(count: float) -> str:
    return f"{count:,.0f}" if count < 1e6 else f"{count / 1e6:,.1f} M"


def _usd(amount: float) -> str:
    return f"{amount:.4f}" if amount < 1 else f"{amount:,.2f}"


def explain(
    context: typer.Context,
    trial: Annotated[str, typer.Argument(metavar="TRIAL|KEY", help="ITEM, ITEM@PERSONA, or the beginning of a key.")],
    as_json: AsJson = False,
) -> None:
    """The fields behind a trial's key, and how the nearest answered request differs."""
    from runner.crossing.prepare import prepared
    from runner.planning.explain import explain as explanation

    with prepared(mtpa.Study.load(context.obj)) as ready:
        found = explanation(ready, trial)
    if as_json:
        print_json(asdict(found))
        return
    answered = "answered" if found.cached else "not answered yet"
    out.print(f"key {found.key}: {answered}", highlight=False, soft_wrap=True)
    out.print_json(json.dumps(dict(found.fields), ensure_ascii=False))
    if found.nearest is None:
        out.print("No other answered request asks this item.")
        return
    out.print(f"nearest answered request: {found.nearest}", highlight=False, soft_wrap=True)
    table = Table("field", "here", "there")
    for place, here, there in found.differences:
        table.add_row(escape(place), escape(here[:400]), escape(there[:400]))
    out.print(table)

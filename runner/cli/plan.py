"""What would be sent: `plan`, and `explain` of one trial."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from runner.cli.console import out, say
from runner.cli.resolve import ResolveBy, ResolveGap, print_resolution
from runner.cli.study import ShardOption
from runner.study.config import Study

if TYPE_CHECKING:
    from runner.planning.plan import Plan


def plan(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    show: Annotated[int, typer.Option(metavar="N", help="Print N requests of each model as they would be sent.")] = 0,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Only the first N trials of each model.")] = None,
    shard: ShardOption = "1/1",
    resolve: ResolveGap = None,
    by: ResolveBy = None,
) -> None:
    """What a run would send, before it is sent: trials, requests, tokens, dollars, minutes.

    With --resolve X: the cheapest design that finds a gap of X, by country or the attribute of --by.
    """
    if resolve is not None:
        print_resolution(Study.load(context.obj), resolve, by, out)
        return
    from runner.backends.catalogue.model_list import catalogue_remarks
    from runner.engine.acknowledgement import agreed_keys
    from runner.engine.prepare import prepared
    from runner.planning.plan import first_requests
    from runner.planning.plan import plan as plan_of

    study = Study.load(context.obj).part(shard)
    with prepared(study, say) as ready:
        found = plan_of(ready, limit)
        found.remarks.extend(asyncio.run(catalogue_remarks(study.models, agreed_keys(ready.cache.connection))))
        requests = [
            {"key": asked.request.key.hex(), "messages": asked.request.messages}
            | {"parameters": dict(asked.request.parameters), "answer": asked.request.kind}
            for asked in first_requests(ready, show)
        ]
    if as_json:
        document = {
            "rows": [row.as_dict() for row in found.rows],
            "usd": found.usd,
            "usd_batch": found.usd_batch,
            "remarks": found.remarks,
        }
        sys.stdout.write(json.dumps(document | {"requests": requests}, indent=2) + "\n")
        return
    out.print(_plan_table(study, found))
    for remark in found.remarks:
        out.print(escape(remark), highlight=False, soft_wrap=True)
    for request in requests:
        out.print_json(json.dumps(request))


def _plan_table(study: Study, found: "Plan") -> Table:
    part = "" if study.shard.whole else f", part {study.shard}"
    bound = f", at most: it ends at Δ ± {study.target.half_width:g}" if study.target else ""
    table = Table("model", "benchmark", title=f"Plan of {escape(study.study.name)}{part}{bound}")
    for name in ("trials", "requests", "answered", "to send", "tokens in", "tokens out", "US$", "minutes"):
        table.add_column(name, justify="right")
    for row in found.rows:
        counts = (row.trials, row.requests, row.answered, row.to_send, row.prompt_tokens)
        outputs = _span(row.output_tokens_low, row.output_tokens_high, ",.0f")
        dollars = _span(row.usd_low, row.usd_high, ",.4f")
        numbers = [f"{count:,}" for count in counts]
        minutes = "?" if row.minutes is None else f"{row.minutes:,.1f}"
        table.add_row(escape(row.model), escape(row.benchmark), *numbers, outputs, dollars, minutes)
    batch = f", ${found.usd_batch:,.2f} in batches" if found.usd_batch < found.usd else ""
    table.caption = f"At most ${found.usd:,.2f}{batch}"
    return table


def _span(low: float, high: float, form: str) -> str:
    return format(low, form) if low == high else f"{low:{form}}–{high:{form}}"


def explain(
    context: typer.Context,
    trial: Annotated[str, typer.Argument(metavar="TRIAL|KEY", help="ITEM, ITEM@PERSONA, or the beginning of a key.")],
) -> None:
    """The fields behind a trial's key, and how the nearest answered request differs."""
    from runner.engine.prepare import prepared
    from runner.planning.explain import explain as explanation

    with prepared(Study.load(context.obj), say) as ready:
        found = explanation(ready, trial)
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

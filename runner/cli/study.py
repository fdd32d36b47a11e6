"""What `mtpa-run` does with a study: run, plan, status, explain, rescore; parses and prints, decides nothing."""

import asyncio
import json
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from personas.errors import InputError, MtpaError
from runner.cli.console import err, out, say
from runner.cli.resolve import ResolveBy, ResolveGap, print_resolution
from runner.study.config import Study

if TYPE_CHECKING:
    from runner.engine.state import State
    from runner.planning.plan import Plan
    from runner.progress.status import Status

ShardOption = Annotated[
    str, typer.Option(metavar="I/N", help="Only the I-th of N parts, in a file of its own; `merge` joins them.")
]


def run_study(study: Study, limit: int | None, yes: bool, pilot: bool, acknowledge: bool) -> int:
    """Run, report, and say how it ended; returns the exit code."""
    from runner.engine.state import State

    _confirm(study, limit, yes)
    state = State()
    asyncio.run(_watched(study, state, limit, pilot, acknowledge))
    if state.interrupted:
        _offer_to_cancel(study)
    spent = f", ${state.micro_usd / 1e6:.4f} spent" if state.micro_usd else ""
    counts = (state.total("planned"), state.total("hits"), state.sent, state.total("failed"))
    line = "{:,} trials: {:,} answered before, {:,} requests sent, {:,} failed".format(*counts)
    spared = f" The target spared {state.total('spared'):,} of the trials." if state.total("spared") else ""
    out.print(f"{line}{spent}.{spared}", highlight=False, soft_wrap=True)
    for name, words in state.targets.items():
        out.print(escape(f"{name}: {words}."), highlight=False, soft_wrap=True)
    if cached := state.caching.sentence():
        out.print(f"{cached}.", highlight=False, soft_wrap=True)
    try:
        _say_what_is_found(study, state)
    finally:  # why models stopped is said also where there is nothing to report on
        for sentence in [*state.remarks, *_endings(state)]:
            err.print(escape(sentence), highlight=False, soft_wrap=True)
    return state.exit_code


def _say_what_is_found(study: Study, state: "State") -> None:
    """The report; of a part of a study, how it is joined to the others."""
    from runner.cli.report import print_study_report

    if not study.shard.whole:
        out.print(
            f"Part {study.shard} of the study is in {escape(str(study.database))}. Once every part has run: "
            f"mtpa-run merge PART… --into {escape(str(study.whole_database))}",
            highlight=False,
            soft_wrap=True,
        )
    elif not state.interrupted:
        print_study_report(study, formats=["csv"])


def _endings(state: "State") -> list[str]:
    """How the run ended, where it did not simply finish."""
    found = [f"Model {name} stopped: {reason}." for name, reason in state.stopped.items()]
    if state.interrupted:
        found.append("Interrupted: what was answered is kept; run again to go on.")
    if state.over_budget:
        done = state.total("answered")
        each = state.micro_usd / done if done else 0.0
        price = f", about ${each * state.left_over / 1e6:.4f} at what the answers cost so far" if each else ""
        found.append(f"The budget is reached: {state.left_over:,} trials are left{price}. Raise [budget] usd to go on.")
    if state.total("failed"):
        kinds = ", ".join(f"{count:,} {kind}" for (_, kind), count in state.failures.items())
        found.append(f"Some trials failed ({kinds}); run again to retry just those.")
    return found


def _confirm(study: Study, limit: int | None, yes: bool) -> None:
    """Ask before spending more than the study's `confirm_above`. Raises InputError where nobody can be asked."""
    from runner.backends.catalogue.prices import FREE, price_of
    from runner.engine.run import prepared
    from runner.planning.plan import plan

    if yes or all(price_of(model) == FREE for model in study.models):
        return
    with prepared(study, say) as ready:
        found = plan(ready, limit)
    for remark in found.remarks:
        say(remark)
    if found.usd <= study.budget.confirm_above:
        return
    question = (
        f"This run may cost up to ${found.usd:.2f}, more than [budget] confirm_above = {study.budget.confirm_above}."
    )
    if not sys.stdin.isatty():
        raise InputError(f"{study.path}: {question} Run it with --yes to agree, or raise confirm_above")
    typer.confirm(f"{question} Go on?", abort=True)


def _offer_to_cancel(study: Study) -> None:
    """Jobs go on without us, and the next run collects them: whether to cancel them is asked where somebody can be."""
    from runner.engine.cancel_jobs import cancel_jobs, jobs_left
    from runner.engine.state import counted

    if not (left := jobs_left(study)):
        return
    requests = sum(job.requests for job in left)
    told = f"{counted(len(left), 'job')} of {counted(requests, 'request')}"
    kept = f"{told} left running at the provider; run again to collect the answers."
    if not sys.stdin.isatty():
        say(kept)
        return
    try:
        cancelled = typer.confirm(f"{told} at the provider. Cancel, and pay only for what is answered?", default=False)
    except typer.Abort:
        cancelled = False
    if not cancelled:
        say(kept)
        return
    try:
        stopped = asyncio.run(cancel_jobs(study))
    except MtpaError as error:
        say(f"{error}; {kept}")
        return
    say(f"{stopped} of {told} cancelled; run again to collect what was answered, and to ask the rest.")


async def _watched(study: Study, state: "State", limit: int | None, pilot: bool, acknowledge: bool) -> None:
    from runner.engine.run import run
    from runner.progress.bars import watch

    stop = asyncio.Event()
    task = asyncio.create_task(run(study, state, stop, say, limit=limit, pilot=pilot, acknowledge=acknowledge))
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if stop.is_set():
            task.cancel()
        else:
            say("Stopping after what is in flight; once more to leave at once.")
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    watcher = asyncio.create_task(watch(state, err))
    try:
        await task
    except asyncio.CancelledError:
        state.interrupted = True
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


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
    from runner.engine.run import prepared
    from runner.planning.plan import first_requests
    from runner.planning.plan import plan as plan_of

    study = Study.load(context.obj).part(shard)
    with prepared(study, say) as ready:
        found = plan_of(ready, limit)
        found.remarks.extend(asyncio.run(catalogue_remarks(study.models)))
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
        sys.stdout.write(json.dumps(document | {"requests": requests}, indent=2, ensure_ascii=False) + "\n")
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


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option(help="Go on showing it, until interrupted.")] = False,
    shard: ShardOption = "1/1",
) -> None:
    """How far the study is, from its database; a running one may be watched from another terminal."""
    from runner.progress.status import read_status

    path = Study.load(context.obj).part(shard).database
    if not watch:
        out.print(_status(read_status(path), str(path)))
        return
    with suppress(KeyboardInterrupt), Live(console=out) as live:
        while True:
            found = read_status(path)
            live.update(_status(found, str(path)))
            if found.ended:
                return
            time.sleep(1)


def _status(found: "Status", path: str) -> Group:
    table = Table("model", "benchmark")
    spared = any(row.spared for row in found.rows)
    for name in ("trials", "done", "failed", "unparsed", *(["spared"] if spared else []), "Δ so far"):
        table.add_column(name, justify="right")
    for row in found.rows:
        effect = "–" if row.effect is None else f"{row.effect:+.3f}"
        counts = (row.planned, row.hits + row.answered, row.failed, row.unparsed, *([row.spared] if spared else []))
        table.add_row(escape(row.model), escape(row.benchmark), *(f"{count:,}" for count in counts), effect)
    lines: list[Any] = [Text(line) for line in found.lines()]
    return Group(*lines, *([table] if found.rows else []), Text(f"Browse it with: datasette {path}"))


def explain(
    context: typer.Context,
    trial: Annotated[str, typer.Argument(metavar="TRIAL|KEY", help="ITEM, ITEM@PERSONA, or the beginning of a key.")],
) -> None:
    """The fields behind a trial's key, and how the nearest answered request differs."""
    from runner.engine.run import prepared
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


def rescore(context: typer.Context) -> None:
    """Score every answer of the file anew, with the scorers as they are now; nothing is sent."""
    from runner.engine.run import rescore as score_again
    from runner.engine.state import State

    state = State()
    asyncio.run(score_again(Study.load(context.obj), state, say))
    out.print(f"{state.total('hits'):,} trials scored anew, {state.sent:,} requests sent.", highlight=False)

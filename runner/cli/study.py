"""What `mtpa-run` does with a study: run it, score it again; parses and prints, decides nothing."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

import mtpa
from personas.errors import InputError, MtpaError
from runner.cli.terminal.console import err, out, say

if TYPE_CHECKING:
    from runner.engine.state import State

ShardOption = Annotated[
    str, typer.Option(metavar="I/N", help="Only the I-th of N parts, in a file of its own; `merge` joins them.")
]


def run_study(study: "mtpa.Study", limit: int | None, yes: bool, pilot: bool, acknowledge: bool) -> int:
    """Run, report, and say how it ended; returns the exit code."""
    import asyncio

    from runner.engine.state import State
    from runner.study.amounts import dollars_spent

    _confirm(study, limit, yes)
    state = State()
    asyncio.run(_watched(study, state, limit, pilot, acknowledge))
    if state.interrupted:
        _offer_to_cancel(study)
    spent = f", {dollars_spent(state.micro_usd, state.estimated_micro_usd)}" if state.micro_usd else ""
    counts = (state.total("planned"), state.total("hits"), state.sent, state.total("failed"))
    line = "{:,} trials: {:,} needed no request of their own, {:,} requests sent, {:,} failed".format(*counts)
    spared = f" The target spared {state.total('spared'):,} of the trials." if state.total("spared") else ""
    out.print(f"{line}{spent}.{spared}", highlight=False, soft_wrap=not out.is_terminal)
    for name, words in state.targets.items():
        out.print(escape(f"{name}: {words}."), highlight=False, soft_wrap=True)
    if cached := state.caching.sentence():
        out.print(f"{cached}.", highlight=False, soft_wrap=True)
    try:
        _say_what_is_missing(study, state)
        _say_what_is_found(study, state)
    finally:  # why models stopped is said also where there is nothing to report on
        for sentence in [*state.remarks, *_endings(state)]:
            err.print(escape(sentence), highlight=False, soft_wrap=True)
    return state.exit_code


def _say_what_is_missing(study: "mtpa.Study", state: "State") -> None:
    """What a report would open with, where none follows."""
    from runner.store.completeness import of_last_run
    from scoring.report.terminal import print_incomplete

    if state.interrupted or not study.shard.whole:
        print_incomplete(out, of_last_run(study.database).sentence)


def _say_what_is_found(study: "mtpa.Study", state: "State") -> None:
    """The report; of a part of a study, how it is joined to the others."""
    from runner.cli.report import print_study_report
    from runner.results.kept_finding import KeptFinding, keep_finding
    from scoring.report.sentences import statements

    if not study.shard.whole:
        out.print(
            f"Part {study.shard} of the study is in {escape(str(study.database))}. Once every part has run: "
            f"mtpa-run merge PART… --into {escape(str(study.whole_database))}",
            highlight=False,
            soft_wrap=True,
        )
    elif not state.interrupted:
        command = "mtpa-run" if study.path == Path("mtpa.toml") else f"mtpa-run --study {study.path}"
        steps = f"Next: {command} view --open (every answer) · {command} report --full (every table), --html, --methods"
        found = print_study_report(study, formats=["csv"], next_steps=[steps])
        made_up, told = str(found.about.get("synthetic", "")), [each.text for each in statements(found)]
        keep_finding(study, KeptFinding(made_up, told))


def _endings(state: "State") -> list[str]:
    """How the run ended, where it did not simply finish."""
    found = [f"Model {name} stopped: {_ended(reason)}" for name, reason in state.stopped.items()]
    if state.interrupted:
        found.append("Interrupted: what was answered is kept; run again to go on.")
    if state.over_budget:
        done = state.total("answered")
        each = state.micro_usd / done if done else 0.0
        price = f", about ${each * state.left_over / 1e6:.4f} at what the answers cost so far" if each else ""
        found.append(f"The budget is reached: {state.left_over:,} trials are left{price}. Raise [budget] usd to go on.")
    return found + _failures(state)


def _ended(sentence: str) -> str:
    """A sentence, of ours or a provider's, with a full stop."""
    return f"{sentence.rstrip('. ')}."


def _failures(state: "State") -> list[str]:
    """Which trials failed, what the endpoints said last, and whether to run again helps."""
    if not state.total("failed"):
        return []
    found = []
    for name in dict.fromkeys(model for model, _ in state.failures):
        kinds = ", ".join(f"{count:,} {kind}" for (model, kind), count in state.failures.items() if model == name)
        last = _ended(state.last_failure.get(name, "no reason"))
        found.append(f"{name}: some trials failed ({kinds}), the last with {last}")
    mendable = sum(count for each, count in state.failures.items() if each in state.mendable)
    if mendable == state.failures.total():
        found.append("Run again to retry just those.")
    elif mendable:
        found.append(f"Run again to retry them; {state.failures.total() - mendable:,} were refused and would be again.")
    else:
        found.append("Asked again as they are, they would be refused again: change what is named above first.")
    return found


def _confirm(study: "mtpa.Study", limit: int | None, yes: bool) -> None:
    """Ask before spending more than the study's `confirm_above`. Raises InputError where nobody can be asked."""
    from runner.backends.catalogue.prices import FREE, price_of
    from runner.crossing.prepare import prepared
    from runner.planning.plan import plan

    if yes or all(price_of(model) == FREE for model in study.models):
        return
    with prepared(study) as ready:
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


def _offer_to_cancel(study: "mtpa.Study") -> None:
    """Jobs go on without us, and the next run collects them: whether to cancel them is asked where somebody can be."""
    import asyncio

    from runner.engine.batches.cancel_jobs import cancel_jobs, jobs_left
    from runner.study.amounts import counted

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
    except (typer.Abort, OSError):  # a terminal that is gone answers nothing
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


async def _watched(study: "mtpa.Study", state: "State", limit: int | None, pilot: bool, acknowledge: bool) -> None:
    import asyncio

    from runner.engine.run import run
    from runner.progress.bars import watch

    stop = asyncio.Event()
    task = asyncio.create_task(run(study, state, stop, limit=limit, pilot=pilot, acknowledge=acknowledge))
    loop = asyncio.get_running_loop()

    def interrupt(number: int) -> None:
        if not stop.is_set():
            say("Stopping after what is in flight; once more to leave at once.")
        elif number != signal.SIGHUP:  # a terminal that closes sends it more than once
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
            loop.add_signal_handler(number, interrupt, number)
    watcher = asyncio.create_task(watch(state, err))
    try:
        await task
    except asyncio.CancelledError:
        state.interrupted = True
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


def rescore(context: typer.Context) -> None:
    """Score every answer of the file anew, with the scorers as they are now; nothing is sent."""
    import asyncio

    from runner.engine.run import rescore as score_again
    from runner.engine.state import State

    state = State()
    asyncio.run(score_again(mtpa.Study.load(context.obj), state))
    out.print(f"{state.total('hits'):,} trials scored anew, {state.sent:,} requests sent.", highlight=False)

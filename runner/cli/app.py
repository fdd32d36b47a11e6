"""`mtpa-run`: mounts the commands, and turns what goes wrong into a sentence and an exit code."""

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import mtpa
from personas.errors import MachineError, MtpaError
from runner.cli import benchmarks, data, files, init, personas, report
from runner.cli import study as commands
from runner.cli.coherence import coherence
from runner.cli.gate import gate
from runner.cli.plan import explain, plan
from runner.cli.register import register
from runner.cli.serve import serve
from runner.cli.show import show
from runner.cli.status import status
from runner.cli.terminal.console import err, replace_what_cannot_be_encoded, show_log
from runner.cli.terminal.help import WholeHelp
from runner.cli.terminal.streams import finished
from runner.cli.view import view

app = typer.Typer(
    name="mtpa-run",
    cls=WholeHelp,
    help="Ask whether a language model stays truthful, fair and well-mannered when it answers as somebody.\n\n"
    "Without a command: run the study of ./mtpa.toml, or of --study FILE, and report.",
    subcommand_metavar="[COMMAND [ARGS]...]",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # Rich would take "[report]" for a style and ":wave:" for an emoji
    pretty_exceptions_enable=False,
)
for command in (
    plan,
    register,
    status,
    report.report,
    report.diff,
    gate,
    explain,
    show,
    commands.rescore,
    coherence,
    files.merge,
    files.bundle,
    files.unbundle,
    files.rehydrate,
    files.export,
    init.init,
    serve,
    view,
):
    app.command()(command)
app.command("import")(files.import_logs)
app.command("try")(init.try_model)
app.add_typer(
    personas.app, name="personas", help="Survey files into personas: list, draft, check, build, show, export."
)
app.add_typer(
    benchmarks.app, name="benchmarks", help="Benchmarks: list and show them, draft and check one of your own."
)
app.add_typer(
    data.app,
    name="data",
    help="Pinned data and models, and what a study's file no longer needs.",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"mtpa {mtpa.__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def run_study(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    study: Annotated[
        Path, typer.Option(metavar="FILE", help="The study; the commands take it too, and it stands before them.")
    ] = Path("mtpa.toml"),
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, help="Show what is done; -vv: every failed attempt as well.")
    ] = 0,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Run the first N trials of each model.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Spend without asking.")] = False,
    pilot: Annotated[bool, typer.Option(help="Let a new model's first 50 requests run alone.")] = True,
    shard: commands.ShardOption = "1/1",
    acknowledge: Annotated[
        bool,
        typer.Option(
            "--acknowledge",
            help="The surveys' terms allow sending answers to the study's endpoints, and its keys belong there.",
        ),
    ] = False,
) -> None:
    """Without a command: run the study of ./mtpa.toml, or of --study FILE, and report."""
    context.obj = study
    show_log(verbose)
    if context.invoked_subcommand is None:
        raise typer.Exit(commands.run_study(mtpa.Study.load(study).part(shard), limit, yes, pilot, acknowledge))


def main() -> None:
    """The command: one sentence and an exit code for what goes wrong, never a traceback."""
    replace_what_cannot_be_encoded()
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        failure = _failure(error)
        err.print(f"mtpa-run: {escape(str(failure))}", highlight=False, soft_wrap=True)
        code = failure.exit_code
    else:
        code = 0
    sys.exit(finished(code))


def _failure(error: Exception) -> MtpaError:
    """What this machine refused, as a sentence. Raises what is nobody's but a fault of ours."""
    if isinstance(error, MtpaError):
        return error
    if isinstance(error, MemoryError):
        return MachineError("the memory is used up: take fewer people or items at once, or a larger machine")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return MachineError(
            "this machine starts no more threads: end other programs, or raise `ulimit -u` or `ulimit -v`"
        )
    import sqlite3

    from runner.store.database import database_sentence

    if isinstance(error, sqlite3.Error):
        return MachineError(f"the study's database: {database_sentence(str(error))}")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return MachineError("this machine lets no more files be open: raise `ulimit -n`, or end other programs")
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return MachineError(f"{place}{error.strerror}; check the path, its permissions and the disk, and run again")
    raise error

"""`mtpa-run view`: the live page."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

import mtpa
from runner.cli.terminal.console import out, say


def view(
    context: typer.Context,
    database: Annotated[
        Path | None, typer.Argument(metavar="[DATABASE]", help="A study's database; the study's own if absent.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on loopback; any free one if 0.")] = 0,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain",
            help="At 127.0.0.1, for a browser that knows no names under .localhost; other servers of this machine that "
            "it opens can then read the page.",
        ),
    ] = False,
) -> None:
    """Look at a run, going or finished, in the browser: how far, how much, what it finds, and each answer."""
    from runner.view.server import View, opener

    study: Path = context.obj
    path, of = (mtpa.Study.load(study).database, study) if database is None else (database, None)
    page = View(path, of, port, plain)
    out.print(page.address, highlight=False, soft_wrap=True, markup=False)
    say("Only this address, with its token, opens the page. Ctrl-C ends it; the run goes on.")
    with opener(page.address) as file:
        if show:
            webbrowser.open(file)
        page.serve()

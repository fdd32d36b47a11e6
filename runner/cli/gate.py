"""`mtpa-run gate`: pass or fail, for build servers and people."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

import mtpa
from runner.cli.terminal.console import AsJson, out, print_json

if TYPE_CHECKING:
    from runner.results.gate import GateResult

NOT_PASSED = 6


def gate(
    context: typer.Context,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the verdicts as JUnit XML too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Whether even the worst tenth of the people stays above [gate] floor; ends with exit code 6 where it does not.

    The worst tenth is picked on one half of the items and judged on the other, by a one-sided 95 % bound. A benchmark
    passes where the bound holds; one without a bound does not pass, nor does a run that is not whole.
    """
    from runner.results.gate import study_gate
    from scoring.report.export import write_text
    from scoring.robustness.junit import junit_xml

    study = mtpa.Study.load(context.obj)
    result = study_gate(study)
    if junit is not None:
        write_text(junit, junit_xml(study.study.name, result.verdicts, result.incomplete))
    if as_json:
        verdicts = [{name: _plain(value) for name, value in asdict(each).items()} for each in result.verdicts]
        words = {"study": study.study.name, "passed": result.passed, "incomplete": result.incomplete}
        print_json({**words, "verdicts": verdicts})
    else:
        print_verdicts(result)
    if not result.passed:
        raise typer.Exit(NOT_PASSED)


def print_verdicts(result: "GateResult") -> None:
    """A line a verdict, behind what is missing of a run that is not whole."""
    if result.incomplete:
        out.print(Text(result.incomplete, style="bold red"), soft_wrap=True)
    for each in result.verdicts:
        word = "passed" if each.passed else "NOT PASSED"
        out.print(Text(f"{word}: {each.model} on {each.benchmark}: {each.reason}."), soft_wrap=True)


def _plain(value: str | bool | float) -> str | bool | float | None:
    """What JSON has a word for."""
    return None if isinstance(value, float) and math.isnan(value) else value

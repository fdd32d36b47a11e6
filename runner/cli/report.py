"""`mtpa-run report` and `mtpa-run diff`."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

import mtpa
from personas.errors import InputError, nearest
from runner.cli.terminal.console import AsJson, out, print_json, say

if TYPE_CHECKING:
    import pandas as pd

    from scoring.report.findings import Findings
    from scoring.statistics.weights import Weights


def report(
    context: typer.Context,
    html: Annotated[bool, typer.Option("--html", help="One self-contained page beside the database.")] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Every table and every trial as CSV, with a dictionary of the columns.")
    ] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="Every table as Parquet.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Every table for LaTeX (booktabs).")] = False,
    methods: Annotated[bool, typer.Option("--methods", help="A methods paragraph, the prompts, BibTeX.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's Tables 2 to 5 beside this run's.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Every table before the finding.")] = False,
    as_json: AsJson = False,
) -> None:
    """The finding of the study's last run, in the terminal, as one HTML page and as data files."""
    study = mtpa.Study.load(context.obj)
    if as_json:
        print_findings_as_json(study)
        return
    formats = [name for name, wanted in (("csv", csv), ("parquet", parquet), ("tex", latex)) if wanted]
    print_study_report(study, formats=formats, html=html, methods=methods, paper=paper, full=full)
    if csv:
        print_raw_files(study)


def print_findings_as_json(study: "mtpa.Study") -> None:
    """The sentences, the warnings and every table that has rows."""
    from runner.results.study_report import study_findings

    found = study_findings(study)
    tables = {name: _records(table) for name, table in found.tables.items()}
    words = {"incomplete": found.incomplete, "sentences": found.sentences, "warnings": found.warnings}
    words |= {name: found.about.get(name, "") for name in ("synthetic", "registration", "not_registered")}
    print_json({"study": study.study.name, **words, "tables": {name: rows for name, rows in tables.items() if rows}})


def print_raw_files(study: "mtpa.Study") -> None:
    """Write trials.csv and the data dictionary beside the tables, and say so."""
    from runner.sharing.raw_files import write_raw_files

    for path in write_raw_files(study):
        out.print(f"Written: {escape(str(path))}", highlight=False, soft_wrap=True)


def print_study_report(
    study: "mtpa.Study",
    formats: list[str] | None = None,
    html: bool = False,
    methods: bool = False,
    paper: bool = False,
    full: bool = False,
    next_steps: Sequence[str] = (),
) -> "Findings":
    """Print the report of a study's last run and write what was asked for beside its database; returns its findings."""
    from runner.results.study_report import paper_scores, study_findings
    from scoring.report.export import write_tables, write_text
    from scoring.report.methods import methods_text
    from scoring.report.paper import paper_tables
    from scoring.report.terminal import print_paper, print_report

    found = study_findings(study)
    tables = dict(found.tables)
    written: list[Path] = []
    if paper:
        tables |= paper_tables(paper_scores(study, found.slicing))
    for suffix in formats or []:
        written += write_tables(study.database, tables, suffix, found.heading)
    if html:
        from runner.results.study_report import drawing_script, world_map
        from scoring.report.page import page

        written.append(write_text(study.database.with_suffix(".html"), page(found, world_map(), drawing_script())))
    text = methods_text(found) if methods and not paper else ""
    if text:
        written.append(write_text(study.database.with_suffix(".methods.md"), text))
    files = [_files(study.database, written)] if written else []
    if paper:
        print_paper(out, {name: tables[name] for name in tables if name.startswith("paper")}, found)
    elif text:
        print_methods(text)
    else:
        print_report(out, found, full, [*next_steps, *files])
        return found
    for line in files:
        out.print(escape(line), highlight=False, soft_wrap=True)
    return found


def print_methods(text: str) -> None:
    """The text as the file has it: a table's rows and a prompt's lines are not broken."""
    out.print(Text(text), soft_wrap=True)


def _files(database: Path, written: Sequence[Path]) -> str:
    """What was written, on one line: the name of the one file, or what the names of many have in common."""
    if len(written) == 1:
        return f"Written: {written[0]}"
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(path.suffix for path in written).items())
    return f"Written: {database.with_suffix('')}.* ({kinds})"


def diff(
    context: typer.Context,
    first: Annotated[Path | None, typer.Argument(metavar="A.sqlite", help="A study's database.")] = None,
    second: Annotated[Path | None, typer.Argument(metavar="B.sqlite", help="Another; the same file if absent.")] = None,
    models: Annotated[str | None, typer.Option(metavar="ONE,OTHER", help="The models to compare, by name.")] = None,
    since: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An older database; B is the study's own. Judged by its [gate].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs, or two models of one file, on the trials that both have: B − A, pair by pair.

    With --since FILE the study's own database is compared with an older one; ends with exit code 6 where the study has
    a [gate] that it does not pass.
    """
    if since is None and first is not None:
        print_runs(first, second, models, as_json=as_json)
        return
    if since is None or first is not None:
        raise InputError("diff: name the databases to compare, or an older one of the study by --since FILE")
    study = mtpa.Study.load(context.obj)
    print_runs(since, study.database, models, study, as_json)
    if study.gate is None:
        return
    from runner.cli.gate import NOT_PASSED, print_verdicts
    from runner.results.gate import study_gate

    result = study_gate(study)
    if not as_json:
        print_verdicts(result)
    if not result.passed:
        raise typer.Exit(NOT_PASSED)


def print_runs(
    first: Path,
    second: Path | None,
    models: str | None,
    study: "mtpa.Study | None" = None,
    as_json: bool = False,
) -> None:
    """Print what two files' last runs differ by; with the study of the second, for whom too.

    Raises InputError where they cannot be compared.
    """
    from runner.store.completeness import of_last_run
    from runner.store.scores import load_scores
    from scoring.report.difference_terminal import print_difference, print_difference_by_level
    from scoring.report.findings import synthetic_people
    from scoring.tables.two_runs import difference_by_level, difference_table

    tables = [load_scores(path, answers=False) for path in (first, second or first)]
    names = models.split(",") if models else _models(first, tables, second is None)
    if len(names) != 2:
        raise InputError(f"--models {models}: expected two names with a comma between, such as --models gpt-4o,gpt-5")
    sides = []
    for path, scores, name in zip((first, second or first), tables, names, strict=True):
        known = set(scores["model"].astype(str))
        if name not in known:
            raise InputError(f"{path}: has no model {name!r}; {nearest(name, known)}")
        sides.append(scores[scores["model"] == name])
    weights, population = _common_weights([first, second or first])
    table = difference_table(sides[0], sides[1], weights, population)
    if table.empty:
        raise InputError(f"{first} and {second or first} have no answered trial in common; compare runs of one study")
    missing = {str(path): of_last_run(path).sentence for path in (first, second or first)}
    said = [f"{path}: {sentence}" for path, sentence in missing.items() if sentence]
    said += dict.fromkeys(filter(None, map(synthetic_people, sides)))
    by_level = table.iloc[:0]
    if study is not None:
        by_level = difference_by_level(sides[0], sides[1], study.report.by, study.report.min_n, weights, population)
    if as_json:
        print_json({"before": said, "difference": _records(table), "by_level": _records(by_level)})
        return
    print_difference(out, table, weights, said)
    print_difference_by_level(out, by_level)


def _records(table: "pd.DataFrame") -> Any:
    """A table's rows for other programs."""
    return json.loads(table.to_json(orient="records", double_precision=15))


def _common_weights(paths: list[Path]) -> "tuple[Weights, dict[str, float]]":
    """The persona weights that the last runs of both files report by; none where they differ."""
    from runner.results.study_report import report_weights

    found = [report_weights(path) for path in paths]
    if found[0] != found[1]:
        say("the files report by different persona weights; they are compared without weights")
        return "none", {}
    return found[0]


def _models(path: Path, tables: list, one_file: bool) -> list[str]:  # type: ignore[type-arg]
    """The only choice there is, else a sentence."""
    known = [sorted(set(scores["model"].astype(str))) for scores in tables]
    if one_file and len(known[0]) == 2:
        return known[0]
    if not one_file and len(known[0]) == len(known[1]) == 1:
        return [known[0][0], known[1][0]]
    raise InputError(f"{path}: name the two models to compare: --models ONE,OTHER (there are {', '.join(known[0])})")

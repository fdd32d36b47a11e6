"""`status`: how far a study is."""

import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

import mtpa
from runner.cli.study import ShardOption
from runner.cli.terminal.console import AsJson, out, print_json

RAW = "raw Δ: the mean of all answers with personas less that of all without, in percentage points; a report pairs them"

if TYPE_CHECKING:
    from runner.progress.status import Status


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option(help="Go on showing it, until interrupted.")] = False,
    shard: ShardOption = "1/1",
    as_json: AsJson = False,
) -> None:
    """How far the study is, from its database; a running one may be watched from another terminal."""
    from runner.progress.status import read_status

    study = mtpa.Study.load(context.obj)
    path = study.part(shard).database
    if as_json:
        found = read_status(path)
        print_json({**asdict(found), "database": path, "lines": found.lines()})
        return
    if not watch:
        found = read_status(path)
        out.print(_status(found, str(path)))
        if found.ended and path == study.database:
            _print_finding(study)
        return
    with suppress(KeyboardInterrupt), Live(console=out) as live:
        while True:
            found = read_status(path)
            live.update(_status(found, str(path)))
            if found.ended:
                return
            time.sleep(1)


def _print_finding(study: "mtpa.Study") -> None:
    """What an ended run found, in sentences; its banner stands above."""
    from runner.results.kept_finding import KeptFinding, kept_finding

    kept = kept_finding(study)
    if kept is None:
        from runner.results.study_report import brief_study_findings  # reads every score, and takes pandas with it
        from scoring.report.sentences import statements

        found = brief_study_findings(study)
        kept = KeptFinding(str(found.about.get("synthetic", "")), [each.text for each in statements(found)])
    if kept.synthetic:
        out.print(Text(kept.synthetic, style="bold red"))
    for sentence in kept.sentences:
        out.print(Text(sentence))


def _status(found: "Status", path: str) -> Group:
    from scoring.report.numbers import in_points

    table = Table("model", "benchmark")
    spared = any(row.spared for row in found.rows)
    for name in ("trials", "done", "failed", "unparsed", *(["spared"] if spared else []), "raw Δ"):
        table.add_column(name, justify="right")
    for row in found.rows:
        effect = "–" if row.effect is None else in_points(row.effect)
        counts = (row.planned, row.hits + row.answered, row.failed, row.unparsed, *([row.spared] if spared else []))
        table.add_row(escape(row.model), escape(row.benchmark), *(f"{count:,}" for count in counts), effect)
    lines: list[Any] = [Text(line) for line in found.lines()]
    table.caption = Text(RAW) if any(row.effect is not None for row in found.rows) else None
    return Group(*lines, *([table] if found.rows else []), Text(f"Browse it with: datasette {path}"))

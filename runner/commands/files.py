"""What `mtpa-run` does with the files of a study: merge."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from runner.commands.console import err, out, say


def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Databases of one study, such as its shards.")],
    into: Annotated[Path, typer.Option(metavar="FILE", help="The file that gets everything; made if absent.")],
) -> None:
    """Join databases: answers by their key, scores, failures, spending; merging again changes nothing."""
    from runner.merge import merge as merged

    found = merged(sources, into, say)
    counts = ", ".join(f"{found.brought.get(table, 0):,} {name}" for table, name in _COUNTED.items())
    out.print(f"{escape(str(into))}: {counts} are new.", highlight=False, soft_wrap=True)
    if found.conflicting:
        out.print(f"{found.conflicting:,} requests have two answers; the first is kept:", highlight=False)
        for key, kept, other in found.conflicts:
            out.print(escape(f"  {key[:16]}…: kept {kept}, not {other}"), highlight=False, soft_wrap=True)
        if found.conflicting > len(found.conflicts):
            out.print(f"  and {found.conflicting - len(found.conflicts):,} more", highlight=False)
    if found.left_out:
        remark = f"{found.left_out:,} scores of answers that were not kept are left out: `mtpa-run` scores them anew."
        err.print(remark, highlight=False, soft_wrap=True)
    for remark in found.remarks:
        err.print(escape(f"{remark[0].upper()}{remark[1:]}."), highlight=False, soft_wrap=True)


_COUNTED = {"completion": "answers", "score": "scores", "failure": "failures", "run": "runs"}

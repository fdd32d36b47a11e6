"""`mtpa-run coherence`: are similar respondents embedded similarly?"""

import signal
import sys
from typing import Annotated

import typer
from rich.markup import escape

import mtpa
from runner.cli.terminal.console import out


def coherence(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model that embeds, of the study's.")] = None,
    people: Annotated[int, typer.Option(metavar="N", min=3, help="The first N respondents.")] = 300,
    csv: Annotated[bool, typer.Option("--csv", help="Also as CSV, beside the database.")] = False,
    acknowledge: Annotated[
        bool,
        typer.Option(
            "--acknowledge",
            help="The surveys' terms allow sending answers to the model's endpoint, and its key belongs there.",
        ),
    ] = False,
) -> None:
    """Are similar respondents embedded similarly? Correlates embeddings of the personas with their traits."""
    import asyncio

    from runner.results.coherence import study_coherence
    from scoring.report.export import write_tables
    from scoring.report.numbers import number, p_value, signed
    from scoring.report.terminal import plain_table

    study = mtpa.Study.load(context.obj)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is ended on the way out
    table = asyncio.run(study_coherence(study, model, people, acknowledge))
    shown = plain_table(
        "Are similar people embedded similarly?",
        "Spearman: cosine similarity of the embeddings with Gower similarity of the traits, over pairs; of levels: "
        "with the similarity of their answers; p: Mantel, one-sided, 999 permutations; by chance: the median with the "
        "embeddings dealt to others",
        ["traits shown", "compared with", "format", "frame", "survey"],
        ["people", "traits", "Spearman", "p", "by chance"],
    )
    for _, row in table.iterrows():
        names = (escape(str(row[name])) for name in ("shown", "compared", "format", "frame", "survey"))
        counts = (f"{row['personas']:,}", f"{row['traits']:,}")
        shown.add_row(*names, *counts, signed(row["correlation"]), p_value(row["p"]), number(row["shuffled"]))
    out.print(shown)
    for path in write_tables(study.database, {"coherence": table}, "csv") if csv else ():
        out.print(f"Written: {escape(str(path))}", highlight=False, soft_wrap=True)

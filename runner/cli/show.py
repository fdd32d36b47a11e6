"""`mtpa-run show`: one trial of the file, as it was sent, answered and scored."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

import mtpa
from runner.cli.study import ShardOption
from runner.cli.terminal.console import AsJson, out, print_json

if TYPE_CHECKING:
    from runner.view.queries.trial import Opened


def show(
    context: typer.Context,
    trial: Annotated[str, typer.Argument(metavar="ITEM[@PERSONA]", help="Without a persona, the baseline.")],
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Which model's; the first if absent.")] = None,
    rotation: Annotated[int | None, typer.Option(min=0, help="Which order of the options.")] = None,
    replicate: Annotated[int | None, typer.Option(min=0, help="Which repetition.")] = None,
    shard: ShardOption = "1/1",
    as_json: AsJson = False,
) -> None:
    """One trial of the study: the prompt as it was sent, the answer, its probabilities and the score."""
    from runner.view.queries.file import checked, reading
    from runner.view.queries.named import places
    from runner.view.queries.trial import opened

    with reading(checked(mtpa.Study.load(context.obj).part(shard).database)) as connection:
        found = places(connection, trial, model, rotation, replicate)
        chosen = opened(connection, found[0])
    if as_json:
        document = {name: value for name, value in asdict(chosen).items() if name not in ("place", "beside")}
        print_json({**document, "place": str(chosen.place), "trials": len(found)})
        return
    _print(chosen, len(found))


def _print(trial: "Opened", trials: int) -> None:
    for message in trial.messages:
        out.print(Panel(Text(message["content"]), title=Text(message["role"]), title_align="left"))
    if trial.answer is not None:
        out.print(Panel(Text(trial.answer), title=Text(f"{trial.model} answered"), title_align="left"))
    table = Table("", "option", "worth", "probability", box=None, pad_edge=False)
    for option in trial.options:
        likely = "" if option.probability is None else f"{option.probability:.4f}"
        mark = Text(f"{'→ ' if option.chosen else '  '}{option.letter}")
        table.add_row(mark, Text(option.text), Text(option.worth), likely)
    out.print(table)
    for line in trial.why:
        out.print(Text(line))
    matches = "" if trial.matches or not trial.messages else " (the prompt as put together here is not what was sent)"
    out.print(
        Text(f"{trial.benchmark} · {trial.item_id} · {trial.persona_id} · {trial.model} · key {trial.key}{matches}")
    )
    if trials > 1:
        out.print(Text(f"The first of {trials} such trials: name others with --model, --rotation and --replicate."))

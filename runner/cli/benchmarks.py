"""`mtpa-run benchmarks`: what there is, what an item looks like as it is sent, and whether a file describes one."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from personas.errors import InputError
from runner.cli.terminal.console import AsJson, out, print_json
from runner.cli.terminal.help import WholeHelp
from scoring.answers.items import LETTERS, Item, continuations, option_order, question_text, rotations

if TYPE_CHECKING:
    from scoring.benchmarks.base import Benchmark

app = typer.Typer(
    cls=WholeHelp, no_args_is_help=True, help="Benchmarks: list them, look at an item, check a file of your own."
)
Name = Annotated[str, typer.Argument(help="A benchmark's name, or a .toml or lm-eval .yaml file.")]


@app.command("list")
def list_benchmarks(as_json: AsJson = False) -> None:
    """Every installed benchmark, its parts and where its data are."""
    from scoring.benchmarks.registry import broken, registry

    if as_json:
        fields = ("version", "title", "metric", "better", "parts")
        rows = [{"name": name, **{each: getattr(found, each) for each in fields}} for name, found in registry().items()]
        print_json({"benchmarks": rows, "not_usable": list(broken().values())})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "scored by", "parts", "data"):
        table.add_column(heading, no_wrap=heading in ("name", "version"))
    for name, each in sorted(registry().items()):
        data = ", ".join(_data(asset) for asset in each.assets) or "none needed"
        parts = ", ".join(each.parts) if any(each.parts) else "-"
        table.add_row(*(Text(cell) for cell in (name, each.version, each.metric, parts, data)))
    out.print(table)
    for reason in broken().values():
        out.print(Text(f"not usable: {reason}"))


@app.command()
def show(
    name: Name,
    item: Annotated[str, typer.Argument(help="An item's id, or its number from 0.")],
    rotation: Annotated[int, typer.Option(min=0, help="Which order of the options.")] = 0,
    as_json: AsJson = False,
) -> None:
    """One item, as it is sent, with its right answer."""
    from scoring.benchmarks.registry import benchmark

    found = benchmark(name)
    chosen = _find(found, item)
    order = option_order(chosen, rotation)
    text = question_text(chosen, order)
    if as_json:
        print_json({**asdict(chosen), "text": text, "order": order})
        return
    out.print(Panel(Text(text or "(nothing: the continuations are scored alone)"), title=Text(chosen.id)))
    if chosen.ask == "loglik":
        for option, continuation in enumerate(continuations(chosen)):
            out.print(Text(f"{option}  {continuation!r}"))
    out.print(_facts(chosen, order))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A .toml file, or a task of lm-evaluation-harness (.yaml).")],
) -> None:
    """Read a benchmark file and every record of its data; says what it holds, or what is wrong and where."""
    from scoring.benchmarks.registry import benchmark

    if file.suffix not in (".toml", ".yaml", ".yml"):
        raise InputError(f"{file}: a benchmark file ends in .toml or .yaml; name one")
    found = benchmark(str(file))
    items, refused = _items(found)
    out.print(Text(f"{found.title} ({found.name}, version {found.version or 'not given'}): {len(items)} items"))
    for part, count in Counter(each.part for each in items).items():
        of_part = [each for each in items if each.part == part]
        options = sorted({len(each.choices) for each in of_part})
        groups = len({each.group for each in of_part})
        span = f"{options[0]} to {options[-1]}" if len(options) > 1 else f"{options[0]}"
        out.print(Text(f"  part {part!r}: {count} items in {groups} groups, {span} options"))
    for reason in refused:
        out.print(Text(f"  not to be asked: {reason}"))
    first = items[0]
    out.print(Panel(Text(question_text(first, option_order(first))), title=Text(first.id)))
    out.print(_facts(first, option_order(first)))


@app.command("agreement")
def agreement_command(
    first: Annotated[
        Path, typer.Argument(help="Verdicts: a CSV, JSONL or Parquet file with the columns id and label.")
    ],
    second: Annotated[Path, typer.Argument(help="Verdicts of a second judge, or of people.")],
    as_json: AsJson = False,
) -> None:
    """How far two sets of verdicts agree: share of equal ones and Cohen's kappa."""
    from scoring.tables.agreement import agreement, read_labels

    found = agreement(read_labels(first), read_labels(second))
    if as_json:
        print_json(found)
        return
    kappa = f"{found['kappa']:.3f} ± {1.96 * found['standard_error']:.3f}"
    out.print(f"n {found['n']:.0f} · agreement {found['agreement']:.3f} · Cohen's kappa {kappa} (95 %)")


def _data(name: str) -> str:
    from runner.study.assets import assets, is_cached

    return "here" if is_cached(name) else f"to fetch, {assets()[name].size / 1e6:.1f} MB"


def _find(found: "Benchmark", wanted: str) -> Item:
    """The item of this id or number. Raises InputError where there is none."""
    items, _ = _items(found)
    if wanted.isdigit():
        chosen = items[int(wanted)] if int(wanted) < len(items) else None
    else:
        chosen = next((each for each in items if each.id == wanted), None)
    if chosen is None:
        raise InputError(
            f"benchmark {found.name!r} has no item {wanted!r}; give a number, or an id such as {items[0].id!r}"
        )
    return chosen


def _items(found: "Benchmark") -> tuple[list[Item], list[str]]:
    """The items of every part that can be asked, and a sentence for each part that cannot. Raises InputError where
    none can."""
    from runner.study.assets import benchmark_directory
    from scoring.benchmarks.loaded import load_items

    directory = benchmark_directory(found)
    items: list[Item] = []
    refused: dict[str, str] = {}
    for part in found.parts:
        try:
            items += load_items(found, directory, part)
        except InputError as error:
            refused[part] = str(error)
    if not items:
        raise InputError(next(iter(refused.values())))
    return items, [f"part {part!r}: {reason}" for part, reason in refused.items()]


def _facts(item: Item, order: tuple[int, ...]) -> Table:
    """What is known of an item beside its text."""
    table = Table.grid(padding=(0, 2))
    facts = {
        "part": item.part,
        "asked": item.ask,
        "group": item.group,
        "orders": str(rotations(item, len(item.choices))),
    }
    if item.weights is not None:
        shown = [(LETTERS[place] if item.ask == "letter" else str(place), option) for place, option in enumerate(order)]
        facts["worth"] = ", ".join(f"{label} {item.weights[option]:.3g}" for label, option in shown)
    if item.roles is not None and any(item.roles):
        facts["roles"] = ", ".join(str(item.roles[option] or "-") for option in order)
    facts |= {str(name): str(value) for name, value in item.meta.items()}
    for label, value in facts.items():
        if value and value != "nan":
            table.add_row(Text(label, style="dim"), Text(value))
    return table

"""`mtpa-run benchmarks`: what there is, what an item looks like as it is sent, and whether a file describes one."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from personas.errors import InputError
from runner.cli.terminal.console import AsJson, out, print_json
from runner.cli.terminal.help import WholeHelp

if TYPE_CHECKING:
    from scoring.answers.items import Item
    from scoring.benchmarks.base import Benchmark

app = typer.Typer(
    cls=WholeHelp,
    no_args_is_help=True,
    help="Benchmarks: list them, look at an item, draft and check a file of your own.",
)
_DATA = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
Name = Annotated[str, typer.Argument(metavar="NAME", help="A benchmark's name, or a .toml or lm-eval .yaml file.")]


@app.command("list")
def list_benchmarks(as_json: AsJson = False) -> None:
    """Every installed benchmark: its items and parts, which is the default, its licence, and what is to be fetched."""
    from runner.cli.terminal.benchmark_tables import described, print_list
    from scoring.benchmarks.registry import broken, registry

    if as_json:
        rows = [described(each) for each in registry().values()]
        print_json({"benchmarks": rows, "not_usable": list(broken().values())})
        return
    print_list(registry())
    for reason in broken().values():
        out.print(Text(f"not usable: {reason}"))


@app.command()
def show(
    name: Name,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="An item's id, or its number from 0.")],
    rotation: Annotated[int, typer.Option(min=0, help="Which order of the options.")] = 0,
    as_json: AsJson = False,
) -> None:
    """One item, as it is sent, with its right answer."""
    from runner.cli.terminal.benchmark_tables import print_item
    from scoring.answers.items import option_order, question_text
    from scoring.benchmarks.registry import benchmark

    found = benchmark(name)
    chosen = _find(found, item)
    if as_json:
        order = option_order(chosen, rotation)
        print_json({**asdict(chosen), "text": question_text(chosen, order), "order": order})
        return
    print_item(chosen, rotation)


@app.command()
def check(name: Name, as_json: AsJson = False) -> None:
    """Read a benchmark and every record of its data, and say what it holds, or what is wrong and where.

    Five items are shown as they will be asked, with the right answer marked.
    """
    from runner.cli.terminal.benchmark_tables import parts_of, print_parts, print_sample, sample_of
    from scoring.answers.items import option_order, question_text
    from scoring.benchmarks.registry import benchmark

    if Path(name).suffix in _DATA:
        raise InputError(
            f"{name}: a benchmark is described by a file that ends in .toml or .yaml; "
            f"`mtpa-run benchmarks init {name}` drafts one"
        )
    found = benchmark(name)
    items, refused = _items(found)
    if as_json:
        shown = [{**asdict(each), "text": question_text(each, option_order(each, 0))} for each in sample_of(items)]
        about = {"name": found.name, "title": found.title, "version": found.version, "items": len(items)}
        print_json({**about, "parts": parts_of(items), "not_to_be_asked": refused, "sample": shown})
        return
    out.print(Text(f"{found.title} ({found.name}, version {found.version or 'not given'}): {len(items)} items"))
    print_parts(items)
    for reason in refused:
        out.print(Text(f"  not to be asked: {reason}"))
    print_sample(items)


@app.command("init")
def init_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV, TSV, JSON, JSONL or Parquet file of questions.")],
    to: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The .toml to write; beside the data if absent.")
    ] = None,
) -> None:
    """Draft the description of a file of questions from its columns, for you to correct."""
    from personas.whole_file import replaced
    from scoring.benchmarks.files.benchmark_draft import draft
    from scoring.benchmarks.registry import benchmark

    path = to or file.with_suffix(".toml")
    if path.suffix != ".toml" or path.parent.resolve() != file.parent.resolve():
        raise InputError(f"--out {path}: a description ends in .toml and stands beside its data, in {file.parent}")
    if path.exists():
        raise InputError(f"{path} is there already: correct it, or name another with --out")
    text = draft(file)
    with replaced(path) as written:
        written.write(text.encode())
    out.print(Text(text), soft_wrap=True)
    out.print(Text(f"Written: {path}"))
    try:
        items, _ = _items(benchmark(str(path)))
    except InputError as error:
        out.print(Text(f"Still to be corrected: {error}"), soft_wrap=True)
        return
    out.print(Text(f"It reads {len(items):,} items. Next: mtpa-run benchmarks check {path}"))


@app.command("agreement")
def agreement_command(
    first: Annotated[
        Path,
        typer.Argument(metavar="ONE", help="Verdicts: a CSV, JSONL or Parquet file with the columns id and label."),
    ],
    second: Annotated[Path, typer.Argument(metavar="OTHER", help="Verdicts of a second judge, or of people.")],
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


def _find(found: "Benchmark", wanted: str) -> "Item":
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


def _items(found: "Benchmark") -> tuple[list["Item"], list[str]]:
    """The items of every part that can be asked, and a sentence for each part that cannot.

    Raises InputError where none can.
    """
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

"""`mtpa-run data`: pinned data and models, and what a study's file keeps."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

import mtpa
from personas.errors import InputError
from runner.cli.terminal.console import AsJson, out, print_json
from runner.cli.terminal.help import WholeHelp

if TYPE_CHECKING:
    from runner.store.ledger import Held

app = typer.Typer(cls=WholeHelp, no_args_is_help=True)


@app.command("list")
def list_assets(as_json: AsJson = False) -> None:
    """Every asset: size, licence, and whether it is in the cache."""
    from runner.study.assets import assets, cache_directory, is_cached

    if as_json:
        facts = ("title", "licence", "citation", "size")
        rows = [{"name": name, **{fact: getattr(each, fact) for fact in facts}} for name, each in assets().items()]
        print_json({"cache": cache_directory(), "assets": [row | {"cached": is_cached(row["name"])} for row in rows]})
        return
    table = Table("name", "what", "licence", "MB", "cached", caption=f"Cache: {escape(str(cache_directory()))}")
    for name, asset in assets().items():
        cached = "yes" if is_cached(name) else "no"
        table.add_row(name, escape(asset.title), escape(asset.licence), f"{asset.size / 1e6:.1f}", cached)
    out.print(table)


@app.command("fetch")
def fetch_assets(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Names of `data list`, or prices.")],
) -> None:
    """Fetch assets into the cache; what is there and whole is not fetched again. `prices` is the present price list."""
    from runner.backends.catalogue.price_list import fetch_price_list
    from runner.study.assets import fetch

    for name in names:
        path = fetch_price_list() if name == "prices" else fetch(name)
        out.print(f"{name}: {escape(str(path))}", highlight=False, soft_wrap=True)


@app.command("prune")
def prune_database(
    context: typer.Context,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete it, after asking; without, it is only shown.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Show, or delete, what the study's last run no longer asked for, and failures answered since."""
    from runner.store.prune import prune

    path = mtpa.Study.load(context.obj).database
    found = prune(path)
    if not found.total:
        out.print(f"{escape(str(path))}: everything is of use.", highlight=False, soft_wrap=True)
        return
    table = Table("rows", "of no use any more")
    for name, count in found.rows.items():
        table.add_row(f"{count:,}", _PRUNED[name])
    out.print(table)
    if found.micro_usd:
        out.print(f"The answers among them cost ${found.micro_usd / 1e6:,.4f}.", highlight=False)
    if not delete:
        out.print("Nothing is deleted yet: --delete deletes it.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"{path}: deleting what was paid for is asked about first; agree with --yes")
        typer.confirm("Delete it?", abort=True)
    gone = prune(path, delete=True)
    out.print(f"{gone.total:,} rows deleted; `mtpa-run data vacuum` gives their space back.", highlight=False)


@app.command("release")
def release_reserved(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Release without asking.")] = False,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="Accept all of it as unknown cost, whatever the provider says.")
    ] = False,
) -> None:
    """Release what killed runs still hold of the budget, because nobody knows what their last requests cost.

    Where the provider reports what the key was charged (OpenRouter), the part that may have been spent is counted as
    spent.
    """
    import asyncio

    from runner.backends.catalogue.key_usage import key_usage
    from runner.engine.acknowledgement import agreed_keys
    from runner.store.database import opened
    from runner.store.ledger import held, newest_run, release

    study = mtpa.Study.load(context.obj)
    path = study.database
    with opened(path) as connection:
        last, agreed, any_held = newest_run(connection), agreed_keys(connection), bool(held(connection))
        usage = asyncio.run(key_usage(study.models, agreed)) if any_held and not by_hand else {}
        found = held(connection, usage)
    if not found:
        out.print(f"{escape(str(path))}: nothing is held.", highlight=False, soft_wrap=True)
        return
    _print_held(found)
    if not yes:
        told = all(each.spent is not None for each in found)
        seen = "the provider's usage of the key" if told else "the provider's bill"
        if not sys.stdin.isatty():
            raise InputError(f"{path}: compare this with {seen}, then release it with --yes")
        typer.confirm(f"Have you compared this with {seen}? Release it?", abort=True)
    for line in _released(release(path, usage, last)):
        out.print(line, highlight=False, soft_wrap=True)


def _print_held(found: "Sequence[Held]") -> None:
    told = any(each.spent is not None for each in found)
    table = Table("run", "started", "model", "up to, USD", *(["of it spent at most, USD"] if told else []))
    for each in found:
        spent = "not known" if each.spent is None else f"{each.spent / 1e6:.4f}"
        row = (str(each.run), escape(each.started), escape(each.model), f"{each.micro_usd / 1e6:.4f}")
        table.add_row(*row, *([spent] if told else []))
    out.print(table)
    if told:
        line = "Spent at most: all that was charged to the key since then, less what this file has settled."
        out.print(line, highlight=False, soft_wrap=True)


def _released(found: "Sequence[Held]") -> Iterator[str]:
    """What became of it, in words."""
    told = [(each.micro_usd, each.spent) for each in found if each.spent is not None]
    held, spent = sum(held for held, _ in told), sum(spent for _, spent in told)
    if told:
        yield f"${spent / 1e6:.4f} counted as spent and ${(held - spent) / 1e6:.4f} freed, by the usage of the key."
    unknown = sum(each.micro_usd for each in found if each.spent is None)
    if unknown:
        yield f"${unknown / 1e6:.4f} released; `mtpa-run status` goes on to show it as unknown, accepted today."


@app.command("vacuum")
def vacuum_database(context: typer.Context) -> None:
    """Rewrite the study's database without the space that deleted rows left; not while a run is on."""
    from runner.store.prune import vacuum

    path = mtpa.Study.load(context.obj).database
    before, after = vacuum(path)
    line = f"{escape(str(path))}: {before / 1e6:,.1f} MB before, {after / 1e6:,.1f} MB now."
    out.print(line, highlight=False, soft_wrap=True)


_PRUNED = {
    "score": "scores of trials that the last run did not select",
    "completion": "answers that no score is of",
    "failure": "failures of such trials, or of trials answered since",
    "text": "texts of prompts that no answer is to",
    "model": "models",
    "item": "items",
    "persona": "personas",
    "variant": "variants",
}

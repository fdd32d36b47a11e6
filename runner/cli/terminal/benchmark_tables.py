"""What `mtpa-run benchmarks` prints: what there is, and items as they are asked."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from runner.cli.terminal.console import out
from scoring.answers.items import LETTERS, Item, continuations, option_order, question_text, rotations

if TYPE_CHECKING:
    from scoring.benchmarks.base import Benchmark

SHOWN = 5
_MARK = "  ← "


def print_list(found: Mapping[str, "Benchmark"]) -> None:
    """Each benchmark: how many items, what it is scored by, its licence, where its data are, and a line a part."""
    for name, each in sorted(found.items()):
        items = _items_of(each)
        facts = [f"{items:,} items" if items else "", f"scored by {each.metric}", each.licence, data_of(each)]
        title = f"  {each.title}, version {each.version or 'not given'}"
        out.print(Text.assemble((name, "bold"), title), soft_wrap=True)
        out.print(Text(f"  {' · '.join(filter(None, facts))}"), soft_wrap=True)
        table = Table.grid(padding=(0, 2, 0, 0))
        for part, count, line in _parts_of(each):
            table.add_row(Text(f"    {part}"), Text(count, justify="right"), Text(line))
        if table.row_count:
            out.print(table)


def _items_of(found: "Benchmark") -> int:
    """The items of the whole, or of the default part where the parts are measures apart."""
    from scoring.benchmarks.base import default_part

    return sum(found.sizes.values()) if found.pooled else found.sizes.get(default_part(found), 0)


def _parts_of(found: "Benchmark") -> Iterator[tuple[str, str, str]]:
    """(part, items, a line) of a benchmark with several parts; the default one says so."""
    from scoring.benchmarks.base import default_part

    for part in found.parts if len(found.parts) > 1 else ():
        size, line = found.sizes.get(part), found.about.get(part, "")
        default = not found.pooled and part == default_part(found)
        yield part, f"{size:,}" if size else "", f"{line} (the default)".strip() if default else line


def data_of(found: "Benchmark") -> str:
    """Whether the data are here, fetched when they are asked for, or got by hand."""
    from runner.study.assets import are_here, assets, is_cached
    from scoring.benchmarks.files.benchmark import DeclaredBenchmark

    if isinstance(found, DeclaredBenchmark):
        if are_here(found.name, found.files, found.local):
            return "here"
        by_hand = [f"{file.path} from {file.by_hand}" for file in found.files if file.by_hand]
        return f"to be got by hand: {'; '.join(by_hand)}" if by_hand else "fetched when first asked for"
    if not found.assets:
        return "no data to fetch"
    if all(map(is_cached, found.assets)):
        return "here"
    pinned = [assets()[name] for name in found.assets]
    if any(not each.url and not each.wheel for each in pinned):
        return f"to be got by hand: {', '.join(file for each in pinned for file in each.files)}"
    return f"fetched when first asked for, {sum(each.size for each in pinned) / 1e6:.1f} MB"


def described(found: "Benchmark") -> dict[str, Any]:
    """A benchmark for other programs."""
    from scoring.benchmarks.base import default_part

    names = ("name", "version", "title", "metric", "better", "parts", "licence", "sizes", "about")
    facts = {name: getattr(found, name) for name in names}
    default = None if found.pooled else default_part(found)
    return facts | {"default": default, "items": _items_of(found) or None, "data": data_of(found)}


def parts_of(items: Sequence[Item]) -> dict[str, dict[str, Any]]:
    """How many items, groups and options each part has."""
    found = {}
    for part, count in Counter(each.part for each in items).items():
        of_part = [each for each in items if each.part == part]
        groups = len({each.group for each in of_part})
        found[part] = {"items": count, "groups": groups, "options": sorted({len(each.choices) for each in of_part})}
    return found


def print_parts(items: Sequence[Item]) -> None:
    """A line for each part."""
    for part, each in parts_of(items).items():
        options = each["options"]
        span = f"{options[0]} to {options[-1]}" if len(options) > 1 else f"{options[0]}"
        out.print(Text(f"  part {part!r}: {each['items']} items in {each['groups']} groups, {span} options"))


def print_sample(items: Sequence[Item]) -> None:
    """Five items as they are asked, with the right answer marked."""
    for each in sample_of(items):
        print_item(each)


def sample_of(items: Sequence[Item]) -> list[Item]:
    """Five items from the first to the last."""
    last = len(items) - 1
    return [items[place] for place in dict.fromkeys(round(step * last / (SHOWN - 1)) for step in range(SHOWN))]


def print_item(item: Item, rotation: int = 0) -> None:
    """One item as it is asked, what is right marked behind it, and what else is known of it."""
    order = option_order(item, rotation)
    out.print(Panel(_marked(item, order), title=Text(item.id)))
    out.print(_facts(item, order))


def _marked(item: Item, order: tuple[int, ...]) -> Text:
    """The question as it is sent; behind each option what `_note` says, which is not sent."""
    asked = question_text(item, order)
    if item.ask == "loglik":
        shown = Text(asked or "(nothing: the options are scored alone)")
        for option, text in enumerate(continuations(item)):
            shown.append(f"\n{option}  {text!r}").append(_note(item, option), style="bold green")
        return shown
    shown, at = Text(), 0
    for place, option in enumerate(order if item.ask == "letter" and not item.listed else ()):
        line = f"\n{LETTERS[place]}. {item.choices[option]}"
        end = asked.index(line, at) + len(line)
        shown.append(asked[at:end]).append(_note(item, option), style="bold green")
        at = end
    return shown.append(asked[at:])


def _note(item: Item, option: int) -> str:
    """What stands behind an option: that it is right, what it is worth, or whose it is; "" for a wrong one."""
    weight = item.weights[option] if item.weights is not None else 0.0
    if item.scoring.get("kind") == "distribution" and item.weights is not None:
        return f"{_MARK}{weight:.1%}"
    if weight > 0:
        return f"{_MARK}right" if weight == 1 else f"{_MARK}worth {weight:.3g}"
    role = item.roles[option] if item.roles is not None else None
    return f"{_MARK}{role}" if role else ""


def _facts(item: Item, order: Sequence[int]) -> Table:
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

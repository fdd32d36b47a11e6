"""What `mtpa-run personas build` and `check` print."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from personas.surveys.build import Check, Mapped, SurveyReport
from personas.surveys.reading import ValueRow
from personas.surveys.survey import Survey
from personas.traits import Trait
from runner.cli.terminal.console import out as console

_MANY = 12
# What is printed in full, however long.
_WHOLE = ("described, too many missing", "answered", "proxies", "notes")


def print_surveys(found: Iterable[Survey]) -> None:
    """Each described survey: whether its file comes by itself, its terms, and whether a real file was read with it."""
    for each in found:
        console.print(Text.assemble((each.survey, "bold"), f"  {each.title}{_wave(each)}"), soft_wrap=True)
        terms = "fetched when first asked for; no registration" if each.asset else "to be got by hand"
        sent = "; answers are sent to another machine only after --acknowledge" if each.restricted else ""
        console.print(Text(f"  {terms}{sent} · {each.licence}"), soft_wrap=True)
        if each.untried:
            console.print(Text(f"  {each.untried}", style="dim"), soft_wrap=True)
    console.print(
        "mtpa-run personas build --survey NAME=FILE reads a file; `personas init FILE` drafts another survey."
    )


def _wave(survey: Survey) -> str:
    return f", {survey.wave}" if survey.wave and survey.wave not in survey.title else ""


def as_plain(found: Check) -> dict[str, Any]:
    """What `check` found, for other programs."""
    described = [
        {
            "trait": each.trait.name,
            **{name: getattr(each, name) for name in ("variable", "found", "question", "filled", "off_scale", "proxy")},
            "values": [
                {"value": row.value, "label": row.label, "code": row.code, "means": each.trait.label(row.code)}
                | {"count": row.count}
                for row in each.values
            ],
        }
        for each in found.described
    ]
    names = ("extended", "silent", "no_scale", "notes", "warnings", "problems")
    return {"described": described, **{name: getattr(found, name) for name in names}}


def print_report(report: SurveyReport) -> None:
    """What became of one survey, each thing that was left out with its reason."""
    table = Table(title=Text(report.title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("respondents", f"{report.rows_in:,} in the file, {report.rows_out:,} kept")
    table.add_row("near-duplicates dropped", f"{len(report.near_duplicates):,}")
    table.add_row("variables", f"{report.columns_in:,} in the file, {report.traits_out:,} traits kept that can be told")
    described = [name for name in report.sparse if name.split(" (")[0] in report.described]
    core = {name: rate for name, rate in report.fill.items() if ":" not in name}
    lines = {
        "described, too many missing": [f"{name} {report.sparse[name]:.0%}" for name in described],
        "too many missing": [f"{name} {rate:.0%}" for name, rate in report.sparse.items() if name not in described],
        "silent: no labels": list(report.silent),
        "no scale": [f"{name} ({why})" for name, why in report.no_scale.items()],
        "not in the file": list(report.not_in_file),
        "values off the scale": [f"{name} {dict(values)}" for name, values in report.off_scale.items()],
        "answered": [f"{name} {rate:.0%}" for name, rate in core.items()],
        "proxies": [f"{name}: {note}" for name, note in report.proxies.items()],
        "near-duplicates": [f"{each.dropped} of {each.kept} ({each.agreement:.0%})" for each in report.near_duplicates],
        "notes": list(report.notes),
    }
    for title, entries in lines.items():
        if entries:
            shown = entries if title in _WHOLE else entries[:_MANY]
            more = f" … and {len(entries) - len(shown):,} more" if len(entries) > len(shown) else ""
            table.add_row(title, Text(("\n" if title in ("proxies", "notes") else ", ").join(shown) + more))
    console.print(table)
    console.print()


def print_check(title: str, found: Check) -> None:
    """What a description makes of a file: each described trait, each of its values, and what to look at."""
    table = Table("trait", "variable", "the file's question", "answered", "note", title=Text(title))
    for each in found.described:
        strays = ", ".join(f"{count} × {value}" for value, count in each.off_scale.items())
        notes = [each.proxy, f"off the scale: {strays}" if strays else "", "" if each.found else "not in this file"]
        answered = f"{each.filled:.0%}" if each.found else "–"
        cells = [Text(each.trait.name), Text(each.variable), Text(each.question)]
        table.add_row(*cells, answered, Text("; ".join(filter(None, notes))))
    console.print(table)
    for each in found.described:
        if each.found:
            console.print(_values(each))
    known = sum(each.found for each in found.described)
    console.print(
        f"{known} of {len(found.described)} described traits found, and {found.extended} extended traits from the file "
        "itself."
    )
    _list("silent (nothing says what the codes mean)", found.silent)
    _list("no trait", [f"{variable} ({why})" for variable, why in found.no_scale.items()])
    for each_note in found.notes:
        console.print(Text(f"note: {each_note}"))
    for warning in found.warnings:
        console.print(Text(f"warning: {warning}"))


def _list(title: str, entries: Sequence[str]) -> None:
    if entries:
        console.print(Text(f"{title}: {', '.join(entries)}"))


def _values(mapped: Mapped) -> Table:
    """Each value of a variable, and what it became."""
    title = Text(f"{mapped.trait.name} ({mapped.variable})")
    table = Table("value", "the file's label", "→ code", "our label", "n", title=title, title_justify="left", box=None)
    for value, label, code, meaning, count in _collapsed(mapped.trait, mapped.values):
        table.add_row(Text(value), Text(label), code, Text(meaning), f"{count:,}")
    return table


def _collapsed(trait: Trait, rows: Iterable[ValueRow]) -> list[tuple[str, str, str, str, int]]:
    """The rows as text; numbers that stand for themselves, such as ages, are one row."""
    result, plain = [], []
    for row in rows:
        if not row.label and str(row.code) == row.value and row.code >= 0 and row.code not in trait.labels:
            plain.append(row)
        else:
            result.append((row.value, row.label, str(row.code), trait.label(row.code), row.count))
    if plain:
        span = f"{plain[0].value} to {plain[-1].value}" if len(plain) > 1 else plain[0].value
        result.append((span, "", "the same", "the number itself", sum(row.count for row in plain)))
    return result

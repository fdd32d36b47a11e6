"""The finding as tables for a terminal."""

import math
from collections.abc import Iterable, Iterator

import pandas as pd
from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from scoring.report.findings import Findings, direction_of
from scoring.report.paper import TITLES
from scoring.statistics.gaps import THESE_ITEMS
from scoring.statistics.subgroups import ALL

SIGNIFICANT = 0.05


def print_report(console: Console, found: Findings) -> None:
    """What could be resolved first, then every table, model by model."""
    effects = found.effects
    print_incomplete(console, found.incomplete)
    if effects.empty:
        console.print("No scores yet: nothing to report.")
        return
    for line in (*found.sentences, *found.warnings):
        console.print(Text(line))
    for model, part in effects.groupby("model", observed=True):
        console.rule(Text(str(model)))
        console.print(Group(*_tables(found, str(model), part)))


def print_incomplete(console: Console, sentence: str) -> None:
    """What is missing, before anything else; nothing of a whole run."""
    if sentence:
        console.print(Text(sentence, style="bold red"), soft_wrap=True)


def _tables(found: Findings, model: str, effects: pd.DataFrame) -> Iterator[RenderableType]:
    yield _overall(effects[effects["attribute"] == ALL])
    if len(target := _of(found, "target", model)):
        yield _target(target)
    if len(conditionings := _of(found, "conditionings", model)):
        yield _conditionings(conditionings)
    if len(aggregates := _of(found, "aggregates", model)):
        yield _aggregates(aggregates)
    if (
        len(validity := _of(found, "validity", model))
        and (validity["value_as_wrong"] != validity["value_left_out"]).any()
    ):
        yield _validity(validity)
    if len(traits := _of(found, "traits", model)):
        yield _traits(traits)
    for attribute in effects.loc[effects["attribute"] != ALL, "attribute"].unique():
        yield _subgroups(effects[effects["attribute"] == attribute], attribute, found.slicing.min_n)
    families = _of(found, "families", model)
    if len(families) and families["omnibus_p"].notna().any():
        yield _families(families)
    yield Text(
        f"Levels under {found.slicing.min_n} people are grey and too small to be compared; under 5 they are hidden."
    )
    yield Text(f"Persona weights: {found.slicing.weights}.")


def _of(found: Findings, name: str, model: str) -> pd.DataFrame:
    table = found.tables.get(name, pd.DataFrame())
    return table[table["model"] == model] if len(table) else table


def plain_table(title: str, caption: str, names: list[str], numbers: list[str]) -> Table:
    """An empty table: text columns, then right-aligned ones."""
    table = Table(title=escape(title), caption=escape(caption), box=box.SIMPLE_HEAD, title_justify="left")
    for name in names:
        table.add_column(escape(name))
    for name in numbers:
        table.add_column(escape(name), justify="right", no_wrap=True)
    return table


def _overall(overall: pd.DataFrame) -> Table:
    table = plain_table(
        "Persona effect Δ = with − without",
        "± is half a 95 % interval: for people like these on these items | for items like these too",
        ["benchmark", "measure"],
        ["people", "items", "without", "with", "Δ", "± people", "± items too", "unparsed"],
    )
    for _, row in overall.iterrows():
        table.add_row(
            escape(f"{row['benchmark']}, {direction_of(str(row['benchmark']))}".removesuffix(", ")),
            str(row["metric"]),
            f"{row['personas']:,.0f}",
            f"{row['items']:,.0f}",
            number(row["without"]),
            number(row["with_persona"]),
            signed(row["effect"]),
            _half(row["people_low"], row["people_high"]),
            _half(row["items_low"], row["items_high"]),
            f"{_percent(row['invalid_without'])} / {_percent(row['invalid_with'])}",
        )
    return table


def _target(target: pd.DataFrame) -> Table:
    caption = "The interval that holds though it was looked at while the run went on, for these items"
    numbers = ["people", "rounds", "Δ", "interval", "±", "wanted"]
    table = plain_table("Rounds until the target", caption, ["benchmark", "of", "level", "outcome"], numbers)
    for _, row in target.iterrows():
        names = (escape(str(row[name])) for name in ("benchmark", "attribute", "level", "outcome"))
        people = "<5" if math.isnan(row["personas"]) else f"{row['personas']:,.0f}"
        bounds = interval(row["low"], row["high"])
        values = (signed(row["effect"]), bounds, number(row["half_width"]), f"{row['wanted']:g}")
        table.add_row(*names, people, f"{row['asked']} of {row['rounds']}", *values)
    return table


def _conditionings(conditionings: pd.DataFrame) -> Table:
    caption = "± is half a 95 % interval for items like these too; against: Δ minus that of the smallest set"
    numbers = ["people", "items", "without", "with", "Δ", "± items too", "against", "± against"]
    table = plain_table("Δ by what is shown of a persona", caption, ["traits shown", "benchmark", "measure"], numbers)
    for _, row in conditionings.iterrows():
        names = (escape(str(row["traits"])), escape(str(row["benchmark"])), str(row["metric"]))
        counts = (
            f"{row['personas']:,.0f}",
            f"{row['items']:,.0f}",
            number(row["without"]),
            number(row["with_persona"]),
        )
        own = (signed(row["effect"]), _half(row["items_low"], row["items_high"]))
        against = (signed(row["difference"]), _half(row["difference_low"], row["difference_high"]))
        table.add_row(*names, *counts, *own, *against)
    return table


def _aggregates(aggregates: pd.DataFrame) -> Table:
    numbers = ["answers", "without", "with", "Δ", "95 % interval"]
    caption = "Interval: personas and item groups resampled (pigeonhole bootstrap)"
    table = plain_table("Over all items, by the option chosen", caption, ["benchmark", "score"], numbers)
    for _, row in aggregates.iterrows():
        table.add_row(
            escape(str(row["benchmark"])),
            escape(str(row["metric"])),
            f"{row['answers_without']:,} / {row['answers_with']:,}",
            number(row["without"]),
            number(row["with_persona"]),
            signed(row["effect"]),
            interval(row["low"], row["high"]),
        )
    return table


def _validity(validity: pd.DataFrame) -> Table:
    numbers = ["unparsed", "refused", "no probabilities", "failed", "Δ invalid", "left out", "as wrong"]
    caption = "Rates with personas; Δ of the invalid rate; mean score with invalid answers left out and counted as 0"
    table = plain_table("Answers that could not be scored", caption, ["benchmark", "of", "level"], numbers)
    for _, row in validity.iterrows():
        names = (escape(str(row[name])) for name in ("benchmark", "attribute", "level"))
        rates = (_percent(row[f"{name}_with"]) for name in ("unparsed", "refused", "no_probabilities", "failed"))
        table.add_row(
            *names, *rates, signed(row["effect"]), number(row["value_left_out"]), number(row["value_as_wrong"])
        )
    return table


def _traits(traits: pd.DataFrame) -> Table:
    caption = (
        "No Δ: without a persona there is nobody to tell of. ± is half a 95 % interval over people; exact, ordinal: 1 "
        "is best, wasserstein: 0; gain: better than the regression by"
    )
    numbers = ["people", "told", "±", "majority", "of country", "regression", "gain", "± gain"]
    table = plain_table("Hidden traits told from the others", caption, ["trait", "benchmark", "score"], numbers)
    for _, row in traits.iterrows():
        names = (escape(str(row[name])) for name in ("trait", "benchmark", "score"))
        if math.isnan(row["personas"]):
            table.add_row(*names, "<5", "hidden", *[""] * 6, style="dim")
            continue
        own = (f"{row['personas']:,.0f}", number(row["told"]), _half(row["low"], row["high"]))
        others = (number(row[name]) for name in ("majority", "country_majority", "logistic"))
        table.add_row(*names, *own, *others, signed(row["gain"]), _half(row["gain_low"], row["gain_high"]))
    return table


def _subgroups(effects: pd.DataFrame, attribute: str, min_n: int) -> Table:
    narrow = effects["gap_scope"] == THESE_ITEMS
    mark = "; * of these items only, too few to speak of others" if narrow.any() else ""
    table = plain_table(
        f"Δ by {attribute}",
        "± is half a 95 % interval, for people like these on these items; gap: Δ minus everybody else's; p by Holm"
        + mark,
        [attribute, "benchmark", "measure"],
        ["people", "items", "without", "with", "Δ", "± people", "gap", "± gap", "p"],
    )
    for _, row in effects.iterrows():
        head = (escape(str(row["level"])), escape(str(row["benchmark"])), str(row["metric"]))
        if row["hidden"]:
            table.add_row(*head, "<5", *["hidden"] * 3, *[""] * 5, style="dim")
            continue
        scores = (f"{row['items']:,.0f}", number(row["without"]), number(row["with_persona"]))
        values = (signed(row["effect"]), _half(row["people_low"], row["people_high"]), signed(row["gap"]))
        half, p = _half(row["gap_low"], row["gap_high"]), p_value(row["gap_holm"])
        p += "*" if row["gap_scope"] == THESE_ITEMS else ""
        style = "dim" if row["personas"] < min_n else "bold" if row["gap_holm"] < SIGNIFICANT else ""
        table.add_row(*head, f"{row['personas']:,.0f}", *scores, *values, half, p, style=style)
    return table


def _families(families: pd.DataFrame) -> Table:
    table = plain_table(
        "Does it matter at all?",
        "p: permutation of the attribute over people within survey; disparity = max − min, beside what chance gives",
        ["attribute", "benchmark", "measure"],
        ["levels", "p", "disparity", "by chance"],
    )
    for _, row in families[families["omnibus_p"].notna()].iterrows():
        table.add_row(
            escape(str(row["attribute"])),
            escape(str(row["benchmark"])),
            str(row["metric"]),
            f"{row['tested']}/{row['levels']}",
            p_value(row["omnibus_p"]),
            number(row["disparity"]),
            number(row["disparity_null"]),
        )
    return table


def number(value: float) -> str:
    """Three decimals; a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def signed(value: float) -> str:
    """Three decimals with a sign."""
    return "–" if math.isnan(value) else f"{value:+.3f}"


def interval(low: float, high: float) -> str:
    """[low, high]"""
    return "–" if math.isnan(low) or math.isnan(high) else f"[{low:+.3f}, {high:+.3f}]"


def p_value(value: float) -> str:
    """Three decimals, or "<0.001"."""
    return "–" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def _half(low: float, high: float) -> str:
    return "–" if math.isnan(low) or math.isnan(high) else f"{(high - low) / 2:.3f}"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"


def print_paper(console: Console, tables: dict[str, pd.DataFrame], found: Findings) -> None:
    """The paper's tables with this run's numbers, and what this run could have found."""
    print_incomplete(console, found.incomplete)
    for name, table in tables.items():
        caption = (
            "resolves: the least effect (Table 2) or gap that this run finds with 80 % power; the paper gives no n"
        )
        numbers = ["paper", "this run", "people", "95 % interval", "resolves"]
        shown = plain_table(TITLES[name], caption, ["benchmark", "model", "level", "column"], numbers)
        for _, row in table.iterrows():
            names = (escape(str(row[each])) for each in ("benchmark", "model", "level", "column"))
            people = "–" if math.isnan(row["people"]) else f"{row['people']:,.0f}"
            values = (number(row["paper"]), number(row["this_run"]), people, interval(row["low"], row["high"]))
            shown.add_row(*names, *values, number(row["resolves"]))
        console.print(shown)
    for line in found.sentences:
        console.print(Text(line))


def print_difference(console: Console, table: pd.DataFrame, incomplete: Iterable[str] = ()) -> None:
    """What two runs or models differ by; `incomplete` says what is missing of them."""
    for sentence in incomplete:
        print_incomplete(console, sentence)
    first, second = table["first"].iloc[0], table["second"].iloc[0]
    shown = plain_table(
        f"{second} − {first}, on the trials that both answered",
        "± is half a 95 % interval: for people like these on these items | for items like these too",
        ["benchmark", "measure", "compared"],
        ["people", "items", str(first), str(second), "difference", "± people", "± items too"],
    )
    for _, row in table.iterrows():
        alone = row["compared"] == "baseline"
        shown.add_row(
            escape(str(row["benchmark"])),
            str(row["metric"]),
            row["compared"],
            "–" if alone else f"{row['personas']:,.0f}",
            f"{row['items']:,.0f}",
            number(row["without"]),
            number(row["with_persona"]),
            signed(row["effect"]),
            "–" if alone else _half(row["people_low"], row["people_high"]),
            _half(row["items_low"], row["items_high"]),
        )
    console.print(shown)

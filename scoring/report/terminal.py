"""The finding as tables for a terminal."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from scoring.benchmarks.base import Benchmark
from scoring.benchmarks.registry import measured
from scoring.fidelity.summary import fidelity_sentences
from scoring.report.covariate_terminal import covariate_sentences, covariates_shown
from scoring.report.fidelity.fidelity_terminal import fidelity_shown
from scoring.report.findings import BETTER, Findings, direction_of, title_of
from scoring.report.fitted import FittedTable
from scoring.report.names import attribute_name, level_name, who_else
from scoring.report.numbers import (
    NONE,
    count,
    half_points,
    in_points,
    interval,
    number,
    p_value,
    percent,
    points_interval,
    score,
    signed,
)
from scoring.report.paper import HEAD, TITLES, paper_grid
from scoring.report.robustness.robustness_terminal import robustness_shown
from scoring.report.sentences import BRIEF, NOTHING, headline, statements
from scoring.statistics.gaps import THESE_ITEMS
from scoring.statistics.levels import ALL

SIGNIFICANT = 0.05
UNITS = "Scores are in per cent, differences of scores and their intervals in percentage points; files have shares."


def print_report(console: Console, found: Findings, full: bool = False, after: Sequence[str] = ()) -> None:
    """The finding last, nearest the prompt, behind one table; `full` has every other table before it.

    `after` are the lines that follow it: what to do next, where files were written.
    """
    print_incomplete(console, found.heading)
    effects = found.effects
    fidelity = fidelity_sentences(found.tables)
    if full:
        console.print(Text(UNITS))
        for model in dict.fromkeys(map(str, found.tables.get("fidelity_people", pd.DataFrame()).get("model", []))):
            console.rule(Text(f"{model}: fidelity"))
            console.print(Group(*fidelity_shown(found.tables, model)))
    if effects.empty and not fidelity:
        console.print(NOTHING)
    elif len(effects):
        if full:
            for model, part in effects.groupby("model", observed=True):
                console.rule(Text(str(model)))
                console.print(Group(*_tables(found, str(model), part)))
            _print_lines(console, "What this run could resolve", found.sentences)
        console.print(_headline(found))
        _print_lines(console, "Before you trust an interval", found.warnings if full else ())
        _print_finding(console, found)
    for paragraph in (*fidelity, *covariate_sentences(found.tables)):
        console.print(Text(paragraph))
    for line in after:  # in a pipe a line stays one
        console.print(Text(line), soft_wrap=not console.is_terminal)


def _print_lines(console: Console, title: str, lines: Sequence[str]) -> None:
    if lines:
        console.print(Text(title, style="bold"))
        for line in lines:
            console.print(Text(line))


def _print_finding(console: Console, found: Findings) -> None:
    """Every sentence of a few findings; the first of each where there are many."""
    all_of_them = statements(found)
    for each in all_of_them:
        text = Text(each.effect, style="bold")
        console.print(text.append(" ".join(["", *each.rest]), style="not bold") if len(all_of_them) <= BRIEF else text)
    if len(all_of_them) > BRIEF:
        console.print("The rest of each finding: mtpa-run report --methods, or --html.")


def _headline(found: Findings) -> FittedTable:
    """One row a model and benchmark: Δ with the interval for items like these, and net of the neutral control."""
    rows = headline(found.effects)
    models, net = rows["model"].nunique() > 1, rows["net"].notna().any()
    who = who_else(int(found.about.get("countries", 0)))
    caption = f"Δ in percentage points; intervals are at 95%, for {who} and items like these"
    caption += "; net: Δ less what a neutral text does" if net else ""
    numbers = ["without", "with", "Δ", "interval", *(["net", "interval"] * bool(net)), "people × items"]
    names = [*(["model"] * models), "benchmark", "metric"]
    title = f"Persona effect Δ = with - without{'' if models else ': ' + str(rows['model'].iloc[0])}"
    table = plain_table(title, caption, names, numbers)
    for _, row in rows.iterrows():
        known = measured(str(row["benchmark"]))
        metric = _metric(known) if known else "score"
        labels = [*([str(row["model"])] * models), title_of(str(row["benchmark"])), metric]
        values = [score(row["without"]), score(row["with_persona"]), in_points(row["effect"])]
        values.append(points_interval(row["items_low"], row["items_high"]))
        values += [in_points(row["net"]), points_interval(row["net_low"], row["net_high"])] * bool(net)
        table.add_row(*map(escape, labels), *values, f"{row['personas']:,.0f} × {row['items']:,.0f}")
    return table


def _metric(known: Benchmark) -> str:
    """What the score is, and what it would be at best: an arrow, or the neutral point."""
    best = "\n(50% = unbiased)" if known.better == "half" else f" {BETTER[known.better][0]}"
    return f"{known.metric}{best}"


def print_incomplete(console: Console, sentence: str) -> None:
    """What is missing, before anything else; nothing of a whole run."""
    if sentence:
        console.print(Text(sentence, style="bold red"), soft_wrap=True)


def _tables(found: Findings, model: str, effects: pd.DataFrame) -> Iterator[RenderableType]:
    yield _overall(effects[effects["attribute"] == ALL])
    if len(target := _of(found, "target", model)):
        yield _target(target)
    yield from covariates_shown(_of(found, "covariates", model))
    if len(conditionings := _of(found, "conditionings", model)):
        yield _conditionings(conditionings)
    if len(ways := _of(found, "ways", model)):
        yield _ways(ways)
    if len(aggregates := _of(found, "aggregates", model)):
        yield _aggregates(aggregates)
    if len(distributions := _of(found, "distributions", model)):
        yield _distributions(distributions)
    if (
        len(validity := _of(found, "validity", model))
        and (validity["value_as_wrong"] != validity["value_left_out"]).any()
    ):
        yield _validity(validity)
    for attribute in effects.loc[effects["attribute"] != ALL, "attribute"].unique():
        yield _subgroups(effects[effects["attribute"] == attribute], attribute, found.slicing.min_n)
    yield from robustness_shown(found.tables, model)
    families = _of(found, "families", model)
    if len(families) and families["disparity"].notna().any():
        yield _families(families)
    yield Text(
        f"Levels under {found.slicing.min_n} people are grey and too small to be compared; under 5 they are hidden, "
        "and so is another from which they could be worked out."
    )
    yield Text(f"Persona weights: {found.slicing.weights}.")


def _of(found: Findings, name: str, model: str) -> pd.DataFrame:
    table = found.tables.get(name, pd.DataFrame())
    return table[table["model"] == model] if len(table) else table


def plain_table(title: str, caption: str, names: list[str], numbers: list[str]) -> FittedTable:
    """An empty table: text columns, then right-aligned ones; it fits every width."""
    return FittedTable(title, caption, names, numbers)


def _overall(overall: pd.DataFrame) -> FittedTable:
    as_wrong = bool(overall["as_wrong_low"].notna().any())
    caption = "± is half a 95 % interval: for these items alone | for items like these too"
    caption += "; invalid: unparsed, refused or failed, without | with"
    caption += "; as wrong: Δ with what was not read as 0" if as_wrong else ""
    numbers = ["people", "items", "without", "with", "Δ", "± people", "± items too", "invalid"]
    numbers += ["as wrong", "± as wrong"] if as_wrong else []
    net = overall["net"].notna().any()
    numbers += ["net", "± net"] if net else []
    caption += "; net: Δ less what the neutral text does, ± for items like these too" if net else ""
    table = plain_table("Persona effect Δ = with − without", caption, ["benchmark", "measure"], numbers)
    for _, row in overall.iterrows():
        table.add_row(
            escape(f"{title_of(str(row['benchmark']))}, {direction_of(str(row['benchmark']))}".removesuffix(", ")),
            str(row["metric"]),
            f"{row['personas']:,.0f}",
            f"{row['items']:,.0f}",
            score(row["without"]),
            score(row["with_persona"]),
            in_points(row["effect"]),
            half_points(row["people_low"], row["people_high"]),
            half_points(row["items_low"], row["items_high"]),
            f"{percent(row['invalid_without'])} | {percent(row['invalid_with'])}",
            *([in_points(row["effect_as_wrong"]), half_points(row["as_wrong_low"], row["as_wrong_high"])] * as_wrong),
            *([in_points(row["net"]), half_points(row["net_low"], row["net_high"])] * bool(net)),
        )
    return table


def _target(target: pd.DataFrame) -> FittedTable:
    caption = "The interval that holds though it was looked at while the run went on, for these items, without weights"
    numbers = ["people", "rounds", "Δ", "interval", "±", "wanted"]
    table = plain_table("Rounds until the target", caption, ["benchmark", "of", "level", "outcome"], numbers)
    for _, row in target.iterrows():
        names = (escape(str(row[name])) for name in ("benchmark", "attribute", "level", "outcome"))
        people = "<5" if math.isnan(row["personas"]) else f"{row['personas']:,.0f}"
        bounds = points_interval(row["low"], row["high"])
        values = (
            in_points(row["effect"]),
            bounds,
            in_points(row["half_width"]).lstrip("+"),
            f"{100 * row['wanted']:g}",
        )
        table.add_row(*names, people, f"{row['asked']} of {row['rounds']}", *values)
    return table


def _conditionings(conditionings: pd.DataFrame) -> FittedTable:
    caption = "± is half a 95 % interval for items like these too; against: Δ minus that of the smallest set"
    numbers = ["people", "items", "without", "with", "Δ", "± items too", "against", "± against"]
    table = plain_table("Δ by what is shown of a persona", caption, ["traits shown", "benchmark", "measure"], numbers)
    for _, row in conditionings.iterrows():
        names = (escape(str(row["traits"])), escape(str(row["benchmark"])), str(row["metric"]))
        counts = (
            f"{row['personas']:,.0f}",
            f"{row['items']:,.0f}",
            score(row["without"]),
            score(row["with_persona"]),
        )
        own = (in_points(row["effect"]), half_points(row["items_low"], row["items_high"]))
        against = (in_points(row["difference"]), half_points(row["difference_low"], row["difference_high"]))
        table.add_row(*names, *counts, *own, *against)
    return table


def _ways(ways: pd.DataFrame) -> FittedTable:
    caption = "± is half a 95 % interval for these items; against: Δ minus that of the first way on the same trials; "
    caption += "unread: answers with personas that were not read, refused or failed"
    numbers = ["people", "items", "unread", "without", "with", "Δ", "±", "against", "± against"]
    table = plain_table("Δ by the way of asking", caption, ["way", "benchmark", "measure"], numbers)
    for _, row in ways.iterrows():
        names = (escape(str(row["way"])), escape(title_of(str(row["benchmark"]))), str(row["metric"]))
        counts = (f"{row['personas']:,.0f}", f"{row['items']:,.0f}", percent(row["invalid_with"]))
        own = (in_points(row["effect"]), half_points(row["people_low"], row["people_high"]))
        against = (in_points(row["difference"]), half_points(row["difference_low"], row["difference_high"]))
        table.add_row(*names, *counts, score(row["without"]), score(row["with_persona"]), *own, *against)
    return table


def _aggregates(aggregates: pd.DataFrame) -> FittedTable:
    left_out = sorted({str(each) for each in aggregates["left_out"] if each})
    caption = (
        "Each persona beside the baseline on the items and orders that both answered; interval: clusters of people "
    )
    caption += "and item groups resampled (pigeonhole bootstrap)"
    caption += f"; left out: {'; '.join(left_out)}" if left_out else ""
    unpaired = int(aggregates["unpaired"].max())
    caption += f"; up to {unpaired:,} answers of personas have no baseline beside them" if unpaired else ""
    numbers = ["answers", "without", "with", "Δ", "95 % interval"]
    table = plain_table("Over many items, by the option chosen", caption, ["benchmark", "score"], numbers)
    for _, row in aggregates.iterrows():
        table.add_row(
            escape(title_of(str(row["benchmark"]))),
            escape(str(row["metric"])),
            f"{row['answers_without']:,} | {row['answers_with']:,}",
            number(row["without"]),
            number(row["with_persona"]),
            signed(row["effect"]),
            interval(row["low"], row["high"]),
        )
    return table


def _distributions(distributions: pd.DataFrame) -> FittedTable:
    caption = (
        "1 − distance to the population's answers; pooled: of all answers; without, with and Δ: at as many draws of "
    )
    caption += "an item on both sides as the baseline has, less the bias of few draws (jackknife)"
    numbers = ["people", "items", "pooled", "draws", "without", "with", "Δ", "± items too"]
    table = plain_table("Answers as a distribution", caption, ["benchmark", "of", "level"], numbers)
    for _, row in distributions.iterrows():
        names = (escape(str(row[name])) for name in ("benchmark", "attribute", "level"))
        size = (count(row["personas"]), count(row["items"]), score(row["pooled"]), count(row["draws"]))
        values = (score(row["without"]), score(row["with_persona"]), in_points(row["effect"]))
        table.add_row(*names, *size, *values, half_points(row["items_low"], row["items_high"]))
    return table


def _validity(validity: pd.DataFrame) -> FittedTable:
    numbers = ["unparsed", "refused", "no probabilities", "failed", "Δ invalid", "left out", "as wrong"]
    caption = "Rates with personas; Δ of the invalid rate; mean score with invalid answers left out and counted as 0"
    table = plain_table("Answers that could not be scored", caption, ["benchmark", "of", "level"], numbers)
    for _, row in validity.iterrows():
        names = (escape(str(row[name])) for name in ("benchmark", "attribute", "level"))
        rates = (percent(row[f"{name}_with"]) for name in ("unparsed", "refused", "no_probabilities", "failed"))
        table.add_row(
            *names, *rates, in_points(row["effect"]), score(row["value_left_out"]), score(row["value_as_wrong"])
        )
    return table


def _subgroups(effects: pd.DataFrame, attribute: str, min_n: int) -> FittedTable:
    narrow = effects["gap_scope"] == THESE_ITEMS
    bounded = (effects["gap_most"] - effects["gap_least"] > 0).any()
    caption = "± is half a 95 % interval, for these items alone; gap: Δ minus everybody else's on the items "
    caption += "that both have; p by Holm"
    caption += "; * of these items only, too few to speak of others" if narrow.any() else ""
    caption += "; could be: the gap with what was not read as 0 on one side and 1 on the other" if bounded else ""
    numbers = ["people", "items", "without", "with", "Δ", "± people", "gap", "± gap", "p", "common"]
    numbers += ["could be"] if bounded else []
    net = effects["net"].notna().any()
    numbers += ["net", "± net"] if net else []
    caption += "; net: Δ less what the neutral text does, ± for items like these too" if net else ""
    name = attribute_name(attribute)
    table = plain_table(f"Δ by {name}", caption, [name, "benchmark", "measure"], numbers)
    for _, row in effects.iterrows():
        level, title = level_name(attribute, str(row["level"])), title_of(str(row["benchmark"]))
        head = (escape(level), escape(title), str(row["metric"]))
        if row["hidden"]:
            table.add_row(*head, "hidden", style="dim")
            continue
        scores = (f"{row['items']:,.0f}", score(row["without"]), score(row["with_persona"]))
        values = (in_points(row["effect"]), half_points(row["people_low"], row["people_high"]), in_points(row["gap"]))
        half, p = half_points(row["gap_low"], row["gap_high"]), p_value(row["gap_holm"])
        p += "*" if row["gap_scope"] == THESE_ITEMS else ""
        style = "dim" if row["personas"] < min_n else "bold" if row["gap_holm"] < SIGNIFICANT else ""
        last = (count(row["gap_items"]), *([points_interval(row["gap_least"], row["gap_most"])] * bool(bounded)))
        last += (in_points(row["net"]), half_points(row["net_low"], row["net_high"])) if net else ()
        table.add_row(*head, f"{row['personas']:,.0f}", *scores, *values, half, p, *last, style=style)
    return table


def _families(families: pd.DataFrame) -> FittedTable:
    table = plain_table(
        "Does it matter at all?",
        "p that no level differs, for people like these on these items and on items like these; disparity = max − min, "
        "beside what chance gives",
        ["attribute", "benchmark", "measure"],
        ["levels", "p, these items", "p, items too", "disparity", "by chance", "no p since"],
    )
    for _, row in families[families["disparity"].notna()].iterrows():
        table.add_row(
            escape(attribute_name(str(row["attribute"]))),
            escape(title_of(str(row["benchmark"]))),
            str(row["metric"]),
            f"{row['tested']}/{row['levels']}",
            p_value(row["omnibus_p"]),
            p_value(row["omnibus_items_p"]),
            in_points(row["disparity"]).lstrip("+"),
            in_points(row["disparity_null"]).lstrip("+"),
            str(row["omnibus_note"]),
        )
    return table


def print_paper(console: Console, tables: dict[str, pd.DataFrame], found: Findings) -> None:
    """The paper's tables with this run's numbers, and what this run could have found."""
    print_incomplete(console, found.heading)
    for name, table in tables.items():
        caption = "This run's number with its 95 % interval for items like these too, and n; then the paper's"
        grid = paper_grid(table)
        names = [str(each) for each in grid.columns]
        labels = len(HEAD)
        shown = plain_table(TITLES[name], caption, names[:labels], names[labels:])
        for _, row in grid.iterrows():
            shown.add_row(*("" if value == NONE else escape(str(value)) for value in row))
        console.print(shown)
    for line in found.sentences:
        console.print(Text(line))

"""Robustness as tables for a terminal."""

from collections.abc import Iterator, Mapping

import pandas as pd
from rich.markup import escape

from scoring.report.findings import title_of
from scoring.report.fitted import FittedTable
from scoring.report.names import attribute_name, level_name
from scoring.report.numbers import count, in_points, interval, number, p_value, percent, points_interval, variance
from scoring.report.robustness.facet_words import facet_sentences
from scoring.statistics.levels import ALL

MOST_ITEMS = 10  # rows; the files have all
SIGNIFICANT = 0.05


def robustness_shown(tables: Mapping[str, pd.DataFrame], model: str) -> Iterator[FittedTable]:
    """The tables of one model that a terminal shows."""
    for name, shown in _SHOWN.items():
        table = tables.get(name, pd.DataFrame())
        own = table[table["model"] == model] if len(table) else table
        if len(own) and (made := shown(own)) is not None:
            yield made


def _multiverse(table: pd.DataFrame) -> FittedTable:
    caption = "Δ under every way of asking; p: no effect under any, signs of whole item groups flipped jointly"
    numbers = ["specifications", "lowest", "median", "highest", "same sign", "off zero", "p"]
    shown = FittedTable("Would another wording say the same?", caption, ["benchmark", "measure", "over"], numbers)
    for _, row in table.iterrows():
        names = (escape(title_of(str(row["benchmark"]))), str(row["metric"]), str(row["axes"]))
        deltas = (in_points(row[name]) for name in ("lowest", "median", "highest"))
        shares = (percent(row["same_sign"]), "–" if pd.isna(row["off_zero"]) else percent(row["off_zero"]))
        shown.add_row(*names, count(row["specifications"]), *deltas, *shares, p_value(row["p"]))
    return shown


def _rankings(table: pd.DataFrame) -> FittedTable:
    caption = (
        "Kendall's W of the levels' ranks over specifications (1: always the same ranking); in brackets: the share of "
        "specifications in which the level has that place; p: the attribute permuted over people, or signs flipped"
    )
    numbers = ["levels", "W", "highest", "lowest", "p"]
    shown = FittedTable("Whose ranking survives another wording?", caption, ["attribute", "benchmark"], numbers)
    for _, row in table.iterrows():
        attribute = str(row["attribute"])
        ends = (
            f"{level_name(attribute, str(row[name]))} ({percent(row[f'{name}_share'])})" for name in ("first", "last")
        )
        names = (escape(attribute_name(attribute)), escape(title_of(str(row["benchmark"]))))
        shown.add_row(*names, count(row["levels"]), number(row["concordance"]), *map(escape, ends), p_value(row["p"]))
    return shown


def _facets(table: pd.DataFrame) -> FittedTable:
    caption = (
        "Variance of one answer's d by what it is of, symmetric sums; no interval where a facet has fewer than five "
        "levels; of Δ: the source's share of the variance of Δ for more of the same kind. "
        + " ".join(facet_sentences(table))
    )
    numbers = ["levels", "variance", "95 % interval", "share", "of Δ"]
    shown = FittedTable("What one answer's d varies with", caption, ["benchmark", "measure", "source"], numbers)
    for _, row in table.iterrows():
        note = f" ({row['note']})" if row["note"] else ""
        names = (escape(title_of(str(row["benchmark"]))), str(row["metric"]), f"{row['source']}{note}")
        bounds = "–" if pd.isna(row["low"]) else f"[{variance(row['low'])}, {variance(row['high'])}]"
        values = (variance(row["variance"]), bounds, percent(row["share"]))
        shown.add_row(*names, count(row["levels"]), *values, percent(row["of_effect"]))
    return shown


def _worst(table: pd.DataFrame) -> FittedTable:
    caption = (
        "Δ of the tenth of the people whom a persona costs most: seen: by all items, luck included; Δ: picked on one "
        "half of the items, taken on the other; bound: one-sided, at 95 %, for people and items like these"
    )
    shown = FittedTable("The worst tenth", caption, ["benchmark", "measure"], ["texts", "seen", "Δ", "bound"])
    for _, row in table.iterrows():
        names = (escape(title_of(str(row["benchmark"]))), str(row["metric"]))
        bound = "none" if pd.isna(row["bound"]) else f"{row['side']} {in_points(row['bound'])}"
        shown.add_row(*names, count(row["chosen"]), in_points(row["seen"]), in_points(row["effect"]), bound)
    return shown


def _reliability(table: pd.DataFrame) -> FittedTable:
    caption = "Correlation of people's Δ with their Δ on as many other items (split-half, Spearman–Brown)"
    numbers = ["texts", "item groups", "reliability", "95 % interval"]
    shown = FittedTable("Does the same person move on other items too?", caption, ["benchmark", "measure"], numbers)
    for _, row in table.iterrows():
        names = (escape(title_of(str(row["benchmark"]))), str(row["metric"]))
        values = (number(row["reliability"]), interval(row["reliability_low"], row["reliability_high"]))
        shown.add_row(*names, count(row["clusters"]), count(row["groups"]), *values)
    return shown


def _shift(table: pd.DataFrame) -> FittedTable:
    caption = "Total variation distance of the answers to each question, averaged; by chance: where sides are exchanged"
    numbers = ["answers", "moved", "by chance", "p"]
    shown = FittedTable("How far the answers move as a distribution", caption, ["benchmark", "against"], numbers)
    for _, row in table.iterrows():
        names = (escape(title_of(str(row["benchmark"]))), str(row["against"]))
        chance = "–" if pd.isna(row["moved_by_chance"]) else percent(row["moved_by_chance"])
        shown.add_row(*names, count(row["answers"]), percent(row["moved"]), chance, p_value(row["p"]))
    return shown


def _equivalence(table: pd.DataFrame) -> FittedTable:
    caption = "within: the smallest margin that two one-sided tests at 5 % show the number to lie within"
    numbers = ["number", "90 % interval", "within", "within the margin"]
    shown = FittedTable("How small is it shown to be?", caption, ["of", "benchmark", "measure"], numbers)
    for _, row in table.iterrows():
        level = level_name(str(row["attribute"]), str(row["level"]))
        who = "Δ" if row["attribute"] == ALL else f"gap: {attribute_name(str(row['attribute']))} {level}"
        names = (escape(who), escape(title_of(str(row["benchmark"]))), str(row["metric"]))
        bounds, within = points_interval(row["tost_low"], row["tost_high"]), in_points(row["within"]).lstrip("+")
        values = (in_points(row["estimate"]), bounds, within)
        shown.add_row(*names, *values, str(row["equivalent"]) or "–")
    return shown


def _contrasts(table: pd.DataFrame) -> FittedTable:
    caption = "Δ of the one minus Δ of the other on the items that both have; p by Holm over the attribute's pairs"
    numbers = ["difference", "95 % interval", "p"]
    shown = FittedTable("Levels pair by pair", caption, ["one", "other", "benchmark", "measure"], numbers)
    for _, row in table.iterrows():
        levels = (escape(level_name(str(row["attribute"]), str(row[name]))) for name in ("level", "other_level"))
        names = (escape(title_of(str(row["benchmark"]))), str(row["metric"]))
        bounds = points_interval(row["difference_low"], row["difference_high"])
        shown.add_row(*levels, *names, in_points(row["difference"]), bounds, p_value(row["holm"]))
    return shown


def _items(table: pd.DataFrame) -> FittedTable | None:
    """The items that differ; none where no test holds."""
    held = table[table["q"] < SIGNIFICANT].sort_values("q", kind="stable")
    if held.empty:
        return None
    caption = f"{len(held):,} of {len(table):,} tests of a level on an item hold at a false discovery rate of 5 %" + (
        f"; the first {MOST_ITEMS}" if len(held) > MOST_ITEMS else ""
    )
    names = ["of", "level", "benchmark", "item"]
    shown = FittedTable("Items on which a level moves otherwise", caption, names, ["difference", "q"])
    for _, row in held.head(MOST_ITEMS).iterrows():
        attribute = str(row["attribute"])
        of = (attribute_name(attribute), level_name(attribute, str(row["level"])), title_of(str(row["benchmark"])))
        shown.add_row(*map(escape, (*of, str(row["item_id"]))), in_points(row["difference"]), p_value(row["q"]))
    return shown


def _told(table: pd.DataFrame) -> FittedTable:
    """Only telling is randomised, and the caption says so."""
    caption = (
        "What telling the trait does to the score, everything else that is told being equal, for people and items like "
        "these; p by Holm over the traits. Which traits are told is random; what people are is not, so this compares "
        "told with not told, not one level with another. moved: distance between the answers, told and not told"
    )
    numbers = ["told", "people", "effect", "95 % interval", "p", "moved", "by chance", "p moved"]
    shown = FittedTable("Which trait does it?", caption, ["trait", "benchmark", "measure"], numbers)
    for _, row in table.iterrows():
        names = (str(row["trait"]), title_of(str(row["benchmark"])), str(row["metric"]))
        size = (percent(row["told"]), count(row["personas"]))
        bounds = str(row["note"]) or points_interval(row["low"], row["high"])
        moves = ("–" if pd.isna(row[name]) else percent(row[name]) for name in ("moved", "moved_by_chance"))
        style = "bold" if row["holm"] < SIGNIFICANT else ""
        values = (in_points(row["telling"]), bounds, p_value(row["holm"]), *moves, p_value(row["moved_holm"]))
        shown.add_row(*map(escape, names), *size, *values, style=style)
    return shown


_SHOWN = {
    "told_traits": _told,
    "multiverse": _multiverse,
    "multiverse_gaps": _rankings,
    "facets": _facets,
    "worst_tenth": _worst,
    "reliability": _reliability,
    "answer_shift": _shift,
    "equivalence": _equivalence,
    "contrasts": _contrasts,
    "item_differences": _items,
}

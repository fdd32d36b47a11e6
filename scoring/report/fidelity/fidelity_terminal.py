"""Fidelity as tables for a terminal."""

from collections.abc import Iterator, Mapping

import pandas as pd
from rich.markup import escape

from scoring.report.fitted import FittedTable
from scoring.report.names import attribute_name, level_name
from scoring.report.numbers import count, half_width, number, p_value, signed
from scoring.statistics.levels import ALL


def fidelity_shown(tables: Mapping[str, pd.DataFrame], model: str) -> Iterator[FittedTable]:
    """The tables of one model that a terminal shows; the files have more."""
    for name, shown in (("people", _people), ("groups", _groups), ("spread", _spread)):
        table = tables.get(f"fidelity_{name}", pd.DataFrame())
        own = table[table["model"] == model] if len(table) else table
        if len(own):
            yield shown(own)


def _people(people: pd.DataFrame) -> FittedTable:
    caption = (
        "How often the model's answer is the respondent's own (exact), or how near on the scale (ordinal); 1 is best. "
        "± is half a 95 % interval over people; over: better than the reference by"
    )
    numbers = ["people", "model", "±", "majority", "draw", "learned", "over majority", "±", "over learned", "±"]
    table = FittedTable("Fidelity to the person", caption, ["of", "question", "score", "by"], numbers)
    for _, row in people.iterrows():
        names = (_of(row), str(row["trait"]), str(row["score"]), str(row["metric"]))
        if row["hidden"]:
            table.add_row(*map(escape, names), "<5", "hidden", *[""] * 8, style="dim")
            continue
        own = (count(row["personas"]), number(row["told"]), half_width(row["low"], row["high"]))
        others = tuple(number(row[name]) for name in ("majority", "draw", "learned"))
        over: list[str] = []
        for name in ("over_majority", "over_learned"):
            over += [signed(row[name]), half_width(row[f"{name}_low"], row[f"{name}_high"])]
        table.add_row(*map(escape, names), *own, *others, *over)
    return table


def _groups(groups: pd.DataFrame) -> FittedTable:
    caption = (
        "How far the distribution of the model's answers is from that of the same people's; second sample: as far as "
        "others like them are; p: how often those are as far"
    )
    numbers = ["people", "distance", "second sample", "excess", "p"]
    table = FittedTable("Fidelity to the group", caption, ["of", "distance", "by"], numbers)
    for _, row in groups[groups["trait"] == ALL].iterrows():
        names = (_of(row), str(row["score"]), str(row["metric"]))
        if row["hidden"]:
            table.add_row(*map(escape, names), "<5", "hidden", *[""] * 3, style="dim")
            continue
        values = (number(row["distance"]), number(row["reference"]), signed(row["excess"]), p_value(row["p"]))
        table.add_row(*map(escape, names), count(row["personas"]), *values)
    return table


def _spread(spread: pd.DataFrame) -> FittedTable:
    caption = (
        "within: variance within levels over the people's (1 as in people, 0 all alike); between: ε², the share of the "
        "variance between levels; over: model less people; times: model over people, where people differ; "
        "order: Kendall's τ of the levels"
    )
    numbers = ["levels", "within", "±", "p", "between", "people", "over", "±", "times", "p", "order"]
    table = FittedTable("Flattened within, exaggerated between?", caption, ["of", "by"], numbers)
    for _, row in spread.iterrows():
        within = (number(row["within"]), half_width(row["within_low"], row["within_high"]), p_value(row["within_p"]))
        between = (number(row["between_model"]), number(row["between_people"]), signed(row["between_over"]))
        over = half_width(row["between_over_low"], row["between_over_high"])
        rest = (over, number(row["exaggeration"]), p_value(row["between_p"]), number(row["order"]))
        names = (escape(attribute_name(str(row["attribute"]))), escape(str(row["metric"])))
        table.add_row(*names, count(row["levels"]), *within, *between, *rest)
    return table


def _of(row: pd.Series) -> str:
    """The group that a row is about."""
    if row["attribute"] == ALL:
        return "everybody"
    return f"{attribute_name(str(row['attribute']))}: {level_name(str(row['attribute']), str(row['level']))}"

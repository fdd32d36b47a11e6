"""Two runs or models compared, as tables for a terminal."""

from collections.abc import Iterable

import pandas as pd
from rich.console import Console
from rich.markup import escape

from scoring.report.findings import title_of
from scoring.report.names import attribute_name, level_name
from scoring.report.numbers import half_points, in_points, score
from scoring.report.terminal import plain_table, print_incomplete


def print_difference(
    console: Console, table: pd.DataFrame, weights: str = "none", first_of_all: Iterable[str] = ()
) -> None:
    """What two runs or models differ by; `first_of_all` are sentences on what is missing or made up."""
    for sentence in first_of_all:
        print_incomplete(console, sentence)
    first, second = table["first"].iloc[0], table["second"].iloc[0]
    shown = plain_table(
        f"{second} − {first}, on the trials that both answered",
        f"± is half a 95 % interval: for these items alone | for items like these too; persona weights: {weights}",
        ["benchmark", "measure", "compared"],
        ["people", "items", str(first), str(second), "difference", "± people", "± items too"],
    )
    for _, row in table.iterrows():
        alone = row["compared"] == "baseline"
        value = in_points if row["compared"] == "persona effect" else score
        shown.add_row(
            escape(title_of(str(row["benchmark"]))),
            str(row["metric"]),
            row["compared"],
            "–" if alone else f"{row['personas']:,.0f}",
            f"{row['items']:,.0f}",
            value(row["without"]),
            value(row["with_persona"]),
            in_points(row["effect"]),
            "–" if alone else half_points(row["people_low"], row["people_high"]),
            half_points(row["items_low"], row["items_high"]),
        )
    console.print(shown)


def print_difference_by_level(console: Console, table: pd.DataFrame) -> None:
    """For whom Δ differs between two runs: a row a level; nothing where no level is large enough."""
    if table.empty:
        return
    shown = plain_table(
        "For whom: the difference of Δ by level",
        "± is half a 95 % interval of each level by itself, not adjusted for their number: for these items alone | for "
        "items like these too",
        ["benchmark", "measure", "attribute", "level"],
        ["people", "difference", "± people", "± items too"],
    )
    for _, row in table.iterrows():
        shown.add_row(
            escape(title_of(str(row["benchmark"]))),
            str(row["metric"]),
            escape(attribute_name(str(row["attribute"]))),
            escape(level_name(str(row["attribute"]), str(row["level"]))),
            f"{row['personas']:,.0f}",
            in_points(row["effect"]),
            half_points(row["people_low"], row["people_high"]),
            half_points(row["items_low"], row["items_high"]),
        )
    console.print(shown)

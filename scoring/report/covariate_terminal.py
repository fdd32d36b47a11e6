"""Δ with a cheaper model's answers, for a terminal: a sentence a model and benchmark, and the table."""

from collections.abc import Iterator, Mapping

import pandas as pd
from rich.markup import escape

from scoring.report.findings import title_of
from scoring.report.fitted import FittedTable
from scoring.report.names import attribute_name, level_name
from scoring.report.numbers import count, half_width, in_points, number, percent, points_interval, signed
from scoring.statistics.levels import ALL


def covariate_sentences(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """What the cheaper model's answers do to Δ of everybody, and what they save."""
    table = tables.get("covariates", pd.DataFrame())
    for _, row in table[table["attribute"] == ALL].iterrows() if len(table) else ():
        yield (
            f"{row['model']} on {title_of(str(row['benchmark']))}, with the answers of {row['covariate']}: Δ "
            f"{in_points(row['effect'])} ({points_interval(row['people_low'], row['people_high'])} for people like "
            f"these), without them {in_points(row['alone'])} ({points_interval(row['alone_low'], row['alone_high'])}). "
            f"{_saved(float(row['saves']))} ρ within a person {number(row['rho_answers'])}, between people "
            f"{number(row['rho_people'])}."
        )


def _saved(share: float) -> str:
    if pd.isna(share):
        return "There are too few people to say what that saves."
    if share <= 0:
        return "They save nothing: the models have too little in common."
    return f"They save {percent(share)} of its answers: an interval as narrow would take 1 / {1 - share:.2f} as many."


def covariates_shown(table: pd.DataFrame) -> Iterator[FittedTable]:
    """The table of one model; none where it has no covariate."""
    if table.empty:
        return
    caption = (
        "± is half a 95 % interval: for these items alone | for items like these too; saves: answers of the model "
    )
    caption += (
        "that an interval as narrow would take more; ρ: correlation of the models within a person | between people"
    )
    numbers = ["people", "Δ", "± people", "± items too", "Δ without", "± people", "ρ", "saves"]
    title = f"Δ with the answers of {escape(str(table['covariate'].iloc[0]))}"
    shown = FittedTable(title, caption, ["benchmark", "measure", "of"], numbers)
    for _, row in table.iterrows():
        attribute, level = str(row["attribute"]), str(row["level"])
        of = "everybody" if attribute == ALL else f"{attribute_name(attribute)}: {level_name(attribute, level)}"
        shown.add_row(
            escape(title_of(str(row["benchmark"]))),
            str(row["metric"]),
            escape(of),
            f"{count(row['personas'])} of {count(row['personas_covariate'])}",
            signed(row["effect"]),
            half_width(row["people_low"], row["people_high"]),
            half_width(row["items_low"], row["items_high"]),
            signed(row["alone"]),
            half_width(row["alone_low"], row["alone_high"]),
            f"{number(row['rho_answers'])} | {number(row['rho_people'])}",
            percent(row["saves"]),
        )
    yield shown

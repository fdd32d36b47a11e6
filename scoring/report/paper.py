"""The paper's Tables 2 to 5 in its layout, from this run, beside the paper's figures.

Source of the figures: Tehenan, Chamoun & Vlachos (2025), MTPA, EMNLP Findings, Tables 2 to 5.
"""

import math
from importlib.resources import files

import pandas as pd

from personas.countries import country_name
from scoring.benchmarks.registry import measured
from scoring.report.numbers import NONE, number
from scoring.statistics.levels import ALL
from scoring.tables.score_levels import COLUMNS

TITLES = {
    "paper_table_2": "Table 2: TruthfulQA without and with personas",
    "paper_table_3": "Table 3: TruthfulQA with personas, by country",
    "paper_table_4": "Table 4: TruthfulQA with personas, by gender",
    "paper_table_5": "Table 5: BBQ and NormAd with personas, by country",
}
BY = ("country", "gender")
HEAD = ["benchmark", "measured_by", "model"]


def paper_figures() -> pd.DataFrame:
    """The paper's printed figures: table, benchmark, model, attribute, level, column, value."""
    path = files("scoring.report").joinpath("paper_tables.csv")
    with path.open(encoding="utf-8") as lines:
        return pd.read_csv(lines)


def paper_tables(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One table for each of the paper's, a row a number: `paper` and `this_run` side by side.

    With this run's n (`people`) and 95 % interval for items like these too. `scores` is this run's `score_table`.

    `measured_by` is the benchmark and part of this run, so that two parts of one benchmark are two rows.
    """
    paper, ours = paper_figures(), _ours(scores)
    tables = {}
    for table in (2, 3, 4, 5):
        printed = paper[paper["table"] == table].drop(columns="table")
        benchmarks, attribute = set(printed["benchmark"]), printed["attribute"].iloc[0]
        here = ours[ours["benchmark"].isin(benchmarks) & (ours["attribute"] == attribute)]
        if table != 2:
            here = here[here["column"] == "persona"]
        keys = ["benchmark", "model", "level", "column"]
        both = printed.rename(columns={"value": "paper"}).merge(here.drop(columns="attribute"), on=keys, how="outer")
        both["measured_by"] = both["measured_by"].fillna("")
        order = pd.Categorical(both["column"], COLUMNS)
        both = both.assign(order=order).sort_values([*HEAD, "level", "order"], ignore_index=True)
        tables[f"paper_table_{table}"] = both[[*HEAD, "level", "column", "paper", "this_run", "people", "low", "high"]]
    return tables


def paper_grid(table: pd.DataFrame) -> pd.DataFrame:
    """A table as the paper prints it: a row a model, a column a country (or gender, or baseline, persona and delta).

    A cell is this run's number with its interval and n, then the paper's.
    """
    across = "column" if table["column"].nunique() > 1 else "level"
    names = [each for each in COLUMNS if each in set(table["column"])] if across == "column" else None
    cells = table.assign(cell=[_cell(row) for _, row in table.iterrows()])
    wide = cells.pivot(index=HEAD, columns=across, values="cell").fillna(NONE)
    wide = wide[names] if names else wide
    return wide.reset_index().rename_axis(columns=None).rename(columns={"measured_by": "this run's"})


def _cell(row: pd.Series) -> str:
    lines = []
    if not math.isnan(row["this_run"]):
        bounds = "" if math.isnan(row["low"]) else f" [{number(row['low'])}, {number(row['high'])}]"
        lines.append(f"{number(row['this_run'])}{bounds}, n = {row['people']:,.0f}")
    if not math.isnan(row["paper"]):
        lines.append(f"paper {number(row['paper'])}")
    return ", ".join(lines) or NONE


def _ours(scores: pd.DataFrame) -> pd.DataFrame:
    """The numbers of this run under the paper's names; none of a benchmark that the paper has not."""
    columns = [*HEAD, "attribute", "level", "column", "this_run", "people", "low", "high"]
    rows = []
    for _, row in scores.iterrows():
        known = measured(str(row["benchmark"]))
        if known is None or not known.paper_name or row["attribute"] not in (ALL, *BY):
            continue
        level = _level(str(row["attribute"]), str(row["level"]))
        head = (known.paper_name, str(row["benchmark"]), str(row["model"]), str(row["attribute"]), level)
        rows.append((*head, row["column"], row["value"], row["personas"], row["low"], row["high"]))
    found = pd.DataFrame(rows, columns=columns)
    return found.astype(dict.fromkeys(("this_run", "people", "low", "high"), float))


def _level(attribute: str, level: str) -> str:
    """As the paper writes it: "Brazil", "Female"."""
    if attribute == "country":
        return country_name(level).removeprefix("the ") if len(level) == 3 else level
    return level.capitalize() if attribute == "gender" else level

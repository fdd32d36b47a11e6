"""The paper's Tables 2 to 5 in its layout, from this run, with the paper's figures and what this run resolves beside.

Source of the figures: Tehenan, Chamoun & Vlachos (2025), MTPA, EMNLP Findings, Tables 2 to 5.
"""

import math
from importlib.resources import files

import pandas as pd

from personas.countries import country_name
from scoring.statistics.levels import ALL

TITLES = {
    "paper_table_2": "Table 2: TruthfulQA without and with personas",
    "paper_table_3": "Table 3: TruthfulQA with personas, by country",
    "paper_table_4": "Table 4: TruthfulQA with personas, by gender",
    "paper_table_5": "Table 5: BBQ and NormAd with personas, by country",
}
_NAMES = {"truthfulqa": "TruthfulQA", "bbq": "BBQ", "normad": "NormAd"}


def paper_figures() -> pd.DataFrame:
    """The paper's printed figures: table, benchmark, model, attribute, level, column, value."""
    path = files("scoring.report").joinpath("paper_tables.csv")
    with path.open(encoding="utf-8") as lines:
        return pd.read_csv(lines)


def paper_tables(effects: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One table for each of the paper's: rows as there, `paper` and `this run` side by side, then Δ's 95 % interval
    for items like these too and the least effect that this run could find (`resolves`). `effects` are this run's."""
    paper, ours = paper_figures(), _ours(effects)
    tables = {}
    for number in (2, 3, 4, 5):
        printed = paper[paper["table"] == number].drop(columns="table")
        benchmarks, attribute = set(printed["benchmark"]), printed["attribute"].iloc[0]
        here = ours[ours["benchmark"].isin(benchmarks) & (ours["attribute"] == attribute)]
        if number != 2:
            here = here[here["column"] == "persona"]
        keys = ["benchmark", "model", "level", "column"]
        both = printed.rename(columns={"value": "paper"}).merge(here.drop(columns="attribute"), on=keys, how="outer")
        order = pd.Categorical(both["column"], ["baseline", "persona", "delta"])
        both = both.assign(order=order).sort_values(["benchmark", "level", "model", "order"], ignore_index=True)
        tables[f"paper_table_{number}"] = both[[*keys, "paper", "this_run", "people", "low", "high", "resolves"]]
    return tables


def _ours(effects: pd.DataFrame) -> pd.DataFrame:
    """This run's numbers in the paper's columns; a hidden level has none."""
    columns = ["benchmark", "model", "attribute", "level", "column", "this_run", "people", "low", "high", "resolves"]
    rows = []
    for _, row in effects[effects["measure"] == "value"].iterrows() if len(effects) else ():
        name = next((title for prefix, title in _NAMES.items() if str(row["benchmark"]).startswith(prefix)), None)
        if name is None or row["attribute"] not in (ALL, "country", "gender") or row["hidden"]:
            continue
        head = (name, str(row["model"]), str(row["attribute"]), _level(str(row["attribute"]), str(row["level"])))
        resolves = row["resolvable"] if row["attribute"] == ALL else row["gap_resolvable"]
        for column, value in (
            ("baseline", row["without"]),
            ("persona", row["with_persona"]),
            ("delta", row["effect"]),
        ):
            delta = (row["items_low"], row["items_high"]) if column == "delta" else (math.nan, math.nan)
            rows.append((*head, column, value, row["personas"], *delta, resolves))
    return pd.DataFrame(rows, columns=columns)


def _level(attribute: str, level: str) -> str:
    """As the paper writes it: "Brazil", "Female"."""
    if attribute == "country":
        return country_name(level).removeprefix("the ") if len(level) == 3 else level
    return level.capitalize() if attribute == "gender" else level

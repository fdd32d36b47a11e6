"""Robustness in sentences: the tail, and what is ruled out where no effect is shown."""

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from scoring.report.numbers import NONE, chance, p_value, points

FEWEST = 3  # specifications of which a sentence tells
_KEYS = ("model", "benchmark", "measure")


def robustness_sentences(tables: Mapping[str, pd.DataFrame], row: pd.Series) -> Iterator[str]:
    """What belongs to the finding of this row of the effects."""
    yield from _ruled_out(tables, row)
    yield from _multiverse(tables, row)
    yield from _worst(tables, row)


def _of(tables: Mapping[str, pd.DataFrame], name: str, row: pd.Series) -> pd.DataFrame:
    table = tables.get(name, pd.DataFrame())
    for key in _KEYS if len(table) else ():
        table = table[table[key] == row[key]] if key in table else table
    return table


def _ruled_out(tables: Mapping[str, pd.DataFrame], row: pd.Series) -> Iterator[str]:
    """How large an effect may still be, where none is shown."""
    if row["items_low"] > 0 or row["items_high"] < 0:
        return
    table = _of(tables, "equivalence", row)
    for _, each in table[table["quantity"] == "Δ"].iterrows() if len(table) else ():
        within = points(each["within"], signed=False)
        yield f"An effect beyond ± {within} is ruled out (two one-sided tests at 5%)."


def _multiverse(tables: Mapping[str, pd.DataFrame], row: pd.Series) -> Iterator[str]:
    """How many ways of asking agree, and the one test of all of them."""
    for _, each in _of(tables, "multiverse", row).iterrows():
        if each["specifications"] < FEWEST:
            continue
        over = f"Over {each['specifications']:,} specifications ({each['axes'].replace('_', ' ')}) Δ"
        if each["lowest"] == each["highest"]:
            yield f"{over} is {points(each['lowest'])} each time."
            continue
        sure = "" if math.isnan(each["off_zero"]) else f", {chance(each['off_zero'])} with an interval off zero"
        p = p_value(each["p"])
        p = f"; p {p.replace('<', '< ') if p.startswith('<') else f'= {p}'} over all together" if p != NONE else ""
        yield (
            f"{over} runs from {points(each['lowest'])} to {points(each['highest'])}: {chance(each['same_sign'])} have "
            f"the sign of the median{sure}{p}."
        )


def _worst(tables: Mapping[str, pd.DataFrame], row: pd.Series) -> Iterator[str]:
    """Δ of the worst tenth and its bound; nothing where there is none."""
    for _, each in _of(tables, "worst_tenth", row).iterrows():
        if math.isnan(each["bound"]):
            continue
        yield (
            f"The tenth of the people whom it costs most, picked on one half of the items, has Δ = "
            f"{points(each['effect'])} on the other half, {each['side']} {points(each['bound'])} (one-sided 95% bound)."
        )

"""How small Δ and the gaps are shown to be: two one-sided tests, so that "no effect" can be shown."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from scoring.statistics.clustered_errors import quantile
from scoring.statistics.effect import contributions, estimate
from scoring.statistics.levels import ALL
from scoring.statistics.pairs import Part

TOST = 0.90  # two one-sided tests at 5 % each are the 90 % interval (Schuirmann 1987)
EFFECT, GAP = "Δ", "gap"


def equivalence_table(
    found: Sequence[Part], effects: pd.DataFrame, margin: float | None, seed: int = 0
) -> pd.DataFrame:
    """A row per model, benchmark and measure for Δ of everybody, and for every tested gap, for items like these too.

    `tost_low` and `tost_high` are the 90 % interval; `within` is the smallest margin inside which both one-sided tests
    at 5 % show the number to lie: effects beyond it are ruled out. With a `margin` (`[robustness] margin`) `equivalent`
    is "yes" or "not shown". Gaps are not adjusted: each is judged by itself.
    """
    rows = []
    for part in (each.whole for each in found):
        for name in part.measures:
            if not len(part.pairs(name).person):
                continue
            of = contributions(part, name)
            whole = estimate(of, np.ones(len(of.cells.people), dtype=bool), (math.nan, math.nan), seed, TOST)
            head = {"model": part.model, "benchmark": part.benchmark, "measure": name}
            own = {"attribute": ALL, "level": ALL, "quantity": EFFECT, "estimate": whole.effect}
            rows.append({**head, **own, **_verdict(whole.items_low, whole.items_high, margin)})
    rows += _gaps(effects, margin)
    table = pd.DataFrame(rows)
    return table[table["within"].notna()].reset_index(drop=True) if len(table) else table


def _gaps(effects: pd.DataFrame, margin: float | None) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    tested = effects[effects["gap_p"].notna()] if len(effects) else effects
    for row in tested.to_dict("records"):
        half = quantile(TOST, row["gap_freedom"]) * row["gap_error"]
        keys = {name: row[name] for name in ("model", "benchmark", "measure", "attribute", "level")}
        rows.append(
            {**keys, "quantity": GAP, "estimate": row["gap"], **_verdict(row["gap"] - half, row["gap"] + half, margin)}
        )
    return rows


def _verdict(low: float, high: float, margin: float | None) -> dict[str, object]:
    within = max(abs(low), abs(high)) if not math.isnan(low) else math.nan
    said = "" if margin is None or math.isnan(within) else "yes" if within < margin else "not shown"
    return {"tost_low": low, "tost_high": high, "within": within, "equivalent": said}

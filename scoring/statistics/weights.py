"""What each persona counts: nothing special, the survey's own weight, or its country's adult population."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.errors import InputError

Weights = Literal["none", "survey", "population"]
Floats = NDArray[np.float64]


def persona_weights(
    people: pd.DataFrame,
    weights: Weights = "none",
    population: Mapping[str, float] | None = None,
    counted: NDArray[np.bool_] | None = None,
) -> Floats:
    """w_p: 1, the survey's own scaled to a mean of 1 within country, or that times the country's adult population.

    `people` has one row a persona. Only those that are `counted` (all, by default) set a country's scale: its weights
    then sum to their number, or to its population. Raises InputError where population weights are asked for and a
    country has no figure.
    """
    if weights == "none":
        return np.ones(len(people))
    country = people["country"].astype(str) if "country" in people else people["survey"].astype(str)
    own = people["weight"].astype(float)
    counts = pd.Series(True if counted is None else counted, index=people.index)
    scaled = own / own.where(counts).groupby(country).transform("mean").fillna(own.groupby(country).transform("mean"))
    if weights == "survey":
        return np.asarray(scaled, dtype=float)
    known = population or {}
    if absent := sorted(set(country) - set(known)):
        raise InputError(
            f"[report] population has no figure for {', '.join(absent)}, which weights = 'population' needs; add it"
        )
    share = country.map(lambda name: known[name]) / counts.groupby(country).transform("sum").clip(lower=1)
    return np.asarray(scaled * share, dtype=float)


def weighted_mean(values: Floats, weight: Floats) -> float:
    """Σ w · v / Σ w over the values that there are; NaN where they weigh nothing."""
    there = ~np.isnan(values)
    total = float(weight[there].sum())
    return float(weight[there] @ values[there]) / total if total > 0 else float("nan")


def effective_n(weight: Floats) -> float:
    """Kish (1965): (Σw)² / Σw²."""
    return float(weight.sum() ** 2 / (weight @ weight)) if len(weight) else 0.0

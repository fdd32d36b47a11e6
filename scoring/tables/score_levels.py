"""The scores themselves, without and with personas, and Δ, each with an interval of its own."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import LEAST_GROUPS, Interval, Variance, clipped, t_interval
from scoring.statistics.effect import Contributions, estimate
from scoring.statistics.levels import ALL, levels_of, shown_levels
from scoring.statistics.pairs import Part, Scores, parts

COLUMNS = ("baseline", "persona", "delta")


def score_table(scores: Scores, by: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """A row a model, benchmark, level ("all" first) and column: `value`, its 95 % interval for items like these too.

    The column is "baseline" (on the items of these personas, clustered on item group), "persona" or "delta" (two-way).
    Persona weights apply. A level under five people is left out.
    """
    rows = []
    for part in parts(scores, tuple(by)):
        found = part.pairs()
        if not len(found.person):
            continue
        for attribute in (ALL, *by):
            levels = levels_of(found.people, attribute)
            shown = [ALL] if attribute == ALL else shown_levels(found.people, attribute)
            for level in shown:
                head = {"model": part.model, "benchmark": part.benchmark, "attribute": attribute, "level": level}
                rows += [{**head, **row} for row in _rows(part, (levels == level).to_numpy(dtype=bool), seed)]
    return pd.DataFrame(rows)


def _rows(part: Part, people: NDArray[np.bool_], seed: int) -> Iterator[dict[str, object]]:
    found = part.pairs()
    weight = part.weights_of(found.people["persona_id"])
    of_nobody = replace(found, b=np.zeros_like(found.b), sampled=False)  # then Δ is the score
    for column, cells in (("persona", of_nobody), ("delta", found)):
        of = estimate(Contributions.of(cells, weight), people, (math.nan, math.nan), seed)
        values = {"value": of.effect, "low": of.items_low, "high": of.items_high}
        yield {"column": column, "personas": of.personas, "items": of.items, **values}
    only_baseline = replace(found, y=found.b, b=np.zeros_like(found.b), sampled=False)
    shares = Contributions.of(only_baseline, weight)
    total, share = shares.total[people].sum(axis=0), shares.share[people].sum(axis=0)
    value, groups = float(total.sum() / share.sum()), int((share > 0).sum())
    residual = (total - value * share) / share.sum()
    variance = groups / (groups - 1) * float(residual @ residual) if groups >= LEAST_GROUPS else math.nan
    low, high = _bounded(t_interval(value, Variance(variance, groups - 1)), only_baseline.possible)[1:3]
    size = {"personas": of.personas, "items": of.items}
    yield {"column": "baseline", **size, "value": value, "low": low, "high": high}


def _bounded(found: Interval, possible: tuple[float, float] | None) -> Interval:
    return found if possible is None else clipped(found, *possible)

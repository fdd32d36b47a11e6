"""What one answer's d varies with: people, items, wordings, rotations, repetitions, and who moves on what."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.robustness.crossed import Crossed
from scoring.statistics.codes import varies
from scoring.statistics.designs.facet_design import GROUP, ITEM, PERSONA, ROTATION, TRAITS, WORDINGS
from scoring.statistics.pairs import WORDING, Codes, Part, Scores, baseline_means, factorized, parts

BELOW, WITH_NOISE = "estimated below 0", "with the baseline's own noise"
MOST_SETS = 10  # sets of traits that are a facet; more were dealt at random, and are in what is left
MOST_ANSWERS = 1_000_000  # of a benchmark; of more, those of people drawn at random
_ONCE = ["cluster", "item_id", "rotation", "replicate", *WORDING, "traits"]


def facet_table(scores: Scores) -> pd.DataFrame:
    """A row per model, benchmark, measure and source of variance of d = y − b.

    b is the baseline's mean for the item and order. Columns: `levels`; `variance` with a 95 % interval (none for a
    facet of fewer than five levels, and what is made with it); `share` of the variance of one d; `of_effect`, its share
    of the variance of Δ for people, items and wordings like these; and a `note` where the estimate is below 0, or noise
    of the baseline is in it.

    People who read the same are one. Weights play no part. Of more than a million answers those of people drawn at
    random are used.
    """
    rows = []
    for part in parts(scores):
        for measure in part.measures:
            found = crossed(part, measure)
            made = found.components() if found is not None else []
            whole, of_mean = (sum(getattr(each, name) for each in made) for name in ("variance", "of_mean"))
            if found is None or not whole:
                continue
            unknown = found.noisy if found.noise is None and is_drawn(part) else None
            head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
            for each in made:
                values = {"variance": each.variance, "low": each.low, "high": each.high}
                shares = {"share": each.variance / whole, "of_effect": each.of_mean / of_mean}
                note = BELOW if each.raw < 0 else WITH_NOISE if each.source == unknown else ""
                rows.append({**head, "source": each.source, "levels": each.levels, **values, **shares, "note": note})
    return pd.DataFrame(rows)


def crossed(part: Part, measure: str) -> Crossed | None:
    """The paired differences of single answers and what they are of; None where there is no pair."""
    scores = part.clean.scores
    valid, alone = scores[measure].notna().to_numpy(), part.clean.alone.to_numpy()
    turns = int(scores["rotation"].max()) + 1 if len(scores) else 1
    items = factorized(scores["item_id"])
    asked, values = items * turns + scores["rotation"].to_numpy(), scores[measure].to_numpy(dtype=float)
    base, noise, _ = baseline_means(asked[valid & alone], values[valid & alone], int(asked.max(initial=-1)) + 1)
    rows = np.flatnonzero(valid & ~alone)
    rows = rows[~np.isnan(base[asked[rows]])]
    told = scores[[name for name in ("persona_id", "group", *_ONCE) if name in scores]].iloc[rows]
    if told["persona_id"].nunique() > told["cluster"].nunique():
        once = ~told.duplicated([name for name in _ONCE if name in told]).to_numpy()
        rows, told = rows[once], told[once]
    if len(rows) < 2:
        return None
    if len(rows) > MOST_ANSWERS:
        some = _some_people(factorized(told["cluster"]))
        rows, told = rows[some], told[some]
    of_items = {GROUP: factorized(told["group"]), ITEM: items[rows], ROTATION: asked[rows]}
    if told["group"].nunique() == told["item_id"].nunique():
        del of_items[GROUP]
    sides: list[Mapping[str, Codes]] = [{PERSONA: factorized(told["cluster"])}, of_items, {WORDINGS: _wording(told)}]
    if "traits" in told and told["traits"].nunique() <= MOST_SETS:
        sides.append({TRAITS: factorized(told["traits"])})
    noisy = ROTATION if len(np.unique(asked[rows])) > told["item_id"].nunique() else ITEM
    shared = noise[asked[rows]]
    known = shared[~np.isnan(shared)]
    shared = np.nan_to_num(shared, nan=float(known.mean())) if len(known) else None
    return Crossed(values[rows] - base[asked[rows]], sides, shared, noisy)


def _some_people(cluster: Codes) -> NDArray[np.bool_]:
    """Answers of people drawn at random, of so many as make about as many answers as are used."""
    people = int(cluster.max()) + 1
    chosen = np.random.default_rng(0).random(people).argsort()[: max(2, people * MOST_ANSWERS // len(cluster))]
    kept: NDArray[np.bool_] = np.isin(cluster, chosen)
    return kept


def is_drawn(part: Part) -> bool:
    """Whether answers are draws, where the scores say so."""
    return bool(part.scores["sampled"].any()) if "sampled" in part.scores else False


def _wording(told: pd.DataFrame) -> Codes:
    names = [name for name in WORDING if name in told and varies(told[name])]
    if not names:
        return np.zeros(len(told), dtype=np.int64)
    return np.asarray(told.groupby(names, observed=True, sort=False).ngroup(), dtype=np.int64)

"""How much of the effect is the wording: formats, rotations, replicates, the neutral control, swapped traits."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from scoring.statistics.effect import persona_effect
from scoring.statistics.pairs import WORDING, cells, parts
from scoring.statistics.subgroups import HIDDEN_UNDER, measures_of

SOURCES = (*WORDING, "rotation", "replicate")


def variance_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Variance components of Δ over format, frame, placement, trait order, rotation and replicate.

    For each source with two or more levels: the Δ of its levels (`lowest`, `highest`), the variance between them (the
    levels share personas and items, so that little of it is sampling noise; an upper bound), and its `share` of that
    variance plus Δ's squared two-way error.
    """
    rows = []
    for part in parts(scores):
        clean = part.without_control().scores
        alone = clean["persona_id"] == ""
        for measure in measures_of(part):
            whole = persona_effect(clean, measure)
            for source in SOURCES:
                if source not in clean or clean.loc[~alone, source].nunique() < 2:
                    continue
                own = alone if source != "rotation" else alone & False
                found = [
                    persona_effect(clean[own | (clean[source] == level)], measure)
                    for level in sorted(clean.loc[~alone, source].unique())
                ]
                deltas = np.array([each.effect for each in found])
                between = float(deltas.var(ddof=1))
                total = between + whole.items_error**2
                rows.append(
                    {
                        "model": part.model,
                        "benchmark": part.benchmark,
                        "measure": measure,
                        "source": source,
                        "levels": len(found),
                        "lowest": deltas.min(),
                        "highest": deltas.max(),
                        "variance": between,
                        "share": between / total if total > 0 else np.nan,
                    }
                )
    return pd.DataFrame(rows)


def control_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Δ of the length-matched neutral control beside Δ of the personas, by model, benchmark and measure."""
    rows = []
    for part in parts(scores):
        if not part.control.any():
            continue
        # the control says nothing about anybody: it is not left out of its own estimate
        control = part.only_control().scores.assign(format="control")
        for measure in measures_of(part):
            own, persona = persona_effect(control, measure), persona_effect(part.scores, measure)
            head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
            values = {"control": own.effect, "control_low": own.people_low, "control_high": own.people_high}
            rows.append({**head, **values, "persona": persona.effect})
    return pd.DataFrame(rows)


def ranking_table(scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Kendall's τ between the rankings of an attribute's levels by Δ under each two formats."""
    rows = []
    for part in parts(scores):
        found = cells(part.without_control(), "value", tuple(by))
        if found.wording.shape[1] < 2:
            continue
        for attribute in by:
            levels = found.people[attribute].astype(str)
            kept = levels.map(levels.value_counts()) >= HIDDEN_UNDER
            means = pd.DataFrame(found.wording, columns=list(found.wordings))[kept].groupby(levels[kept]).mean()
            for place, one in enumerate(found.wordings):
                for other in found.wordings[place + 1 :]:
                    pair = means[[one, other]].dropna()
                    if len(pair) > 2:
                        tau = float(stats.kendalltau(pair[one], pair[other]).statistic)
                        head = {"model": part.model, "benchmark": part.benchmark, "attribute": attribute}
                        rows.append({**head, "one": one, "other": other, "levels": len(pair), "tau": tau})
    return pd.DataFrame(rows)

"""How much of the effect is the wording: formats, rotations, replicates, the neutral control, swapped traits."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scoring.statistics.effect import effect_of, mean_variance, wording_means
from scoring.statistics.levels import ALL, levels_of, shown_levels
from scoring.statistics.net_of_control import Neutral
from scoring.statistics.pairs import WORDING, Scores, parts

SOURCES = (*WORDING, "rotation", "replicate")


def variance_table(scores: Scores) -> pd.DataFrame:
    """Variance components of Δ over format, frame, placement, trait order, rotation and replicate.

    For each source with two or more levels: the Δ of its levels (`lowest`, `highest`), the variance between them (the
    levels share personas and items, so that little of it is sampling noise; an upper bound), and its `share` of that
    variance plus Δ's squared two-way error, less what wordings have added to that error.
    """
    rows = []
    for part in parts(scores):
        clean, alone = part.clean.scores, part.clean.alone
        for measure in part.measures:
            whole, pairs = effect_of(part, measure), part.pairs(measure)
            added, _ = mean_variance(wording_means(pairs.wording, part.weights_of(pairs.people["persona_id"])))
            sampling = max(whole.items_error**2 - added, 0.0)
            for source in SOURCES:
                if source not in clean or clean.loc[~alone, source].nunique() < 2:
                    continue
                own = alone if source != "rotation" else alone & False
                found = [
                    effect_of(part.clean.some(np.flatnonzero(own | (clean[source] == level))), measure)
                    for level in sorted(clean.loc[~alone, source].unique())
                ]
                deltas = np.array([each.effect for each in found])
                between = float(deltas.var(ddof=1))
                total = between + sampling
                head = {"model": part.model, "benchmark": part.benchmark, "measure": measure, "source": source}
                values = {"levels": len(found), "lowest": deltas.min(), "highest": deltas.max(), "variance": between}
                rows.append({**head, **values, "share": between / total if total > 0 else np.nan})
    return pd.DataFrame(rows)


def control_table(scores: Scores) -> pd.DataFrame:
    """Δ of the length-matched neutral control beside Δ of the personas and Δ net of it, by measure.

    The control is taken on the respondents, items and orders that have a persona's answer too, so that Δ = control +
    net where all was answered. `control_clusters` are the control's different texts: they depend on a persona's length
    alone.
    """
    rows = []
    for part in (each.whole for each in parts(scores)):
        for measure in part.measures:
            neutral = Neutral(part, measure)
            if not neutral.is_there:
                continue
            own, persona = effect_of(neutral.control, measure), effect_of(part, measure)
            head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
            size = {"personas": own.personas, "control_clusters": own.clusters, "items": own.items}
            values = {"control": own.effect, "control_low": own.people_low, "control_high": own.people_high}
            beside = {"persona": persona.effect, "persona_low": persona.people_low, "persona_high": persona.people_high}
            rows.append({**head, **size, **values, **beside, **neutral.of(ALL, ALL)})
    return pd.DataFrame(rows).drop(columns="neutral", errors="ignore")


def ranking_table(scores: Scores, by: Sequence[str]) -> pd.DataFrame:
    """Kendall's τ between the rankings of an attribute's levels by Δ under each two formats."""
    rows = []
    for part in parts(scores, tuple(by)):
        found = part.pairs()
        if found.wording.shape[1] < 2:
            continue
        weight = part.weights_of(found.people["persona_id"])
        for attribute in by:
            levels = levels_of(found.people, attribute)
            shown = shown_levels(found.people, attribute)
            means = pd.DataFrame(
                [wording_means(found.wording[inside], weight[inside]) for inside in (levels == name for name in shown)],
                columns=list(found.wordings),
            )
            for place, one in enumerate(found.wordings):
                for other in found.wordings[place + 1 :]:
                    pair = means[[one, other]].dropna()
                    if len(pair) > 2:
                        from scipy import stats  # takes as long to load as all else that a report needs

                        tau = float(stats.kendalltau(pair[one], pair[other]).statistic)
                        head = {"model": part.model, "benchmark": part.benchmark, "attribute": attribute}
                        rows.append({**head, "one": one, "other": other, "levels": len(pair), "tau": tau})
    return pd.DataFrame(rows)

"""Δ of a model that was asked a part of the crossing, with the answers of a cheaper one that was asked all of it."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from scoring.statistics.covariates.control_variates import Covaried
from scoring.statistics.covariates.two_models import SideBySide
from scoring.statistics.levels import ALL, hidden_levels, levels_of
from scoring.statistics.pairs import Part


def covariate_table(
    found: Sequence[Part], covariates: Mapping[str, str], attributes: Sequence[str] = (), seed: int = 0
) -> pd.DataFrame:
    """Δ with the covariate's answers and, as `alone`, without them: a row a model with one, benchmark and level.

    `covariates` names each model's covariate. `saves` is the share of the answers that an interval as narrow would take
    more, `rho_answers` and `rho_people` what both models' answers share within a person and between people. Benchmarks
    without a baseline have no Δ and no row; levels of too few people to be shown have none either.
    """
    by_name = {(part.model, part.benchmark): part for part in found}
    rows: list[dict[str, object]] = []
    for part in found:
        cheap = by_name.get((covariates.get(part.model, ""), part.benchmark))
        both = SideBySide.read(part, cheap) if cheap is not None and part.alone.any() else None
        if cheap is None or both is None:
            continue
        head = {"model": part.model, "benchmark": part.benchmark, "measure": part.measures[-1]}
        for attribute, level, inside in _levels(both, attributes):
            if (own := both.estimate(inside, seed=seed)) is not None:
                within, between = both.correlations(inside)
                place = {"covariate": cheap.model, "attribute": attribute, "level": level}
                rows.append({**head, **place, **_values(own), "rho_answers": within, "rho_people": between})
    return pd.DataFrame(rows)


def _levels(both: SideBySide, attributes: Sequence[str]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Everybody, and the people of each level that may be shown of those whom the dear model was asked about."""
    yield ALL, ALL, np.ones(len(both.people), dtype=bool)
    for attribute in attributes:
        if not set(attribute.split(" × ")) <= set(both.people):
            continue
        level = levels_of(both.people, attribute)
        sizes = level.iloc[: len(both.d)].value_counts()
        for name in sorted(set(sizes.index) - hidden_levels(sizes)):
            yield attribute, name, (level == name).to_numpy()


def _values(own: Covaried) -> dict[str, float]:
    covaried, alone = own.covaried, own.alone
    return {
        "personas": own.personas,
        "personas_covariate": own.everybody,
        "effect": covaried.effect,
        "people_low": covaried.people.low,
        "people_high": covaried.people.high,
        "items_low": covaried.items.low,
        "items_high": covaried.items.high,
        "alone": alone.effect,
        "alone_low": alone.people.low,
        "alone_high": alone.people.high,
        "tuning_answers": own.tuning_answers,
        "tuning_people": own.tuning_people,
        "saves": own.saves,
    }

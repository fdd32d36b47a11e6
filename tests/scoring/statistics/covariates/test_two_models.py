"""Two models side by side: the alignment against a computation by hand, and intervals that earn their 95 %."""

import numpy as np
import pandas as pd
import pytest

from scoring.statistics.covariates.two_models import SideBySide
from scoring.statistics.designs.incomplete import ranks
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.pairs import parts


def two_models(seed: int, n: int = 30, asked: int = 20, rho: float = 0.7) -> tuple[pd.DataFrame, float]:
    """The dear model is asked 4 of 10 items of the first `asked` people, the cheap one everything; and Δ on these
    items."""
    random = np.random.default_rng(seed)
    person, item, cell = (random.normal(size=(2, *shape)) for shape in ((n, 1), (1, 10), (n, 10)))
    one, two = ((0.1 * person + 0.2 * cell)[k] for k in (0, 1))
    effect = 0.1 * item[0]
    d, cheap = one + effect, rho * one + np.sqrt(1 - rho**2) * two + item[1]
    dealt = ranks(10)[(np.arange(10) - np.arange(n)[:, None]) % 10] < 4
    d = np.where(dealt & (np.arange(n) < asked)[:, None], d, np.nan)
    zero = np.zeros((1, 10))
    both = [as_scores(each, zero).assign(model=name) for each, name in ((d, "dear"), (cheap, "cheap"))]
    both[0] = both[0][both[0]["value"].notna()]
    return pd.concat(both).sample(frac=1, random_state=seed), float(effect.mean())


def read(scores: pd.DataFrame) -> SideBySide:
    cheap, dear = parts(scores)
    found = SideBySide.read(dear, cheap)
    assert found is not None
    return found


def test_delta_is_that_of_a_computation_by_hand() -> None:
    scores, _ = two_models(3, n=14, asked=9)  # nine clusters: λ is 0
    scores = scores.astype({"model": str, "persona_id": str, "item_id": str}).reset_index(drop=True)
    first = scores.index[(scores["model"] == "dear") & (scores["persona_id"] != "")][0]
    scores.loc[first, ["value", "status"]] = [np.nan, "unparsed"]
    told = scores[scores["persona_id"] != ""]
    cheap = told[told["model"] == "cheap"].pivot(index="persona_id", columns="item_id", values="value")
    dear = told[told["model"] == "dear"].pivot(index="persona_id", columns="item_id", values="value")
    dear = dear.reindex(columns=cheap.columns)
    left = cheap - cheap.mean()
    left.loc[scores.loc[first, "persona_id"], scores.loc[first, "item_id"]] = np.nan
    left = (
        left
        - left.mul(1 / left.notna().sum(axis=1), axis=0).sum()
        / left.notna().mul(1 / left.notna().sum(axis=1), axis=0).sum()
    )
    whole, others = left.loc[dear.index].mean(axis=1), left.drop(dear.index).mean(axis=1)
    asked = left.loc[dear.index].where(dear.notna()).mean(axis=1)
    found = read(scores)
    own = found.estimate(np.ones(14, dtype=bool))
    assert own is not None and (own.personas, own.everybody) == (9, 14)
    assert own.alone.effect == own.covaried.effect == pytest.approx(float(dear.mean(axis=1).mean()), abs=1e-12)
    rows = found.rows(np.ones(14, dtype=bool))
    assert rows.others.mean()[0] == pytest.approx(float(others.mean()), abs=1e-12)
    assert rows.known.mean()[0] == pytest.approx(float(whole.mean()), abs=1e-12)
    assert (rows.told.sum(axis=1)).mean() == pytest.approx(float(asked.mean()), abs=1e-12)


@pytest.mark.parametrize("rho", [0.8, 0.0])
def test_intervals_hold_and_are_narrower_only_where_the_models_share_something(rho: float) -> None:
    covers, saved = [], []
    for seed in range(25):
        scores, effect = two_models(seed, n=60, asked=24, rho=rho)
        own = read(scores).estimate(np.ones(60, dtype=bool), seed=seed)
        assert own is not None
        interval = own.covaried.people
        covers.append(interval.low <= effect <= interval.high)
        saved.append(own.saves)
    assert sum(covers) >= 20
    assert np.mean(saved) > 0.25 if rho else abs(np.mean(saved)) < 0.08


def test_correlations_are_those_that_were_drawn() -> None:
    scores, _ = two_models(1, n=800, asked=600)
    within, between = read(scores).correlations(np.ones(800, dtype=bool))
    assert within == pytest.approx(0.7, abs=0.05) and between == pytest.approx(0.7, abs=0.2)

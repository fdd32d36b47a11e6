"""PPI++ against ppi-python: its numbers on drawn data, and the package itself where it is there."""

import math

import numpy as np
import pandas as pd
import pytest
from made_up_surveys import people, played, question

from scoring.fidelity.corrected_shares import corrected_rows
from scoring.statistics.covariates.prediction_powered import (
    People,
    corrected_mean,
    people_needed,
    people_to_ask,
    power_tuning,
)

# ppi_mean_pointestimate and ppi_mean_ci of ppi-python 0.2.3 with lam=0.5, alpha=0.05 on `drawn()`
PPI_VALUE, PPI_LOW, PPI_HIGH = 0.37083333333333335, 0.29471558645888773, 0.44695108020777896


def drawn(seed: int = 0, known: int = 150, unknown: int = 600, right: float = 0.7) -> tuple[People, People, np.ndarray]:
    """Known and unknown people of whom a model tells one of two answers rightly as often as that; and the truth."""
    random = np.random.default_rng(seed)
    own = (random.random(known + unknown) < 0.4).astype(float)
    told = np.where(random.random(len(own)) < right, own, 1 - own)
    ones, numbers = np.ones(len(own)), np.arange(len(own))
    one = People(told[:known], ones[:known], numbers[:known], own[:known])
    return one, People(told[known:], ones[known:], numbers[known:]), own


def test_the_estimate_and_its_error_are_those_of_ppi_python() -> None:
    """ppi-python 0.2.3 divides by n where CR2 divides by n − 1, and takes the normal quantile."""
    known, unknown, _ = drawn()
    found = corrected_mean(known, unknown, tuning=0.5)
    assert found is not None
    assert found.value == pytest.approx(PPI_VALUE, abs=1e-12)
    error = math.sqrt(found.residual / len(known) * (149 / 150) + found.shared * (599 / 600))
    assert 1.959963984540054 * error == pytest.approx((PPI_HIGH - PPI_LOW) / 2, abs=1e-9)
    ppi = pytest.importorskip("ppi_py")
    data = (known.answers, known.told, unknown.told)
    assert float(ppi.ppi_mean_pointestimate(*data, lam=0.5)[0]) == pytest.approx(PPI_VALUE, abs=1e-12)
    low, high = ppi.ppi_mean_ci(*data, alpha=0.05, lam=0.5)
    assert (float(low[0]), float(high[0])) == pytest.approx((PPI_LOW, PPI_HIGH), abs=1e-12)


def test_power_tuning_is_that_of_the_paper() -> None:
    known, _, _ = drawn()
    covariance = np.cov(known.answers, known.told, ddof=0)
    by_hand = covariance[0, 1] / ((1 + 150 / 600) * covariance[1, 1])
    assert power_tuning(known, 600) == pytest.approx(by_hand)
    flat = People(np.zeros(150), known.weight, known.cluster, known.own)
    assert power_tuning(flat, 600) == 0


def test_a_model_that_knows_nothing_costs_nothing_and_one_that_knows_much_spares_people() -> None:
    known, unknown, own = drawn(right=0.5, known=400)
    found = corrected_mean(known, unknown)
    assert found is not None and 360 < found.effective < 440 and found.tuning < 0.15
    known, unknown, own = drawn(right=0.95, known=150, unknown=3_000)
    found = corrected_mean(known, unknown)
    assert found is not None and found.effective > 400 and found.tuning > 0.8
    assert found.low < own[150:].mean() < found.high
    assert found.high - found.low < 0.7 * (found.human_high - found.human_low)
    assert people_needed(found, 0.03) < 0.4 * math.ceil(found.plain / (0.03 / 1.96) ** 2)
    assert people_needed(found, 0.001) == math.inf


def test_as_many_people_as_it_says_make_the_estimate_as_sure_as_wanted() -> None:
    """Asked that many more, another draw has the half-width that was wanted."""
    found = corrected_mean(*drawn(right=0.8, known=150, unknown=5_000)[:2])
    assert found is not None and found.known == 150
    more = people_to_ask(found, 0.05)
    assert more == people_needed(found, 0.05) - 150 > 0
    then = corrected_mean(*drawn(seed=1, right=0.8, known=150 + int(more), unknown=5_000)[:2])
    assert then is not None and (then.high - then.low) / 2 == pytest.approx(0.05, rel=0.08)
    assert people_to_ask(then, 0.2) == 0


def test_people_who_read_the_same_are_one_of_the_known_or_none() -> None:
    questions = [question("q0"), question("q1", ordinal=False, steps=3)]
    everyone = people(400, questions)

    def answer(trait, own, table):  # type: ignore[no-untyped-def]
        random = np.random.default_rng(5)
        return np.eye(len(trait.labels))[np.where(random.random(len(own)) < 0.6, own, 0)]

    answers = played(everyone, range(400), questions, answer, cluster=[row // 4 for row in range(400)])
    table = pd.DataFrame(corrected_rows(answers, 0.3, seed=1))
    assert set(table["quantity"]) == {"step 1", "step 2", "step 3", "step 4", "mean position"}
    assert (table["known"] == 120).all() and (table["unknown"] == 280).all()
    shares = table[(table["trait"] == "q1")]
    assert shares["held_out"].sum() == pytest.approx(1)
    assert (table["low"] < table["estimate"]).all() and (table["estimate"] < table["high"]).all()
    few = played(everyone, range(30), questions, answer)
    assert list(corrected_rows(few, 0.3, seed=1)) == []

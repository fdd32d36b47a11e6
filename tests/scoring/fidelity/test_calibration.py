"""The Brier score and its parts."""

import numpy as np
import pytest
from made_up_surveys import people, played, question

from scoring.fidelity.calibration import brier_rows, decomposition


def test_the_brier_score_is_the_sum_of_its_parts_and_calibrated_probabilities_have_no_reliability() -> None:
    questions = [question(f"q{number}") for number in range(3)]
    everyone = people(3_000, questions)
    random = np.random.default_rng(2)
    told = random.dirichlet(np.ones(4), size=3_000)

    def calibrated(trait, own, table):  # type: ignore[no-untyped-def]
        return told[table.index]

    answers = played(everyone, range(3_000), questions[:1], calibrated, metric="letter probabilities")
    asked = answers.questions["q0"]
    drawn = np.array([random.choice(4, p=row) for row in told])
    asked.own[:] = drawn[asked.person]
    (whole, one) = brier_rows(answers, None)
    by_hand = ((told[asked.person] - np.eye(4)[asked.own]) ** 2).sum(axis=1).mean()
    assert whole["brier"] == pytest.approx(by_hand) == one["brier"]
    parts = {name: float(str(whole[name])) for name in ("reliability", "resolution", "uncertainty", "within")}
    made = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    assert made == pytest.approx(by_hand) and parts["reliability"] < 0.005 < parts["resolution"]
    sure = decomposition(np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0, 1.0]), np.ones(4))
    assert sure["reliability"] == pytest.approx(0.5) and sure["uncertainty"] == pytest.approx(0.5)

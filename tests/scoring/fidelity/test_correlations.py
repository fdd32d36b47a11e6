"""The structure of answers: correlations, and how far two of their matrices are apart."""

import numpy as np
import pandas as pd
import pytest
from made_up_surveys import as_country, people, played, question

from scoring.fidelity.correlations import compared, correlation_matrix, structure_row
from scoring.fidelity.second_sample import Pool


def test_correlations_are_numpys_and_pairwise_where_answers_are_missing() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(80, 3)) @ random.normal(size=(3, 3))
    ones = np.ones(80)
    assert correlation_matrix(values, ones) == pytest.approx(np.corrcoef(values.T))
    values[:20, 0] = np.nan
    values[70:, 1] = np.nan
    assert correlation_matrix(values, ones) == pytest.approx(pd.DataFrame(values).corr().to_numpy())
    first, second = np.eye(3), np.ones((3, 3))
    assert compared(first, second) == pytest.approx((1.0, 3 / np.sqrt(27)))


QUESTIONS = [question(f"q{number}") for number in range(4)] + [question("colour", ordinal=False)]


def test_answers_by_chance_have_no_structure() -> None:
    everyone = people(600, QUESTIONS, within=2.0)
    answers = played(everyone, range(200), QUESTIONS, as_country(everyone, 1))
    found = structure_row(answers, Pool.of(answers, everyone, weighted=False), 0)
    assert found is not None and float(str(found["p"])) < 0.01
    assert float(str(found["difference"])) > 2 * float(str(found["difference_reference"]))

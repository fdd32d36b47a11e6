"""The table of told traits: what drives the score is found, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from told_studies import NAMES, told_study

from scoring.robustness.traits.told_traits import told_trait_table
from scoring.statistics.weights import Floats


def test_the_trait_and_the_interaction_that_drive_the_score_are_found() -> None:
    def score(frame: pd.DataFrame, random: np.random.Generator) -> Floats:
        driven = 0.2 * frame["a"] + 0.3 * frame["b"] * frame["c"]
        return np.asarray(0.3 + driven + 0.1 * random.standard_normal(len(frame)))

    table = told_trait_table(told_study(score, people=40), [("b", "c"), ("a", "unknown")]).set_index("trait")
    assert list(table.index) == [*NAMES, "b × c"] and set(table["personas"]) == {40}
    assert table.loc["a", "telling"] == pytest.approx(0.2, abs=0.03)
    assert table.loc["b", "telling"] == pytest.approx(0.3 * 0.4, abs=0.03)  # c is told in two fifths
    assert table.loc["b × c", "telling"] == pytest.approx(0.3, abs=0.06)
    assert (table["holm"] < 0.05).to_dict() == {"a": True, "b": True, "c": True, "d": False, "e": False, "b × c": True}
    assert table.loc["a", "told"] == pytest.approx(0.4, abs=0.03)
    assert (table["moved_holm"] < 0.05).loc[["a", "d", "e"]].tolist() == [True, False, False]


def test_a_study_that_tells_everything_has_no_such_table() -> None:
    scores = told_study(lambda frame, random: random.random(len(frame))).drop(columns=["told", "told_text"])
    assert told_trait_table(scores).empty

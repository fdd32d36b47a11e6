"""How far answers move as a distribution."""

import numpy as np
import pandas as pd
import pytest

from scoring.robustness.answer_shift import BASELINE, NEUTRAL, shift_table
from scoring.statistics.designs.simulation import as_scores


def scores(chosen: np.ndarray, alone: np.ndarray, sampled: bool) -> pd.DataFrame:
    found = as_scores(chosen, alone).astype({"persona_id": str, "cluster": str})
    return found.assign(chosen_by_text=found["value"], chosen_by_probability=np.nan, sampled=sampled)


def test_distance_by_hand() -> None:
    chosen = np.array([[0, 1], [0, 1], [1, 1], [2, 1]] * 2)
    row = shift_table(scores(chosen, np.array([[0, 0]]), sampled=False)).iloc[0]
    # shares ½ ¼ ¼ against 1 0 0 are ½ apart, 0 1 against 1 0 are 1 apart
    assert (row["against"], row["moved"], row["moved_by_chance"]) == (BASELINE, 0.75, 0.0)
    assert np.isnan(row["p"])


def test_draws_of_the_same_move_by_chance_and_others_beyond_it() -> None:
    random = np.random.default_rng(1)
    alone, same = random.integers(0, 3, (6, 15)), random.integers(0, 3, (40, 15))
    row = shift_table(scores(same, alone, sampled=True)).iloc[0]
    assert row["p"] > 0.05 and row["moved"] == pytest.approx(row["moved_by_chance"], abs=0.05)
    other = np.where(random.random((40, 15)) < 0.5, 0, same)
    assert shift_table(scores(other, alone, sampled=True)).iloc[0]["p"] < 0.01


def test_against_the_neutral_text_is_paired_by_person() -> None:
    random = np.random.default_rng(2)
    own, neutral = random.integers(0, 2, (24, 10)), random.integers(0, 2, (24, 10))
    told = scores(own, np.zeros((1, 10)), sampled=False)
    control = scores(neutral, np.zeros((1, 10)), sampled=False)
    control = control[control["persona_id"] != ""].assign(format="neutral", cluster=lambda rows: "c " + rows["cluster"])
    table = shift_table(pd.concat([told, control], ignore_index=True)).set_index("against")
    row = table.loc[NEUTRAL]
    assert row["moved"] == pytest.approx(np.abs(own.mean(axis=0) - neutral.mean(axis=0)).mean())
    assert row["answers"] == 240 and row["clusters"] == 24 and row["p"] > 0.05
    one_text = pd.concat([told, control.assign(cluster="control")], ignore_index=True)
    alike = shift_table(one_text).set_index("against").loc[NEUTRAL]
    assert alike["clusters"] == 1 and np.isnan(alike["p"])  # who read one control would be exchanged as one

"""All specifications together: the curve, the joint test, and whose ranking survives."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scoring.robustness.multiverse import flipped_p, group_moves, multiverse_table, specification_table
from scoring.robustness.multiverse_gaps import multiverse_gap_table
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import effect_of
from scoring.statistics.pairs import parts

LEVELS = ["high", "low", "middle"] * 10


def study(shifts: dict[str, float], of_level: dict[str, float] | None = None, seed: int = 1) -> pd.DataFrame:
    """Thirty people, twelve items, a format for each shift."""
    random, levels = np.random.default_rng(seed), np.array(LEVELS)
    own = np.array([(of_level or {}).get(name, 0.0) for name in levels])
    frames = []
    for name, shift in shifts.items():
        answers = 3 + shift + own[:, None] + 0.2 * random.normal(size=(30, 12))
        found = as_scores(answers, np.full((1, 12), 3.0), None, {"level": LEVELS})
        frames.append(found.assign(format=np.where(found["persona_id"] == "", "", name)))
    whole = pd.concat([frames[0][frames[0]["persona_id"] == ""], *(f[f["persona_id"] != ""] for f in frames)])
    return whole.assign(sampled=False).reset_index(drop=True)


def test_a_row_is_what_the_effect_would_be_if_nothing_else_had_been_asked() -> None:
    scores = study({"prose": -0.1, "bullets": -0.3, "json": 0.05})
    table = specification_table(scores).set_index("format")
    for name, row in table.iterrows():
        alone = scores[(scores["persona_id"] == "") | (scores["format"] == name)]
        found = effect_of(parts(alone)[0])
        assert (row["effect"], row["items_low"]) == pytest.approx((found.effect, found.items_low))
    moves = group_moves(parts(scores)[0], "value")
    assert moves.shape == (3, 12)
    assert sorted(moves.sum(axis=1)) == pytest.approx(sorted(table["effect"]))
    row = multiverse_table(scores, table.reset_index()).iloc[0]
    assert (row["specifications"], row["same_sign"]) == (3, pytest.approx(2 / 3))
    assert row["off_zero"] == pytest.approx(2 / 3) and row["median"] == table["effect"].median()
    assert row["axes"] == "format" and row["p"] < 0.01


def test_the_joint_test_of_one_group_of_signs_is_exact() -> None:
    """With specifications that are all alike the median's test is the sign flip test of the mean."""
    one = np.random.default_rng(3).normal(0.3, 1, size=10)
    moves = np.tile(one, (3, 1))
    signs = np.array(np.meshgrid(*[[-1, 1]] * 10)).reshape(10, -1).T
    exact = float((np.abs(signs @ one) >= abs(one.sum()) - 1e-12).mean())
    assert flipped_p(moves, 0) == pytest.approx(exact, abs=0.03)
    assert math.isnan(flipped_p(moves[:, :7], 0))


def test_nothing_varied_is_no_multiverse() -> None:
    scores = as_scores(np.zeros((12, 9)), np.zeros((1, 9)))
    assert specification_table(scores).empty and multiverse_table(scores, specification_table(scores)).empty
    assert multiverse_gap_table(scores, ["level"]).empty


def test_a_ranking_that_every_wording_gives_survives() -> None:
    shifts = {"prose": -0.1, "bullets": -0.3, "json": 0.05}
    found = multiverse_gap_table(study(shifts, {"high": 0.3, "low": -0.3}), ["level"], 10).iloc[0]
    assert (found["first"], found["first_share"], found["last"], found["last_share"]) == ("high", 1, "low", 1)
    assert found["concordance"] == pytest.approx(1) and found["p"] < 0.01


def test_concordance_is_friedmans_statistic() -> None:
    scores = study({"prose": 0.0, "bullets": 0.0, "json": 0.0, "oneliner": 0.0}, seed=5)
    found = multiverse_gap_table(scores, ["level"], 10).iloc[0]
    told = scores[scores["persona_id"] != ""]
    means = told.groupby(["format", "level"], observed=True)["value"].mean().unstack().to_numpy()
    chi = stats.friedmanchisquare(*means.T).statistic
    assert found["concordance"] == pytest.approx(chi / (4 * 2))
    assert found["specifications"] == 4 and found["p"] > 0.05


def test_cues_are_called_cues() -> None:
    scores = study({"prose": 0.0, "name": 0.1})
    cue = scores["format"].map({"": "none", "prose": "description", "name": "name"})
    (row,) = multiverse_table(scores.assign(cue=cue), specification_table(scores), 1).to_dict("records")
    assert row["axes"] == "cue"

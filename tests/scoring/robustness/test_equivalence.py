"""Two one-sided tests beside statsmodels', and pairs of levels."""

import math

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from scoring.robustness.equivalence import equivalence_table
from scoring.robustness.level_contrasts import contrast_table
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.pairs import parts
from scoring.statistics.subgroups import effects


def test_the_margin_is_where_both_one_sided_tests_reach_five_per_cent() -> None:
    """Where people alone vary the two-way error is theirs, and the test is the paired one over people."""
    random = np.random.default_rng(1)
    own = 3 + 0.2 * random.normal(size=60)  # outside 0 to 1: t alone makes the interval
    scores = as_scores(np.tile(own[:, None], 10), np.full((1, 10), 3.0)).assign(sampled=False)
    table = equivalence_table(parts(scores), effects(scores), 0.1)
    row = table.iloc[0]
    p, _, _ = ttost_paired(own, np.full(60, 3.0), -row["within"], row["within"])
    assert p == pytest.approx(0.05, abs=1e-9)
    assert row["equivalent"] == ("yes" if row["within"] < 0.1 else "not shown")


def test_gaps_have_a_row_and_small_studies_none() -> None:
    random = np.random.default_rng(2)
    levels = {"level": ["one", "other"] * 30}
    scores = as_scores(random.random((60, 12)), np.full((1, 12), 0.5), None, levels)
    found = effects(scores, ["level"], min_n=20)
    table = equivalence_table(parts(scores, ("level",)), found, None)
    assert table["quantity"].tolist() == ["Δ", "gap", "gap"] and (table["equivalent"] == "").all()
    gap = found[found["level"] == "one"].iloc[0]
    shown = table[table["level"] == "one"].iloc[0]
    assert gap["gap_low"] < shown["tost_low"] < gap["gap"] < shown["tost_high"] < gap["gap_high"]
    few = as_scores(random.random((60, 3)), np.full((1, 3), 0.5))
    assert equivalence_table(parts(few), effects(few), None).empty


def test_two_levels_of_three_are_compared_as_if_they_were_alone() -> None:
    random = np.random.default_rng(3)
    level = np.repeat(["one", "other", "third"], 25)
    answers, alone = random.random((75, 12)), np.full((1, 12), 0.5)
    scores = as_scores(answers, alone, None, {"level": level.tolist()})
    table = contrast_table(scores, ["level"]).set_index(["level", "other_level"])
    assert list(table.index) == [("one", "other"), ("one", "third"), ("other", "third")]
    two = as_scores(answers[:50], alone, None, {"level": level[:50].tolist()})
    gap = effects(two, ["level"], min_n=20).set_index("level").loc["one"]
    row = table.loc[("one", "other")]
    names = ("difference", "difference_low", "difference_high", "p")
    assert row[list(names)].tolist() == pytest.approx(gap[["gap", "gap_low", "gap_high", "gap_p"]].tolist())
    assert (
        row["holm"] == pytest.approx(min(1.0, row["p"] * (3 - sorted(table["p"]).index(row["p"]))))
        or row["holm"] >= row["p"]
    )
    assert not math.isnan(row["difference"]) and contrast_table(scores, []).empty

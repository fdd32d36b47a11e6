"""Changed answers by hand: against every baseline answer to the same question in the same order."""

import math

import pandas as pd
import pytest

from scoring.statistics.designs.simulation import as_scores
from scoring.tables.changed import changed_table


def chosen(answers: list[list[float]], baseline: list[list[float]], sampled: bool) -> pd.DataFrame:
    """Scores whose value is the number of the chosen option."""
    scores = as_scores(answers, baseline)
    return scores.assign(chosen_by_text=scores["value"], chosen_by_probability=math.nan, sampled=sampled)


def test_a_persona_is_compared_with_every_draw_of_the_baseline():
    # the first question's draws agree, the second's differ: 1/2 of those pairs by chance, over both questions
    (row,) = changed_table(chosen([[1, 0], [0, 1]], [[1, 0], [1, 1]], sampled=True)).to_dict("records")
    assert row["answers"] == 4 and row["by_chance"] == pytest.approx(0.5)
    assert row["changed"] == pytest.approx((0 + 0.5 + 1 + 0.5) / 4) and math.isnan(row["neutral"])
    (once,) = changed_table(chosen([[1, 0]], [[1, 0]], sampled=True)).to_dict("records")
    assert math.isnan(once["by_chance"])  # one draw does not say how often two differ
    (exact,) = changed_table(chosen([[1, 0]], [[1, 1]], sampled=False)).to_dict("records")
    assert (exact["by_chance"], exact["changed"]) == (0, 0.5)


def test_the_control_is_counted_apart_and_the_order_of_options_is_kept():
    scores = chosen([[1, 0]], [[1, 0]], sampled=False)
    control = scores[scores["persona_id"] != ""].assign(format="neutral", chosen_by_text=0.0)
    turned = scores.assign(rotation=1, chosen_by_text=1 - scores["chosen_by_text"])
    (row,) = changed_table(pd.concat([scores, control, turned], ignore_index=True)).to_dict("records")
    assert (row["answers"], row["changed"], row["neutral"]) == (4, 0, 0.5)


def test_the_letter_that_is_chosen_most():
    scores = chosen([[1, 0], [1, 1]], [[1, 0]], sampled=False).assign(letter="B")
    scores.loc[scores.index[-1], "letter"] = "A"
    (row,) = changed_table(pd.concat([scores, scores.assign(rotation=1)], ignore_index=True)).to_dict("records")
    assert (row["top_letter"], row["top_share"]) == ("B", 0.75)
    (one_order,) = changed_table(scores).to_dict("records")
    assert one_order["top_letter"] == ""

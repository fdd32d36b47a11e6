"""Rates of answers that were not read, agreement of text and probabilities, and recall by slot, all by hand."""

import math

import pandas as pd
import pytest

from scoring.statistics.designs.simulation import as_scores
from scoring.tables.validity import agreement_table, recall_table, validity_table

NAN = math.nan


def test_rates_and_what_is_right_if_unread_answers_count_as_wrong():
    (row,) = validity_table(as_scores([[1, NAN], [0, 1]], [1, NAN]), ()).to_dict("records")
    assert (row["unparsed_without"], row["unparsed_with"], row["refused_with"]) == (0.5, 0.25, 0)
    assert row["effect"] == pytest.approx(-0.25)
    assert row["value_left_out"] == pytest.approx((1 + 0.5) / 2)  # a persona's mean first
    assert row["value_as_wrong"] == pytest.approx((0.5 + 0.5) / 2)


def test_a_level_of_few_people_is_left_out():
    levels = {"country": ["NOR"] * 5 + ["IND"] * 4}
    table = validity_table(as_scores([[1, NAN]] * 9, [1, 1], None, levels), ["country"])
    assert set(table["level"]) == {"all", "prose"} | ({"NOR"} & set(table["level"]))
    assert "IND" not in set(table["level"])


def test_agreement_is_of_answers_that_have_both():
    scores = as_scores([[1, 0], [1, 1]], [1, 0])
    scores = scores.assign(chosen_by_text=scores["value"], chosen_by_probability=[1.0, 1.0, 1.0, 0.0, 0.0, NAN])
    (row,) = agreement_table(scores).to_dict("records")
    assert row["answers"] == 5
    assert (row["agree_without"], row["agree_with"]) == pytest.approx((0.5, 2 / 3))


def test_recall_by_slot_shows_a_bias_for_a_letter():
    scores = as_scores([[1, 0], [1, 0]], [1, 1]).assign(letter="A")  # personas always say "A"
    scores.loc[1, "letter"] = "B"
    gold = pd.DataFrame({"item_id": ["item 0", "item 1"], "rotation": [0, 0], "letter": ["A", "B"]})
    table = recall_table(scores, gold).set_index("slot")
    assert table["without"].tolist() == [1, 1] and table["with_persona"].tolist() == [1, 0]
    assert table["answers_with_persona"].tolist() == [2, 2]

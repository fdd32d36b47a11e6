"""Ways of asking side by side: each with its own Δ, and the difference on what both were asked."""

import math

import pandas as pd
import pytest

from scoring.statistics.designs.simulation import as_scores
from scoring.tables.asked_ways import way_table

LETTERS = as_scores([[1, 0, 1], [1, 1, 1], [0, 0, 1]], [1, 0, 0])  # Δ = 1/3
JSON = as_scores([[1, 0, 0], [1, 0, 0], [0, 0, 0]], [0, 0, 0])  # Δ = 2/9, from a baseline of its own


def test_elicitations_by_hand():
    json = JSON.assign(benchmark="simulated [json]")
    table = way_table(pd.concat([json, LETTERS], ignore_index=True))
    assert table["way"].tolist() == ["letter", "json"] and set(table["axis"]) == {"elicitation"}
    assert table["effect"].tolist() == pytest.approx([1 / 3, 2 / 9])
    assert table["without"].tolist() == pytest.approx([1 / 3, 0])
    assert math.isnan(table["difference"][0]) and table["difference"][1] == pytest.approx(2 / 9 - 1 / 3)


def test_cues_share_a_baseline_and_stand_behind_the_formats():
    named = JSON[JSON["persona_id"] != ""].assign(format="name")
    table = way_table(pd.concat([named, LETTERS], ignore_index=True))
    assert table["way"].tolist() == ["prose", "name"] and set(table["axis"]) == {"cue"}
    assert table["effect"].tolist() == pytest.approx([1 / 3, 2 / 9 - 1 / 3])
    assert table["difference"][1] == pytest.approx(2 / 9 - 2 / 3)


def test_one_way_is_compared_with_nothing():
    assert way_table(LETTERS).empty

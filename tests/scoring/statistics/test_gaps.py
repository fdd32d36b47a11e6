"""Gaps between levels: found where they are, less sure where wordings or few items make them so."""

import math

import numpy as np
import pandas as pd
import pytest

from scoring.statistics.designs.simulation import Design, as_scores, simulate
from scoring.statistics.gaps import ITEMS_TOO, THESE_ITEMS
from scoring.statistics.subgroups import Slicing, effect_tables


def test_a_real_gap_is_found():
    scores = simulate(Design(200, 60, level_gap=0.15), seed=4).scores
    tables = effect_tables(scores, Slicing(("level",)))
    rows = tables.effects.set_index("level")
    assert rows.loc["level 0", "gap_holm"] < 0.01
    assert rows.loc["level 0", "gap_low"] < 0.15 < rows.loc["level 0", "gap_high"]
    assert tables.families["omnibus_p"].iloc[0] == pytest.approx(1 / 1000)
    assert tables.families["omnibus_items_p"].iloc[0] < 0.01
    assert tables.families["disparity"].iloc[0] > 2 * tables.families["disparity_null"].iloc[0]


def test_a_gap_that_depends_on_the_wording_is_less_sure():
    prose = simulate(Design(80, 30, levels=2), seed=6).scores
    alone = prose["persona_id"] == ""
    bullets = prose[~alone].assign(format="bullets")
    bullets.loc[bullets["level"] == "level 0", "value"] *= 0.8
    both = pd.concat([prose, bullets], ignore_index=True)

    def gap_of(scores):
        return effect_tables(scores, Slicing(("level",))).effects.set_index("level").loc["level 0"]

    each = [gap_of(part)["gap"] for part in (prose, pd.concat([prose[alone], bullets]))]
    found, as_one = gap_of(both), gap_of(both.drop(columns="format"))
    assert found["gap"] == pytest.approx(np.mean(each)) == pytest.approx(as_one["gap"])
    assert found["gap_error"] ** 2 == pytest.approx(as_one["gap_error"] ** 2 + np.var(each, ddof=1) / 2)
    assert found["gap_freedom"] < as_one["gap_freedom"] and found["gap_p"] > as_one["gap_p"]


def test_a_gap_over_few_item_groups_is_about_these_items():
    scopes = [
        effect_tables(simulate(Design(60, items, levels=2), seed=8).scores, Slicing(("level",))).effects["gap_scope"]
        for items in (4, 12)
    ]
    assert set(scopes[0]) == {"", THESE_ITEMS} and set(scopes[1]) == {"", ITEMS_TOO}


def test_levels_that_were_asked_other_items_are_compared_on_common_ones():
    """Half a level's items are missing, the hard ones; everybody answers alike, so that there is no gap."""
    random = np.random.default_rng(5)
    answers = (random.random((60, 20)) < np.linspace(0.2, 0.9, 20)).astype(float)
    answers[:30, :8] = np.nan
    scores = as_scores(answers, np.full((1, 20), 0.5), None, {"side": ["one"] * 30 + ["two"] * 30})
    scores.loc[scores["value"].isna(), "status"] = "failed"
    tables = effect_tables(scores, Slicing(("side",)))
    row = tables.effects.set_index("level").loc["one"]
    gap = np.nanmean(answers[:30, 8:]) - answers[30:, 8:].mean()
    assert row["gap"] == pytest.approx(gap) and row["gap_items"] == 12
    assert abs(row["gap"]) < 0.1 < row["effect"] - tables.effects.set_index("level").loc["two", "effect"]
    assert (
        tables.families["disparity"].iloc[0] == pytest.approx(abs(gap)) and tables.families["omnibus_p"].iloc[0] > 0.05
    )
    assert math.isnan(row["as_wrong_low"]) and row["gap_least"] == row["gap"]  # nothing was asked, nothing is unread

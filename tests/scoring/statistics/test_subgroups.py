"""Levels, gaps and families."""

import math

import numpy as np
import pandas as pd
import pytest

from personas.errors import InputError
from scoring.statistics.clustered_errors import detectable, unbiased_error
from scoring.statistics.designs.simulation import Design, as_scores, simulate
from scoring.statistics.effect import persona_effect
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.subgroups import Slicing, effect_tables, effects


def test_levels_gaps_and_what_is_withheld():
    scores = simulate(Design(110, 30, levels=1), seed=2).scores
    names = {
        f"person {n}": "tiny"
        if n < 2
        else "few"
        if n < 4
        else "six"
        if n < 10
        else "small"
        if n < 20
        else "one"
        if n < 62
        else "two"
        for n in range(110)
    }
    scores["side"] = scores["persona_id"].astype(str).map(lambda name: names.get(name, ""))
    tables = effect_tables(scores, Slicing(("side",), min_n=20))
    rows = tables.effects.set_index("level")
    assert (
        rows.loc["tiny", "hidden"]
        and math.isnan(rows.loc["tiny", "effect"])
        and math.isnan(rows.loc["tiny", "personas"])
    )
    # two and two people: withheld alone, their four would follow from the total, so that a third level is withheld
    assert rows.loc["few", "hidden"] and rows.loc["six", "hidden"] and not rows.loc["small", "hidden"]
    assert not math.isnan(rows.loc["small", "effect"]) and math.isnan(rows.loc["small", "gap_p"])
    one, others = scores["side"] == "one", scores["side"].isin(["tiny", "few", "six", "small", "two"])
    difference = scores.loc[one, "value"].mean() - scores.loc[others, "value"].mean()
    assert rows.loc["one", "gap"] == pytest.approx(difference)
    assert rows.loc["one", "gap_holm"] >= rows.loc["one", "gap_p"]
    error, freedom = rows.loc["one", ["gap_error", "gap_freedom"]].astype(float)
    assert rows.loc["one", "gap_resolvable"] == pytest.approx(
        detectable(unbiased_error(error, freedom), freedom, tests=2)
    )
    assert (tables.families["levels"].iloc[0], tables.families["tested"].iloc[0]) == (6, 2)


def test_pairs_of_attributes():
    scores = simulate(Design(80, 12, levels=2), seed=5).scores
    scores["half"] = scores["persona_id"].astype(str).map(lambda name: (name[-1:] in "01234" and "low") or "high")
    rows = effect_tables(scores, Slicing(("half",), (("level", "half"),))).effects
    levels = rows.loc[rows["attribute"] == "level × half", "level"]
    assert set(levels) == {f"level {n} × {half}" for n in (0, 1) for half in ("low", "high")}


def test_unknown_attribute_is_a_sentence():
    with pytest.raises(InputError, match="did you mean 'level'"):
        effect_tables(simulate(Design(10, 5), seed=1).scores, Slicing(("levels",)))


def test_adjusted_by_hand():
    holm, q = adjusted(np.array([0.01, math.nan, 0.04, 0.03]))
    np.testing.assert_allclose(holm, [0.03, math.nan, 0.06, 0.06])
    np.testing.assert_allclose(q, [0.03, math.nan, 0.04, 0.04])


def test_unread_answers_bound_the_gap_and_stand_beside_the_effect():
    answers = np.tile([1.0, 0.0, 1.0, 0.0], (40, 3))
    answers[:20, 0] = np.nan
    base = np.zeros((1, 12))
    scores = as_scores(answers, base, None, {"side": ["one"] * 20 + ["two"] * 20})
    row = effect_tables(scores, Slicing(("side",))).effects.set_index("level").loc["one"]
    assert row["effect"] == pytest.approx(5 / 11) and row["effect_as_wrong"] == pytest.approx(5 / 12)
    assert (row["gap_least"], row["gap_most"]) == pytest.approx((5 / 12 - 6 / 12, 0.0))


def test_a_missing_answer_is_shown_but_never_tested():
    people = {"side": ["one"] * 30 + ["two"] * 30 + ["missing"] * 30}
    scores = as_scores(np.random.default_rng(2).integers(0, 2, (90, 12)), [1] * 12, None, people)
    tables = effect_tables(scores, Slicing(("side",)))
    rows = tables.effects.set_index("level")
    assert rows["effect"].notna().all() and rows["gap_p"].notna().to_dict()["missing"] is False
    assert tables.families["tested"].iloc[0] == 2


def test_one_tidy_table_of_several_models_whose_common_effect_is_refused():
    one, two = (simulate(Design(20, 10), seed=seed).scores for seed in (1, 2))
    both = pd.concat([one.assign(model="a"), two.assign(model="b")], ignore_index=True)
    with pytest.raises(InputError, match=r"of 2 models \(a, b\).*effects\(scores\)"):
        persona_effect(both)
    table = effects(both, by=["level"], min_n=4)
    overall = table[table["attribute"] == "all"].set_index("model")["effect"]
    assert overall.to_dict() == pytest.approx({"a": persona_effect(one).effect, "b": persona_effect(two).effect})
    assert set(table["attribute"]) == {"all", "level"}


def test_adjusting_over_everything_that_was_looked_at():
    scores = simulate(Design(80, 12, levels=2), seed=5).scores
    scores["half"] = scores["persona_id"].astype(str).map(lambda name: (name[-1:] in "01234" and "low") or "high")
    family, everything = (
        effect_tables(scores, Slicing(("level", "half"), adjust=adjust)).effects for adjust in ("family", "all")
    )
    tested = everything["gap_p"].notna()
    assert tested.sum() == 4
    np.testing.assert_allclose(
        everything.loc[tested, "gap_holm"], adjusted(everything.loc[tested, "gap_p"].to_numpy())[0]
    )
    assert (everything.loc[tested, "gap_holm"] >= family.loc[tested, "gap_holm"]).all()
    assert (everything.loc[tested, "gap_resolvable"] > family.loc[tested, "gap_resolvable"]).all()

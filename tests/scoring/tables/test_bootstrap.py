"""The pigeonhole bootstrap and the numbers it is for."""

import numpy as np
import pandas as pd
import pytest
from many_items import aggregate

from scoring.benchmarks.registry import registry
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.pigeonhole import DRAWS, drawn_totals, pigeonhole_weights
from scoring.tables.bootstrap import aggregate_tables


@pytest.fixture
def bbq():
    random = np.random.default_rng(3)
    scores = as_scores(random.integers(0, 2, (30, 24)), random.integers(0, 2, (2, 24)), [n // 4 for n in range(24)])
    item = scores["item_id"].astype(str).str.removeprefix("item ").astype(int)
    roles = np.array(["unknown", "biased", "antibiased", ""])
    return scores.assign(
        benchmark="bbq",
        condition=np.where(item % 2, "ambig", "disambig"),
        category=pd.Categorical(np.where(item < 20, "Age", "Race_x_SES")),
        label_type="label",
        role=roles[random.integers(0, 4, len(scores))],
        letter=np.array(["A", "B", "C"])[random.integers(0, 3, len(scores))],
    )


def test_counts_give_what_the_benchmark_gives(bbq):
    table = aggregate_tables(bbq).overall.set_index("metric")
    alone = bbq["persona_id"] == ""
    plain = bbq[bbq["category"] == "Age"]
    for side, rows, every in (("without", alone, bbq[alone]), ("with_persona", ~alone, bbq[~alone])):
        for name, value in aggregate(registry()["bbq"], plain[rows.loc[plain.index]]).items():
            assert table.loc[name, side] == pytest.approx(value, abs=1e-12), name
        assert table.loc["chose B", side] == pytest.approx((every["letter"] == "B").mean())
    assert (table["low"] <= table["effect"]).all() and (table["effect"] <= table["high"]).all()
    pd.testing.assert_frame_equal(aggregate_tables(bbq).overall, aggregate_tables(bbq).overall)


def test_pigeonhole_resamples_both_sides():
    # Owen (2007): a sum over persona + group effects varies by about n·(sums of squares of both margins)
    random = np.random.default_rng(0)
    people, groups = random.normal(size=40), random.normal(size=30)
    matrix = people[:, None] + groups[None, :]
    total = drawn_totals(matrix[None], pigeonhole_weights(40, 30, seed=1))[0]
    assert len(total) == DRAWS + 1
    assert total[0] == pytest.approx(matrix.sum())
    variance = 30**2 * 40 * people.var() + 40**2 * 30 * groups.var()
    assert total[1:].var() == pytest.approx(variance, rel=0.25)


def test_personas_are_compared_with_the_baseline_on_what_they_answered(bbq):
    """Those of even number lack every third item, and answer the others as the baseline does: nothing has an effect."""
    base = bbq[(bbq["persona_id"] == "") & (bbq["replicate"] == 0)].set_index("item_id")
    one = bbq[(bbq["persona_id"] != "") | (bbq["replicate"] == 0)].copy()
    for name in ("value", "role", "letter"):
        one[name] = one["item_id"].astype(object).map(base[name])
    number = one["persona_id"].astype(str).str.removeprefix("person ")
    lacks = number.map(lambda name: name != "" and int(name) % 2 == 0)
    lacks &= one["item_id"].astype(str).str.removeprefix("item ").astype(int) % 3 == 0
    one.loc[lacks, ["value", "role", "letter"]] = [np.nan, "", ""]
    table = aggregate_tables(one).overall.set_index("metric")
    assert table["effect"].abs().max() == pytest.approx(0, abs=1e-12)
    assert table.loc["chose A", "answers_with"] == (~lacks & (one["persona_id"] != "") & (one["letter"] != "")).sum()
    assert table.loc["accuracy_ambig", "left_out"] == "the intersectional categories (Race_x_SES)"


def test_readers_of_one_text_are_drawn_together(bbq):
    """Thirty people who read three texts tell as much as three."""
    person = bbq["persona_id"].astype(str).str.removeprefix("person ")
    few = bbq.assign(cluster=person.map(lambda name: f"text {int(name) % 3}" if name else ""))
    wide, narrow = (aggregate_tables(scores).overall.set_index("metric") for scores in (few, bbq))
    assert (wide["clusters"] == 3).all() and (narrow["clusters"] == 30).all()
    width = (wide["high"] - wide["low"]) / (narrow["high"] - narrow["low"])
    assert width["chose A"] > 1.3

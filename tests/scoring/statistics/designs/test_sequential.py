"""Precision-targeted runs: balance, resuming, and what they save."""

import math

import numpy as np
import pandas as pd
import pytest

from scoring.statistics.designs.sequential import InterimLook, SequentialDesign, Target, blocks, target_table
from scoring.statistics.designs.simulation import Design, simulate


def course_of(full: pd.DataFrame, target: Target, people: dict[str, str]) -> tuple[pd.DataFrame, list[InterimLook]]:
    """Ask round by round until the end, from a full crossing that stands for the model."""
    groups = sorted(full["group"].astype(str).unique())
    key = pd.Series(list(zip(full["persona_id"].astype(str), full["group"].astype(str), strict=True)), index=full.index)
    asked: set[tuple[str, str]] = set()
    course = SequentialDesign(target, people, groups)
    scores = full[full["persona_id"] == ""]
    looks = course.looks(scores)
    while batch := course.next_batch(looks):
        new = {(name, group) for name, cell in batch.cells.items() for group in cell}
        assert not new & asked and new <= set(key)
        asked |= new
        scores = full[(full["persona_id"] == "") | key.isin(asked)]
        counts = scores[scores["persona_id"] != ""].groupby("group", observed=True).size()
        assert counts.max() - counts.min() <= len(set(people.values())) * 3  # each item about equally often
        looks = course.looks(scores)
    assert all(look.done for look in looks)
    return scores, looks


def everybody(full: pd.DataFrame) -> dict[str, str]:
    return {name: "all" for name in full["persona_id"].astype(str).unique() if name}


def test_blocks_are_even_and_whole():
    dealt = blocks([f"g{n}" for n in range(21)], 8, seed=1)
    assert sorted(group for block in dealt for group in block) == sorted(f"g{n}" for n in range(21))
    assert {len(block) for block in dealt} == {2, 3}
    assert blocks(["a", "b"], 8, seed=1) != blocks([], 8, seed=1) == []


def test_stops_early_at_the_target_and_saves():
    full = simulate(Design(120, 64, levels=1, baseline_replicates=200), seed=3).scores
    scores, (look,) = course_of(full, Target(half_width=0.03), everybody(full))
    assert look.reached and look.half_width <= 0.03
    assert (scores["persona_id"] != "").sum() <= 0.5 * (full["persona_id"] != "").sum()


def test_spends_where_the_interval_is_widest():
    full = simulate(Design(120, 64, levels=3, baseline_replicates=200), seed=4).scores
    noisy = full["level"] == "level 0"
    random = np.random.default_rng(1)
    person = full["persona_id"].astype(str)
    wobble = {name: random.normal(0, 0.12) for name in person.unique()}
    full.loc[noisy, "value"] += person[noisy].map(wobble)
    people = dict(full.loc[full["persona_id"] != "", ["persona_id", "level"]].astype(str).drop_duplicates().to_numpy())
    scores, _ = course_of(full, Target(half_width=0.05, by="level"), people)
    counts = scores.groupby("level", observed=True).size()
    assert counts["level 0"] > counts["level 1"]


def test_an_unreachable_target_asks_everything_once():
    full = simulate(Design(24, 10, levels=2), seed=5).scores
    scores, (look,) = course_of(full, Target(half_width=1e-6), everybody(full))
    assert len(scores) == len(full) and look.done and not look.reached


def test_under_ten_people_everything_is_asked():
    full = simulate(Design(9, 16, levels=1), seed=6).scores
    scores, (look,) = course_of(full, Target(half_width=0.9), everybody(full))
    assert math.isinf(look.half_width) and len(scores) == len(full)


def test_the_table_takes_the_same_course_again_whatever_else_the_file_has():
    full = simulate(Design(64, 32, levels=1, baseline_replicates=50), seed=7).scores
    people, target = everybody(full), Target(half_width=0.05)
    groups = {"simulated": sorted(full["group"].astype(str).unique())}
    scores, (look,) = course_of(full, target, people)
    (row,) = target_table(scores, target, people, groups).to_dict("records")
    assert target_table(full, target, people, groups).to_dict("records") == [row]
    assert (row["asked"], row["outcome"]) == (look.asked, "reached") and look.asked < look.rounds
    assert row["high"] - row["low"] == pytest.approx(2 * look.half_width)
    last = scores[scores["persona_id"] != ""].index[-1]
    (cut,) = target_table(scores.drop(last), target, people, groups).to_dict("records")
    assert cut["asked"] < look.asked and cut["outcome"] == "not finished"


@pytest.mark.slow
def test_looking_keeps_the_error_rate():
    """The interval at the stop covers Δ for these items in 95 of 100 studies or more, whenever it stops."""
    missed = 0
    for seed in range(30):
        study = simulate(Design(40, 32, levels=1), seed=seed)
        _, (look,) = course_of(study.scores, Target(half_width=0.06), everybody(study.scores))
        missed += abs(look.effect - study.effect_on_these_items) > look.half_width
    assert missed <= 3

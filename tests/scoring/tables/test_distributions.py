"""Single answers pooled into distributions: equal draws, no bias under no effect, clusters kept whole."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon

from scoring.answers.items import Item
from scoring.statistics.designs.simulation import as_scores
from scoring.tables.distributions import distribution_table, jackknifed

SHARES = np.array([0.5, 0.3, 0.2])


def items(count: int) -> dict[str, Item]:
    kind = {"kind": "distribution", "distance": "js"}
    made = (
        Item(f"item {n}", "b", "", "?", ("a", "b", "c"), f"group {n}", weights=tuple(SHARES), scoring=kind)
        for n in range(count)
    )
    return {each.id: each for each in made}


def study(seed: int, people: int = 60, count: int = 12, replicates: int = 5, same: int = 1) -> pd.DataFrame:
    """Everybody, and the baseline, answers as the population does; `same` people read one text and answer alike."""
    random = np.random.default_rng(seed)
    base = random.choice(3, size=(replicates, count), p=SHARES)
    answers = np.repeat(random.choice(3, size=(people // same, count), p=SHARES), same, axis=0)
    scores = as_scores(answers, base)
    person = scores["persona_id"].astype(str).str.removeprefix("person ")
    cluster = person.map(lambda name: f"text {int(name) // same}" if name else "")
    frame = scores.assign(cluster=cluster, chosen_by_text=scores["value"], chosen_by_probability=np.nan)
    return frame.assign(value=np.nan)


def similar(counts: np.ndarray) -> float:
    return 1 - float(jensenshannon(counts, SHARES, base=2))


def test_answers_are_pooled_before_the_distance_is_taken() -> None:
    scores = study(1)
    row = distribution_table(scores, items(12)).iloc[0]
    told = scores[scores["persona_id"] != ""]
    by_hand = []
    for _, own in told.groupby("item_id", observed=True):
        counts = np.bincount(own["chosen_by_text"].astype(int), minlength=3)
        without_one = sum(n * similar(counts - np.eye(3)[k]) for k, n in enumerate(counts)) / counts.sum()
        by_hand.append(counts.sum() * similar(counts) - (counts.sum() - 1) * without_one)
    assert row["pooled"] == pytest.approx(np.mean(by_hand))
    assert (row["draws"], row["personas"], row["items"], row["blocks"]) == (5, 60, 12, 12)
    one_by_one = np.mean([similar(np.eye(3)[int(k)]) for k in told["chosen_by_text"]])
    assert row["pooled"] > one_by_one + 0.3


def test_no_effect_is_no_effect_though_there_are_more_people_than_replicates() -> None:
    rows = [distribution_table(study(seed, count=8), items(8)).iloc[0] for seed in range(24)]
    effects = np.array([row["effect"] for row in rows])
    assert abs(effects.mean()) < 3 * effects.std(ddof=1) / np.sqrt(24)
    assert np.mean([row["items_low"] <= 0 <= row["items_high"] for row in rows]) > 0.85
    naive = [row["pooled"] - row["without"] for row in rows]  # other draws on each side
    assert np.mean(naive) > 3 * np.std(naive, ddof=1) / np.sqrt(24)


def test_one_draw_of_the_baseline_is_no_effect_and_readers_of_one_text_no_blocks_apart() -> None:
    once = distribution_table(study(2, replicates=1), items(12)).iloc[0]
    assert np.isnan(once["effect"]) and not np.isnan(once["pooled"])
    assert distribution_table(study(2, same=10), items(12)).iloc[0]["blocks"] == 6
    probabilities = study(2).assign(chosen_by_probability=0.0)
    assert distribution_table(probabilities, items(12)).empty


def test_weights_count_in_the_jackknife() -> None:
    (item,) = items(1).values()
    option, weight = np.array([0, 0, 1, 2]), np.array([1.0, 2.0, 1.0, 1.0])
    whole = similar(np.array([3, 1, 1]))
    left = [similar(np.array(each)) for each in ([2, 1, 1], [1, 1, 1], [3, 0, 1], [3, 1, 0])]
    assert jackknifed(item, option, weight) == pytest.approx(4 * whole - 3 * np.mean(left))


def test_few_item_groups_have_no_interval() -> None:
    few, enough = (distribution_table(study(1, count=count), items(count)).iloc[0] for count in (7, 8))
    assert np.isnan(few["items_low"]) and np.isnan(few["items_high"]) and np.isfinite(few["effect"])
    assert enough["items_low"] < enough["effect"] < enough["items_high"]

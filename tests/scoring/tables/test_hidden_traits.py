"""Trait inference in the report: absolute scores beside what needs no model."""

import math

import numpy as np
import pandas as pd
import pytest

from personas.people.respondents import Respondents
from personas.traits import catalogue
from scoring.tables.hidden_traits import trait_table

TRAITS = catalogue().traits
CODES = list(TRAITS["education"].labels)
WIDTH = CODES[-1] - CODES[0]


def people(n: int = 300) -> Respondents:
    """Gender tells the education of nine in ten: the lowest or the highest."""
    random = np.random.default_rng(7)
    gender = random.integers(1, 3, n)
    education = np.where((gender == 1) == (random.random(n) < 0.9), CODES[0], CODES[-1])
    frame = pd.DataFrame({"persona_id": [f"s:1:{k}" for k in range(n)], "survey": "s", "wave": "1", "country": "NOR"})
    return Respondents(frame.assign(weight=1.0, gender=gender, education=education), dict(TRAITS))


def answered(everyone: Respondents, n: int, right: int, cluster: int = 1) -> pd.DataFrame:
    """Scores of the first n people: the first `right` are told rightly, the others one step off, inwards."""
    gold = np.array([CODES.index(code) for code in everyone.frame["education"][:n]])
    off = np.where(gold == 0, 1, gold - 1)
    chosen = np.where(np.arange(n) < right, gold, off).astype(float)
    rows = pd.DataFrame({"persona_id": everyone.frame["persona_id"][:n], "trait": "education", "model": "m"})
    columns = {"chosen_by_text": chosen, "chosen_by_probability": np.nan, "value": (chosen == gold).astype(float)}
    names = {"benchmark": "trait_inference:exact", "part": "exact", "format": "prose"}
    return rows.assign(**columns, **names, cluster=[f"c{place // cluster}" for place in range(n)])


def test_scores_by_hand_beside_the_baselines() -> None:
    everyone = people()
    table = trait_table(answered(everyone, 40, 30), everyone, ["gender", "education"]).set_index(["trait", "score"])
    exact, ordinal = table.loc[("education", "exact")], table.loc[("education", "ordinal")]
    assert exact["told"] == 0.75 and exact["personas"] == exact["clusters"] == 40
    step = (CODES[1] - CODES[0]) / WIDTH
    assert ordinal["told"] == pytest.approx(1 - step / 4)
    error = math.sqrt(0.75 * 0.25 / 39)  # of a proportion, by n − 1
    assert exact["high"] - exact["told"] == pytest.approx(2.0227 * error, abs=1e-4)
    assert exact["logistic"] > 0.8 > exact["majority"]
    assert exact["gain"] == pytest.approx(0.75 - exact["logistic"]) and exact["gain_low"] < 0 < exact["gain_high"] + 0.2
    distance = table.loc[("education", "wasserstein")]
    assert distance["told"] == pytest.approx(step / 4) and distance["low"] < step / 4 < distance["high"]
    assert table.loc[("all", "exact"), "told"] == 0.75


def test_people_who_read_the_same_are_one_cluster_and_few_are_hidden() -> None:
    everyone = people()
    alone = trait_table(answered(everyone, 40, 30), everyone, ["gender"]).iloc[0]
    fours = trait_table(answered(everyone, 40, 30, cluster=4), everyone, ["gender"]).iloc[0]
    assert fours["clusters"] == 10 and fours["high"] - fours["low"] > 1.5 * (alone["high"] - alone["low"])
    few = trait_table(answered(everyone, 4, 2), everyone, ["gender"])
    assert few.drop(columns=["model", "benchmark", "trait", "score"]).isna().all(axis=None)


def test_where_everybody_is_asked_the_scores_stand_alone() -> None:
    everyone = people(30)
    table = trait_table(answered(everyone, 30, 15), everyone, ["gender"]).iloc[0]
    assert table["told"] == 0.5 and math.isnan(table["logistic"]) and math.isnan(table["gain_low"])

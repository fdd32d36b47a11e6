"""Swapped traits: paired within the respondent, and kept out of the persona effect."""

import numpy as np
import pandas as pd
import pytest

from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import persona_effect
from scoring.tables.counterfactuals import counterfactual_table


def test_effect_of_a_swap_is_within_the_respondent():
    random = np.random.default_rng(1)
    own = random.random((24, 12))
    scores = as_scores(own, np.zeros(12))
    people = scores[scores["persona_id"] != ""]
    to = people["persona_id"].astype(str).str[-1].isin(list("02468")).map({True: "male", False: "female"})
    shift = np.where(to == "male", 0.2, -0.1)
    twins = people.assign(persona_id=people["persona_id"].astype(str) + "~gender=" + to, value=people["value"] + shift)
    both = pd.concat([scores.astype({"persona_id": str, "cluster": str}), twins.astype({"cluster": str})])
    table = counterfactual_table(both).set_index("to")
    assert table.loc["male", "effect"] == pytest.approx(0.2)
    assert table.loc["female", "effect"] == pytest.approx(-0.1)
    assert table.loc["any", "personas"] == 24 and table.loc["any", "effect"] == pytest.approx(shift.mean())
    assert table.loc["any", "shift"] == pytest.approx(np.abs(shift).mean())
    assert persona_effect(both) == persona_effect(scores)
    assert counterfactual_table(scores).empty


def test_respondents_whose_twins_read_the_same_are_one_cluster():
    """Pairs of respondents differ in the swapped trait alone, so that their twins read one text."""
    random = np.random.default_rng(3)
    scores = as_scores(random.random((24, 12)), np.zeros(12)).astype({"persona_id": str, "cluster": str})
    people = scores[scores["persona_id"] != ""]
    number = people["persona_id"].str.removeprefix("person ").astype(int)
    twins = people.assign(persona_id=people["persona_id"] + "~gender=male", cluster=[f"twin {n // 2}" for n in number])
    table = counterfactual_table(pd.concat([scores, twins], ignore_index=True))
    assert table["clusters"].tolist() == [12] and table["personas"].tolist() == [24]

"""Trait inference: gold answers of personas, scores by hand, baselines against statsmodels, stated shares."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from personas.errors import InputError
from personas.people.respondents import Respondents
from personas.traits import Persona, catalogue
from scoring.answers.distances import ordinal_wasserstein
from scoring.answers.items import Item
from scoring.answers.responses import Response
from scoring.benchmarks.trait_inference import TraitInference, read_shares, share_similarity, targets
from scoring.tables.trait_baselines import fit_logistic, predictions, score_table, slices, split, told, trait_scores

TRAITS = catalogue().traits
EDUCATION = TRAITS["education"]


def persona(**answers: int) -> Persona:
    return Persona("s:1:1", "s", "1", "NOR", 1.0, answers)


def item(part: str, trait: str) -> Item:
    return next(each for each in TraitInference().load(Path(), part) if each.target_trait == trait)


def test_every_target_hides_itself_and_keeps_the_order_of_a_scale() -> None:
    items = list(TraitInference().load(Path(), "exact"))
    assert {each.target_trait for each in items} == {trait.name for trait in targets()} >= {"education", "gender"}
    for each in items:
        trait = TRAITS[str(each.target_trait)]
        assert each.choices == tuple(trait.labels.values()) and each.shuffle is not trait.ordinal
    assert {TRAITS[str(each.target_trait)].ordinal for each in TraitInference().load(Path(), "ordinal")} == {True}


def test_an_answer_is_scored_against_the_personas_own() -> None:
    codes = list(EDUCATION.labels)
    exact, ordinal = item("exact", "education"), item("ordinal", "education")
    order = tuple(range(len(codes)))
    somebody = persona(education=codes[2])
    assert TraitInference().score(exact, order, Response(text="C"), somebody).value == 1.0
    assert TraitInference().score(exact, order, Response(text="D"), somebody).value == 0.0
    step = (codes[3] - codes[2]) / (codes[-1] - codes[0])
    assert TraitInference().score(ordinal, order, Response(text="D"), somebody).value == pytest.approx(1 - step)
    for nobody in (None, persona(gender=1)):
        outcome = TraitInference().score(exact, order, Response(text="C"), nobody)
        assert outcome.value is None and outcome.chosen == 2


def test_the_ordinal_score_of_probabilities_is_the_wasserstein_distance() -> None:
    ordinal = item("ordinal", "education")
    codes = list(EDUCATION.labels)
    shares = np.arange(1.0, len(codes) + 1) / np.arange(1.0, len(codes) + 1).sum()
    response = Response(letter_logprobs=tuple(np.log(shares)))
    outcome = TraitInference().score(ordinal, range(len(codes)), response, persona(education=codes[1]))
    point = np.eye(len(codes))[1]
    assert ordinal.ordinals is not None
    assert outcome.value == pytest.approx(1 - ordinal_wasserstein(ordinal.ordinals, list(shares), list(point)))


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("A: 25\nB: 75", (0.25, 0.75)),
        ("**A.** yes: 20%\n**B.** no: 79,5 %", (20 / 99.5, 79.5 / 99.5)),
        ("Here you are:\nA: 40\nB: 60\n", (0.4, 0.6)),
        ("A: 25", None),
        ("A: 25\nA: 75", None),
        ("A: 25\nB: 25", None),
        ("A: 25\nB: 50\nC: 25", None),
        ("I cannot say.", None),
    ],
)
def test_stated_shares_are_read_or_not(text: str, shares: tuple[float, ...] | None) -> None:
    assert read_shares(text, 2) == (None if shares is None else pytest.approx(shares))


def test_stated_shares_are_compared_with_counts() -> None:
    gender = TRAITS["gender"]
    assert share_similarity(gender, (0.5, 0.5), {1: 10, 2: 10}) == pytest.approx(1)
    assert share_similarity(gender, (1.0, 0.0), {2: 10}) == pytest.approx(0)
    first, *_, last = EDUCATION.labels
    stated = [1.0, *[0.0] * (len(EDUCATION.labels) - 1)]
    assert share_similarity(EDUCATION, stated, {first: 1, last: 1}) == pytest.approx(0.5)
    assert math.isnan(share_similarity(EDUCATION, stated, {}))


def people(n: int = 400) -> Respondents:
    random = np.random.default_rng(7)
    gender = random.integers(1, 3, n)
    country = np.where(random.random(n) < 0.5, "NOR", "IND")
    education = np.where(random.random(n) < 0.8, np.where(gender == 1, 1, 6), np.where(country == "NOR", 6, 1))
    education[:5] = -1
    frame = pd.DataFrame({"persona_id": [f"s:1:{k}" for k in range(n)], "survey": "s", "wave": "1", "country": country})
    return Respondents(frame.assign(weight=1.0, gender=gender, education=education), dict(TRAITS))


def test_the_regression_beats_the_majorities_where_traits_tell_and_nobody_is_in_both_sides() -> None:
    train, test = split(people(), seed=1)
    assert not set(train.frame["persona_id"]) & set(test.frame["persona_id"]) and len(train) + len(test) == 400
    table = predictions(train, test, "education", ["gender", "education"])
    assert (table["gold"] >= 0).all()
    scores = score_table(table, dict(TRAITS)).set_index("by")["exact"]
    assert scores["logistic"] > 0.8 > scores["country_majority"] + 0.1 >= scores["majority"]
    with pytest.raises(InputError, match="no respondents to learn from"):
        predictions(train, people(3), "education", ["gender"])


def test_a_models_answers_stand_beside_the_baselines() -> None:
    train, test = split(people(), seed=1)
    baselines = predictions(train, test, "education", ["gender"])
    codes = list(EDUCATION.labels)
    gold = test.frame["education"]
    chosen = [codes.index(code) if code >= 0 else 0 for code in gold]
    asked = pd.DataFrame({"persona_id": test.frame["persona_id"], "trait": "education", "chosen": chosen})
    nobody = pd.DataFrame({"persona_id": ["none"], "trait": ["education"], "chosen": [0]})
    answers = told(pd.concat([asked, nobody]), test)
    both = baselines.merge(answers[["persona_id", "trait", "model"]], on=["persona_id", "trait"], validate="one_to_one")
    assert len(both) == len(baselines) == int((gold >= 0).sum())
    assert score_table(both, dict(TRAITS)).set_index("by")["exact"]["model"] == 1.0
    assert told(nobody, test).empty


def test_the_regression_is_that_of_statsmodels() -> None:
    random = np.random.default_rng(3)
    features = random.normal(size=(300, 2))
    gold = (features @ [[1.0, -1, 0], [0, 1, -1]] + random.gumbel(size=(300, 3))).argmax(axis=1)
    ours = fit_logistic(features, gold, 3, penalty=1e-8)
    theirs = sm.MNLogit(gold, sm.add_constant(features, prepend=False)).fit(disp=0).params
    assert ours[:, 1:] - ours[:, :1] == pytest.approx(np.asarray(theirs), abs=1e-3)


def test_trait_scores_by_hand() -> None:
    codes = list(EDUCATION.labels)
    width = codes[-1] - codes[0]
    told, gold = pd.Series([codes[0], codes[1], None, codes[1]]), pd.Series([codes[0], codes[0], codes[0], codes[2]])
    scores = trait_scores(told, gold, EDUCATION)
    assert scores["n"] == 3 and scores["exact"] == pytest.approx(1 / 3)
    moved = (codes[1] - codes[0]) + (codes[2] - codes[1])
    assert scores["ordinal"] == pytest.approx(1 - moved / width / 3)
    assert scores["wasserstein"] == pytest.approx(moved / width / 3)
    assert math.isnan(trait_scores(told, gold, TRAITS["gender"])["ordinal"])


def test_the_papers_slices_hold_the_demographic_and_the_value_traits() -> None:
    traits = {"education": EDUCATION, "friends": replace(EDUCATION, name="friends", use="value")}
    rows = [("NOR", "education", 1, 1), ("IND", "education", 1, 6), ("NOR", "friends", 1, 1), ("IND", "friends", 1, 2)]
    table = pd.DataFrame(rows, columns=["country", "trait", "gold", "model"]).assign(persona_id="p")
    cut = slices(table, traits)
    assert cut["within_population"].set_index("country")["exact"].to_dict() == {"NOR": 1.0, "IND": 0.0}
    assert cut["across_cultures"].set_index("country")["gap"].to_dict() == {"NOR": 0.5, "IND": -0.5}

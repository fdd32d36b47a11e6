"""Trait inference: gold answers of personas, scores by hand, baselines against statsmodels, stated shares."""

import math
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
from scoring.tables.stated_shares import stated_share_table
from scoring.tables.trait_baselines import fit_logistic, predictions, told

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


def halves(everyone: Respondents) -> tuple[Respondents, Respondents]:
    """Those to learn from, and those to tell."""
    place = np.arange(len(everyone)) % 5
    return everyone.take(np.flatnonzero(place)), everyone.take(np.flatnonzero(place == 0))


def test_the_regression_beats_the_majorities_where_traits_tell_and_nobody_is_in_both_sides() -> None:
    train, test = halves(people())
    table = predictions(train, test, "education", ["gender", "education"])
    assert (table["gold"] >= 0).all()
    scores = {name: (table[name] == table["gold"]).mean() for name in ("logistic", "country_majority", "majority")}
    assert scores["logistic"] > 0.8 > scores["country_majority"] + 0.1 >= scores["majority"]
    with pytest.raises(InputError, match="no respondents to learn from"):
        predictions(train, people(3), "education", ["gender"])


def test_a_models_answers_stand_beside_the_baselines() -> None:
    train, test = halves(people())
    baselines = predictions(train, test, "education", ["gender"])
    codes = list(EDUCATION.labels)
    gold = test.frame["education"]
    chosen = [codes.index(code) if code >= 0 else 0 for code in gold]
    asked = pd.DataFrame({"persona_id": test.frame["persona_id"], "trait": "education", "chosen": chosen})
    nobody = pd.DataFrame({"persona_id": ["none"], "trait": ["education"], "chosen": [0]})
    answers = told(pd.concat([asked, nobody]), test)
    both = baselines.merge(answers[["persona_id", "trait", "model"]], on=["persona_id", "trait"], validate="one_to_one")
    assert len(both) == len(baselines) == int((gold >= 0).sum())
    assert (both["model"] == both["gold"]).all()
    assert told(nobody, test).empty


def test_the_regression_is_that_of_statsmodels() -> None:
    random = np.random.default_rng(3)
    features = random.normal(size=(300, 2))
    gold = (features @ [[1.0, -1, 0], [0, 1, -1]] + random.gumbel(size=(300, 3))).argmax(axis=1)
    ours = fit_logistic(features, gold, 3, penalty=1e-8)
    theirs = sm.MNLogit(gold, sm.add_constant(features, prepend=False)).fit(disp=0).params
    assert ours[:, 1:] - ours[:, :1] == pytest.approx(np.asarray(theirs), abs=1e-3)


def test_what_a_model_says_of_a_population_is_asked_of_nobody_and_compared_with_its_people() -> None:
    asked = next(each for each in TraitInference().load(Path(), "shares") if each.target_trait is None)
    assert asked.baseline_only and not item("exact", "gender").baseline_only
    everyone = people()
    norway = everyone.frame[(everyone.frame["country"] == "NOR")]
    women = (norway["gender"] == list(TRAITS["gender"].labels)[1]).mean()
    texts = [f"A: {100 - share}\nB: {share}" for share in (40, 60)] + ["I cannot say."]
    answers = pd.DataFrame({"model": "m", "trait": "gender", "country": ["NOR"] * 3, "text": texts})
    answers = pd.concat([answers, answers.assign(country="USA")])
    table = stated_share_table(answers, everyone).set_index("country")
    row = table.loc["NOR"]
    assert (row["answers"], row["read"], row["people"]) == (3, 2, len(norway))
    half, real = np.array([0.5, 0.5]), np.array([1 - women, women])
    middle = (half + real) / 2
    divergence = sum((side * np.log2(side / middle)).sum() for side in (half, real)) / 2
    assert row["similarity"] == pytest.approx(1 - np.sqrt(divergence), abs=1e-6)
    assert math.isnan(table.loc["USA", "people"]) and math.isnan(table.loc["USA", "similarity"])

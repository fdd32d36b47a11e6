"""Trait inference: gold answers of personas, scores by hand, stated shares, questions of any survey."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from personas.people.respondents import Respondents
from personas.traits import Persona, Trait, catalogue
from scoring.answers.distances import ordinal_wasserstein
from scoring.answers.items import Item
from scoring.answers.responses import Response
from scoring.benchmarks.trait_inference import (
    TraitInference,
    read_shares,
    share_similarity,
    survey_item,
    survey_options,
    targets,
)
from scoring.fidelity.stated_shares import stated_share_table

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


def test_any_trait_of_a_survey_is_asked_in_its_own_words_and_hides_what_it_is_told_to() -> None:
    labels = {1: "left", 10: "right"}
    scale = Trait("s:place", "Left or right?", "political_culture", "extended", "Opinions", labels, scale=(1, 10))
    assert list(survey_options(scale).values())[:2] == ["1 (left)", "2"] and len(survey_options(scale)) == 10
    years = replace(scale, labels={}, scale=(0, 120))
    assert survey_options(years) == {} and survey_options(TRAITS["age"]) == {}
    asked = survey_item(replace(scale, ordinal=True), ["s:place", "education"])
    assert asked.ordinals is not None and asked.ordinals[0] == 0 and asked.ordinals[-1] == 1 and not asked.shuffle
    assert asked.visible(["gender", "education", "s:place"]) == ["gender"]
    alone = survey_item(scale, shown=["gender", "s:place"])
    assert alone.visible(["education"]) == ["gender"] and alone.id != asked.id
    somebody = Persona("s:1:1", "s", "1", "NOR", 1.0, {"s:place": 3})
    assert TraitInference().score(asked, range(10), Response(text="C"), somebody).value == 1.0
    assert TraitInference().score(asked, range(10), Response(text="D"), somebody).value == 0.0

"""Fidelity and Δ over groups: points by hand, the slope with errors on both sides, and what is said of it."""

import math

import numpy as np
import pandas as pd
import pytest
from made_up_surveys import as_country, as_respondent, people, played, question

from scoring.fidelity.both_halves import PEOPLE, person_slope_rows, point_rows, slope_rows
from scoring.fidelity.slope import slope_between
from scoring.fidelity.summary import fidelity_sentences
from scoring.statistics.pairs import Part

COUNTRIES = tuple(f"C{number:02}" for number in range(12))
QUESTIONS = [question("q0"), question("q1")]


def test_error_in_both_is_taken_out_of_the_slope() -> None:
    random = np.random.default_rng(0)
    true = random.normal(size=4_000)
    noise = random.multivariate_normal([0, 0], [[0.5, 0.2], [0.2, 0.3]], size=4_000)
    errors = np.tile([[0.5, 0.2], [0.2, 0.3]], (4_000, 1, 1))
    x, y = true + noise[:, 0], -0.5 * true + noise[:, 1]
    found = slope_between(x, y, errors)
    assert found.slope == pytest.approx(-0.5, abs=0.04) and found.low < -0.5 < found.high
    assert found.reliability == pytest.approx(1 / 1.5, abs=0.03)
    assert np.polyfit(x, y, 1)[0] == pytest.approx(-0.3 / 1.5, abs=0.04)  # what is seen without


def test_without_errors_the_slope_is_least_squares_with_its_t_interval() -> None:
    from scipy.stats import linregress, t

    random = np.random.default_rng(1)
    x = random.normal(size=20)
    y = 0.4 * x + random.normal(size=20)
    found, plain = slope_between(x, y, np.zeros((20, 2, 2))), linregress(x, y)
    assert found.slope == pytest.approx(plain.slope)
    assert found.high - found.low == pytest.approx(2 * t.ppf(0.975, 18) * plain.stderr)


def test_there_is_no_slope_of_few_groups_or_of_noise() -> None:
    random = np.random.default_rng(2)
    x, y = random.normal(size=(2, 7))
    assert math.isnan(slope_between(x, y, np.zeros((7, 2, 2))).slope)
    x, y = random.normal(size=(2, 30))
    assert math.isnan(slope_between(x, y, np.tile(np.eye(2) * 0.9, (30, 1, 1))).slope)
    assert math.isnan(slope_between(np.ones(9), np.arange(9.0), np.zeros((9, 2, 2))).slope)


def study(falls: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Countries that are told ever better, and of which Δ changes with it; the points and slopes."""
    everyone = people(900, QUESTIONS, countries=COUNTRIES)
    draws = as_country(everyone, 0)
    random = np.random.default_rng(3)

    def answer(trait, own, table):  # type: ignore[no-untyped-def]
        place = table["country"].str[1:].astype(int).to_numpy() / 12
        right = random.random(len(own)) < place
        return np.where(right[:, None], as_respondent(trait, own, table), draws(trait, own, table))

    answers = played(everyone, range(900), QUESTIONS, answer)
    rows = []
    for item in range(8):
        rows.append({"persona_id": "", "item_id": f"i{item}", "value": 0.5, "country": ""})
        for person in answers.people.itertuples():
            value = 0.5 + falls * int(person.country[1:]) / 12 + 0.05 * random.normal()
            rows.append({"persona_id": person.persona_id, "item_id": f"i{item}", "value": value})
    scores = pd.DataFrame(rows).assign(model="m", benchmark="other", rotation=0, replicate=0, status="ok", cluster="")
    scores["group"], scores["cluster"] = scores["item_id"], scores["persona_id"]
    scores["traits"] = np.where(scores["persona_id"] == "", "", "set")
    made = pd.DataFrame(point_rows(answers, None, [Part("m", "other", scores)], ["country"]))
    points = made.assign(**answers.head)
    return points, pd.DataFrame(slope_rows(points))


def test_where_people_are_told_better_truthfulness_falls() -> None:
    points, slopes = study(falls=-0.3)
    levels = points[points["attribute"] == "country"]
    assert len(levels) == 12 and (levels["fidelity_error"] > 0).all() and levels["correlation"].abs().max() < 0.5
    (row,) = slopes.to_dict("records")
    assert row["levels"] == 12 and row["high"] < 0 and row["reliability"] > 0.8
    everybody = {"attribute": "all", "level": "all", "trait": "all", "score": "exact", "told": 0.5, "low": 0.4}
    head = {"model": "m", "benchmark": "trait_inference:survey", "shown": "set", "metric": "answer given"}
    others = {"high": 0.6, "personas": 900.0, "majority": 0.4, "draw": 0.3, "learned": math.nan, "retest": math.nan}
    (said,) = fidelity_sentences(
        {"fidelity_people": pd.DataFrame([{**head, **everybody, **others}]), "fidelity_slopes": slopes}
    )
    assert (
        "in 50.0% of the cases (40.0% to 60.0%); 900 people" in said and "learned from the same traits in" not in said
    )
    assert "What could be learned from the same traits is not known" in said
    assert f"Where personas are predicted better, Δ on other falls: {10 * row['slope']:+.1f} points a 10 points" in said


def test_a_slope_over_people_takes_out_that_few_questions_were_asked() -> None:
    """Among people, half of what fidelity varies by is which questions were asked: least squares see half the slope."""
    random = np.random.default_rng(4)
    n, asked = 600, [question(f"q{number}") for number in range(12)]
    everyone = people(n, asked)
    true = random.uniform(0.2, 0.8, size=n)

    def answer(trait, own, table):  # type: ignore[no-untyped-def]
        right = random.random(len(own)) < true[table.index]
        return np.eye(4)[np.where(right, own, (own + 1) % 4)]

    answers = played(everyone, range(n), asked, answer)
    rows = [{"persona_id": "", "item_id": f"i{item}", "value": 0.5} for item in range(5)]
    for person, fidelity in zip(answers.people["persona_id"], true, strict=True):
        values = 0.5 - 0.4 * fidelity + 0.05 * random.normal(size=5)
        rows += [{"persona_id": person, "item_id": f"i{item}", "value": values[item]} for item in range(5)]
    scores = pd.DataFrame(rows).assign(model="m", benchmark="other", rotation=0, replicate=0, status="ok")
    scores["group"], scores["cluster"], scores["country"] = scores["item_id"], scores["persona_id"], ""
    scores["traits"] = np.where(scores["persona_id"] == "", "", "set")
    part = Part("m", "other", scores)
    (found,) = person_slope_rows(answers, None, [part])
    assert found["attribute"] == PEOPLE and found["levels"] == n
    assert found["low"] < -0.4 < found["high"] < -0.3 and 0.5 < float(str(found["reliability"])) < 0.75
    told = np.mean([each.shares[np.arange(n), each.own] for each in answers.questions.values()], axis=0)
    delta = scores[scores["persona_id"] != ""].groupby("persona_id", sort=False)["value"].mean().to_numpy()
    assert -0.32 < np.polyfit(told, delta, 1)[0] < -0.18
    few = played(everyone, range(n), asked[:9], answer)
    assert list(person_slope_rows(few, None, [part])) == []
    same = played(everyone, range(n), asked, answer, cluster=[row // 20 for row in range(n)])
    assert list(person_slope_rows(same, None, [part])) == []  # thirty texts are thirty points


def test_where_nothing_goes_together_no_slope_is_shown() -> None:
    _, slopes = study(falls=0.0)
    (row,) = slopes.to_dict("records")
    assert row["low"] < 0 < row["high"]

"""Made-up models of which it is known how well they play their respondents."""

import numpy as np
import pandas as pd
import pytest
from made_up_surveys import as_country, as_majority, as_respondent, people, played, question

from personas.people.respondents import Respondents
from scoring.fidelity.correlations import structure_row
from scoring.fidelity.group_distances import group_rows
from scoring.fidelity.own_answers import OwnAnswers, own_answer_rows
from scoring.fidelity.references import country_shares
from scoring.fidelity.second_sample import Pool
from scoring.fidelity.spread import spread_rows
from scoring.fidelity.survey_answers import SurveyAnswers
from scoring.statistics.levels import ALL

QUESTIONS = [question(f"q{number}") for number in range(4)] + [question("colour", ordinal=False)]


def groups(answers: SurveyAnswers, everyone: Respondents, seed: int = 0, by: tuple[str, ...] = ()) -> pd.DataFrame:
    levels = {name: list(everyone.frame["country"]) for name in by}
    pool = Pool.of(answers, everyone, weighted=False)
    return pd.DataFrame(group_rows(answers, pool, levels, by, seed))


def spread(answers: SurveyAnswers, everyone: Respondents) -> pd.Series:
    pool = Pool.of(answers, everyone, weighted=False)
    levels = {"country": list(everyone.frame["country"])}
    return pd.DataFrame(spread_rows(answers, pool, levels, ["country"], 0)).iloc[0]


def test_who_answers_as_the_respondent_is_no_distance_away_and_all_of_it_is_better_than_a_second_sample() -> None:
    everyone = people(600, QUESTIONS)
    answers = played(everyone, range(150), QUESTIONS, as_respondent)
    table = groups(answers, everyone)
    assert (table["distance"].abs() < 1e-12).all() and (table["reference"] > 0.01).all()
    assert table["excess"].to_numpy() == pytest.approx(-table["reference"].to_numpy()) and (table["p"] == 1).all()
    structure = structure_row(answers, Pool.of(answers, everyone, weighted=False), 0)
    assert structure is not None
    assert structure["difference"] == pytest.approx(0, abs=1e-12) and structure["rv"] == pytest.approx(1)
    found = spread(answers, everyone)
    assert found["within"] == pytest.approx(1) and found["exaggeration"] == pytest.approx(1)
    assert found["between_over"] == 0 and np.isnan(found["between_over_low"])
    own = pd.DataFrame(own_answer_rows(OwnAnswers.of(answers, {}, {}, {}), [], None))
    assert (own["told"] == 1).all()


def test_who_draws_from_the_countrys_shares_is_within_chance_for_countries() -> None:
    """In 95 of 100 seeds; here at most 6 of 60 country × seed may be beyond a 5 % test."""
    beyond = 0
    for seed in range(30):
        everyone = people(500, QUESTIONS, seed)
        answers = played(everyone, range(120), QUESTIONS, as_country(everyone, seed))
        table = groups(answers, everyone, seed, by=("country",))
        countries = table[(table["attribute"] == "country") & (table["score"] == "tv")]
        assert len(countries) == 2
        beyond += int((countries["p"] < 0.05).sum())
    assert beyond <= 6


def test_who_says_the_majority_flattens_people_and_exaggerates_countries() -> None:
    everyone = people(800, QUESTIONS, between=1.0)
    answers = played(everyone, range(300), QUESTIONS, as_majority(everyone))
    found = spread(answers, everyone)
    assert found["within"] < 0.01 and np.isnan(found["within_low"]) and found["within_p"] < 0.01
    assert found["between_model"] > 0.9 and found["exaggeration"] > 2 and found["between_p"] < 0.01
    assert found["between_over_low"] > 0.5 and found["between_over_high"] <= 1
    table = groups(answers, everyone)
    assert (table[table["trait"] == ALL]["p"] < 0.01).all()


def test_who_is_right_for_one_country_only_is_found_there() -> None:
    everyone = people(600, QUESTIONS)

    def answer(trait, own, table):  # type: ignore[no-untyped-def]
        right = (table["country"] == "NOR").to_numpy()
        return np.eye(len(trait.labels))[np.where(right, own, 0)]

    answers = played(everyone, range(200), QUESTIONS, answer)
    table = groups(answers, everyone, by=("country",)).set_index(["attribute", "level", "trait", "score"])
    for score in ("js", "tv", "wasserstein"):
        assert table.loc[("country", "NOR", ALL, score), "distance"] == pytest.approx(0, abs=1e-12)
        assert table.loc[("country", "IND", ALL, score), "p"] < 0.01
    own = pd.DataFrame(own_answer_rows(OwnAnswers.of(answers, {}, {}, {}), ["country"], None))
    exact = own[own["score"] == "exact"].set_index("level")["told"]
    assert exact["NOR"] == 1 and exact["IND"] < 0.7


def test_waves_are_a_subgroup_like_any_other() -> None:
    """Told well in one wave of a survey and badly in the next: fidelity and distance say so, wave by wave."""
    everyone = people(600, QUESTIONS)
    everyone.frame["wave"] = np.where(np.arange(600) % 2 == 0, "2010", "2022")

    def answer(trait, own, table):  # type: ignore[no-untyped-def]
        right = (table["wave"] == "2010").to_numpy()
        return np.eye(len(trait.labels))[np.where(right, own, 0)]

    answers = played(everyone, range(200), QUESTIONS, answer)
    pool = Pool.of(answers, everyone, weighted=False)
    table = pd.DataFrame(group_rows(answers, pool, {"wave": list(everyone.frame["wave"])}, ["wave"], 0))
    far = table[(table["attribute"] == "wave") & (table["score"] == "tv")].set_index("level")
    assert far.loc["2010", "distance"] == pytest.approx(0, abs=1e-12) and far.loc["2022", "p"] < 0.01
    own = pd.DataFrame(own_answer_rows(OwnAnswers.of(answers, {}, {}, {}), ["wave"], None))
    exact = own[own["score"] == "exact"].set_index("level")["told"]
    assert exact["2010"] == 1 and exact["2022"] < 0.6


def test_a_structure_that_was_shown_is_no_structure() -> None:
    everyone = people(200, QUESTIONS)
    told = played(everyone, range(100), QUESTIONS, as_respondent, hides=False)
    pool = Pool.of(told, everyone, weighted=False)
    assert structure_row(told, pool, 0) is None
    assert list(spread_rows(told, pool, {"country": list(everyone.frame["country"])}, ["country"], 0)) == []


def test_the_references_leave_the_respondent_out() -> None:
    everyone = people(40, QUESTIONS[:1], countries=("NOR",))
    answers = played(everyone, range(40), QUESTIONS[:1], as_respondent)
    shares = country_shares(answers, everyone)["q0"]
    own = everyone.frame["q0"].to_numpy() - 1
    for row in range(40):
        others = np.delete(own, row)
        assert shares[row] == pytest.approx(np.bincount(others, minlength=4) / 39)
    weighted = people(40, QUESTIONS[:1], countries=("NOR",), weighted=True)
    answers = played(weighted, range(40), QUESTIONS[:1], as_respondent)
    assert country_shares(answers, weighted)["q0"].sum(axis=1) == pytest.approx(np.ones(40))


def test_few_people_are_hidden() -> None:
    everyone = people(300, QUESTIONS)
    rows = [
        *np.flatnonzero(everyone.frame["country"] == "NOR")[:30],
        *np.flatnonzero(everyone.frame["country"] == "IND")[:4],
    ]
    answers = played(everyone, rows, QUESTIONS, as_respondent)
    table = groups(answers, everyone, by=("country",))
    hidden = table[table["attribute"] == "country"]
    assert hidden["hidden"].all() and hidden[["personas", "distance", "p"]].isna().all(axis=None)
    own = pd.DataFrame(own_answer_rows(OwnAnswers.of(answers, {}, {}, {}), ["country"], None))
    hidden = own[own["attribute"] == "country"]
    assert hidden["hidden"].all() and hidden[["personas", "told", "majority"]].isna().all(axis=None)
    fours = played(everyone, rows[:4], QUESTIONS, as_respondent)
    assert groups(fours, everyone).empty

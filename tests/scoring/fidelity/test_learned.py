"""What can be learned from the visible traits, and that nobody teaches how to tell themselves."""

import numpy as np
import pandas as pd
import pytest
from made_up_surveys import as_respondent, people, played, question

from personas.people.respondents import Respondents
from scoring.fidelity.learned import LEAST_LEARNT, Thresholds, chosen, learned_shares
from scoring.fidelity.survey_answers import AskedQuestion

pytest.importorskip("sklearn")
QUESTION = question("q0", steps=3)


def of(everyone: Respondents, asked: int, visible: tuple[str, ...]) -> tuple[AskedQuestion, list[str]]:
    found = played(everyone, range(asked), [QUESTION], as_respondent).questions["q0"]
    names = list(everyone.frame["persona_id"].iloc[found.person])
    return AskedQuestion(found.trait, found.person, found.shares, found.own, visible), names


def test_what_a_trait_tells_is_learned_and_what_none_tells_is_the_shares() -> None:
    everyone = people(900, [QUESTION])
    tells = everyone.frame["q0"].isin([2, 3]).to_numpy()
    everyone.frame["gender"] = np.where(tells, 2, 1).astype(np.int16)
    question_, names = of(everyone, 200, ("gender",))
    everybody = np.ones(len(everyone), dtype=bool)
    shares = learned_shares(question_, names, everyone, everybody, seed=1)
    assert shares.sum(axis=1) == pytest.approx(np.ones(200)) and shares.min() >= 0
    right = (shares.argmax(axis=1) > 0) == (question_.own > 0)
    assert right.all()
    nothing, _ = of(everyone, 200, ())
    shares = learned_shares(nothing, names, everyone, everybody, seed=1)
    others = np.bincount(everyone.frame["q0"].iloc[200:] - 1) / 700
    assert shares == pytest.approx(np.tile(others, (200, 1)), abs=0.01)


def test_nobody_is_told_by_their_own_answer() -> None:
    """A trait that names everybody tells nothing of who was not learned from, also where everybody is asked."""
    everyone = people(400, [QUESTION], missing=0.0)
    everyone.frame["age"] = np.random.default_rng(0).permutation(400).astype(np.int16)
    question_, names = of(everyone, 400, ("age",))
    shares = learned_shares(question_, names, everyone, np.ones(400, dtype=bool), seed=1)
    agreed = shares[np.arange(400), question_.own].mean()
    by_chance = (np.bincount(question_.own) ** 2).sum() / 400**2
    assert not np.isnan(shares).any() and agreed < by_chance + 0.02


def test_other_countries_teach_where_they_are_told_to_and_too_few_teach_nothing() -> None:
    everyone = people(600, [QUESTION], between=2.5)
    norway = (everyone.frame["country"] == "NOR").to_numpy()
    question_, names = of(everyone, 100, ("gender",))
    own, across = (learned_shares(question_, names, everyone, each, seed=1) for each in (norway, ~norway))
    low = own[:, 0].mean() - across[:, 0].mean()
    assert low > 0.3  # Norway is at the low end of the scale, India at the high one
    few = np.zeros(600, dtype=bool)
    few[200 : 200 + LEAST_LEARNT - 1] = True
    assert np.isnan(learned_shares(question_, names, everyone, few, seed=1)).all()


def test_thresholds_give_shares_of_every_class_in_order() -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(4)
    x = random.normal(size=(2_000, 1))
    answers = np.searchsorted([-0.7, 0.7], x[:, 0] + 0.5 * random.logistic(size=2_000))
    teller = Thresholds(LogisticRegression()).fit(x, answers)
    shares = teller.predict_proba(np.array([[-3.0], [0.0], [3.0]]))
    assert shares.sum(axis=1) == pytest.approx(np.ones(3)) and list(shares.argmax(axis=1)) == [0, 1, 2]
    middle = teller.predict_proba(np.zeros((1, 1)))[0]
    assert middle == pytest.approx([1 / (1 + np.exp(1.4)), 1 - 2 / (1 + np.exp(1.4)), 1 / (1 + np.exp(1.4))], abs=0.03)


def test_trees_are_chosen_where_lines_do_not_tell() -> None:
    random = np.random.default_rng(5)
    x = pd.DataFrame({"one": random.integers(0, 2, 900).astype(float), "two": random.integers(0, 2, 900).astype(float)})
    answers = (x["one"] != x["two"]).to_numpy().astype(np.int64)
    found = chosen(x, answers, ordinal=False, seed=0)
    assert type(found).__name__ == "HistGradientBoostingClassifier"

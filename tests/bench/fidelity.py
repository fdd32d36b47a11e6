"""How often the intervals of fidelity cover the truth, and how often its tests reject where nothing is to be found.

python tests/bench/fidelity.py [studies] [words of a condition's name]    (2,000 studies a condition by default)

Each study is drawn from a made-up population whose truth is known, or found once in a very large sample. Printed are
the studies that have an interval, and the share of these that cover (at least 93 % is wanted); for tests, the share of
p under 5 % (at most 6 % is wanted).
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from made_up_surveys import STEPS, played, question

from scoring.fidelity import spread
from scoring.fidelity.both_halves import _person_slope, _point
from scoring.fidelity.correlations import structure_row
from scoring.fidelity.group_distances import group_rows
from scoring.fidelity.grouped_answers import GroupedAnswers, as_answered, total_variances
from scoring.fidelity.people_intervals import mean_interval, share_interval
from scoring.fidelity.second_sample import Pool
from scoring.fidelity.slope import slope_between
from scoring.fidelity.survey_answers import SurveyAnswers
from scoring.statistics.covariates.prediction_powered import People, corrected_mean
from scoring.statistics.levels import ALL

Random = np.random.Generator
LARGE = 400_000
LEAST_COVERAGE, MOST_REJECTED = 0.93, 0.06


class Found(NamedTuple):
    """An interval (NaN: none) and the truth; or a p value under a true null hypothesis. Of PPI also the estimate, that
    of the human answers alone, how many these are, and the stated effective number."""

    low: float = math.nan
    high: float = math.nan
    truth: float = math.nan
    p: float = math.nan
    value: float = math.nan
    human: float = math.nan
    known: float = math.nan
    effective: float = math.nan


def agreeing(random: Random, n: int, questions: int, rate: float, texts: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """People's mean agreement over their questions, and their clusters: who reads the same is told equally well."""
    cluster = random.integers(texts, size=n) if texts else np.arange(n)
    shift = random.normal(size=cluster.max() + 1)[cluster]
    return (random.random((questions, n)) < expit(rate + 0.7 * shift)).mean(axis=0), cluster


@cache
def mean_of(rate: float) -> float:
    """The mean of expit(rate + 0.7 z)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    return float(expit(rate + 0.7 * nodes) @ weights / weights.sum())


def told(n: int, questions: int, rate: float, random: Random, texts: int = 0, weights: float = 0.0) -> Found:
    """Agreement with the respondent."""
    values, cluster = agreeing(random, n, questions, rate, texts)
    found = share_interval(values, np.exp(weights * random.normal(size=n)), cluster)
    return Found(found.low, found.high, mean_of(rate))


def over(n: int, questions: int, rate: float, other: float, random: Random) -> Found:
    """Agreement beside that of a reference, on the same questions."""
    values, cluster = agreeing(random, n, questions, rate)
    reference = (random.random((questions, n)) < other).mean(axis=0)
    found = mean_interval(values - reference, np.ones(n), cluster)
    return Found(found.low, found.high, mean_of(rate) - other)


def brier(n: int, questions: int, random: Random) -> Found:
    """The Brier score of calibrated probabilities: 1 − Σ p² on average."""
    shares = random.dirichlet(np.full(STEPS, 0.7), size=(n, questions))
    drawn = (shares.cumsum(axis=2) < random.random((n, questions, 1))).sum(axis=2)
    score = ((shares - np.eye(STEPS)[np.minimum(drawn, STEPS - 1)]) ** 2).sum(axis=2).mean(axis=1)
    found = mean_interval(score, np.ones(n), np.arange(n))
    return Found(found.low, found.high, 1 - STEPS * (0.7 / (4 * 0.7)) * (1.7 / (4 * 0.7 + 1)))


QUESTIONS = [question(f"q{number}") for number in range(4)]


def population(
    n: int, random: Random, levels: int, flat: float, apart: float = 0.6
) -> tuple[SurveyAnswers, np.ndarray]:
    """People of several levels, as far `apart`, and a model whose answers vary `flat` times as much within them."""
    codes = random.integers(levels, size=n)
    common = random.normal(size=n)
    frame = pd.DataFrame({"persona_id": [f"s:1:{k}" for k in range(n)], "country": "NOR", "survey": "s", "wave": "1"})
    frame = frame.assign(weight=1.0, gender=1)
    answers = {}
    edges = np.linspace(-1.2, 1.2, STEPS - 1)
    for trait in QUESTIONS:
        centre = apart * (codes - (levels - 1) / 2) / levels
        own = centre + 0.7 * common + random.normal(size=n)
        model = centre + flat * (0.7 * common + random.normal(size=n))
        frame[trait.name] = np.searchsorted(edges, own) + 1
        answers[trait.name] = np.searchsorted(edges, model)
    everyone = type("Everyone", (), {"frame": frame})()

    def answer(trait, own, table):  # type: ignore[no-untyped-def]
        return np.eye(STEPS)[answers[trait.name][table.index]]

    return played(everyone, range(n), QUESTIONS, answer), codes


def sides(answers: SurveyAnswers, codes: np.ndarray) -> tuple[GroupedAnswers, GroupedAnswers]:
    """The model's answers and the people's, by level."""
    levels = int(codes.max()) + 1
    scales = total_variances(answers.questions, answers.weight, codes)
    made = (answers.questions, as_answered(answers.questions))
    model, own = (GroupedAnswers(each, answers.weight, codes, levels, scales) for each in made)
    return model, own


@cache
def true_ratio(levels: int, flat: float) -> float:
    """The ratio of the variances within levels, in a very large sample."""
    model, own = sides(*population(LARGE, np.random.default_rng(99), levels, flat))
    return model.within / own.within


def within(n: int, levels: int, flat: float, random: Random) -> Found:
    """The ratio of the variances within levels."""
    answers, codes = population(n, random, levels, flat)
    model, own = sides(answers, codes)
    low, high = spread._ratio_interval(model, own, answers)
    return Found(low, high, true_ratio(levels, flat))


@cache
def true_over(levels: int, flat: float, apart: float) -> float:
    """The difference of ε² in a very large sample."""
    model, own = sides(*population(LARGE, np.random.default_rng(99), levels, flat, apart))
    return model.epsilon - own.epsilon


def over_people(n: int, levels: int, flat: float, apart: float, random: Random) -> Found:
    """The difference of ε², the model's less the people's."""
    answers, codes = population(n, random, levels, flat, apart)
    found = spread._difference(*sides(answers, codes), answers)
    return Found(found.low, found.high, true_over(levels, flat, apart))


def corrected(known: int, right: float, share: float, random: Random, together: int = 1) -> Found:
    """A share from model answers and few human ones; `together` people read the same."""
    n = known + 300 * together
    cluster = np.arange(n) // together
    shift = random.normal(size=cluster.max() + 1)[cluster] if together > 1 else np.zeros(n)
    centre = math.log(share / (1 - share))
    own = (random.random(n) < expit(centre + 0.7 * shift)).astype(float)
    answer = np.where(random.random(n) < right, own, (random.random(n) < share).astype(float))
    ones = np.ones(n)
    ours = People(answer[:known], ones[:known], cluster[:known], own[:known])
    theirs = People(answer[known:], ones[known:], cluster[known:] + n)
    found = corrected_mean(ours, theirs, seed=int(random.integers(1 << 30)))
    truth = mean_of(centre) if together > 1 else share
    if found is None:
        return Found()
    return Found(found.low, found.high, truth, math.nan, found.value, found.human, found.known, found.effective)


def slope(groups: int, people: int, between: float, scatter: float, random: Random, b: float = -0.3) -> Found:
    """Δ against fidelity over groups, from people's own values of both, whose errors go together."""
    x = between * random.normal(size=groups)
    y = b * x + scatter * random.normal(size=groups)
    points = []
    for group in range(groups):
        size = max(6, int(random.poisson(people)))
        errors = random.multivariate_normal([0, 0], [[0.04, 0.005], [0.005, 0.02]], size=size)
        row = _point(x[group] + errors[:, 0], y[group] + errors[:, 1], np.ones(size), np.arange(size))
        points.append([row[name] for name in ("fidelity", "effect", "fidelity_error", "effect_error", "correlation")])
    table = np.array(points)
    covariance = np.empty((groups, 2, 2))
    covariance[:, 0, 0], covariance[:, 1, 1] = table[:, 2] ** 2, table[:, 3] ** 2
    covariance[:, 0, 1] = covariance[:, 1, 0] = table[:, 2] * table[:, 3] * table[:, 4]
    found = slope_between(table[:, 0], table[:, 1], covariance)
    return Found(found.low, found.high, b)


def person_slope(people: int, questions: int, between: float, scatter: float, random: Random, b: float = -0.3) -> Found:
    """Δ against fidelity over people, from who agrees on which question and a Δ measured on thirty items; people differ
    in what they agree on, too, as far as two unseen traits of theirs and of the questions meet."""
    true = 0.5 + between * random.uniform(-1, 1, size=people)
    meeting = 0.06 * random.uniform(-1, 1, size=(people, 2)) @ random.uniform(-1, 1, size=(2, questions))
    chance = true[:, None] + 0.08 * random.uniform(-1, 1, size=questions) + meeting
    agreed = (random.random((people, questions)) < chance).astype(float)
    delta = b * true + scatter * random.normal(size=people) + 0.25 * random.normal(size=people) / math.sqrt(30)
    row = _person_slope(agreed - agreed.mean(axis=0), delta, np.arange(people))
    return Found() if row is None else Found(row["low"], row["high"], b)


def second_people(asked: int, whole: int, random: Random, of: str) -> Found:
    """The test of the group's distance, or of the structure, where the model answers as other people of the same
    population do."""
    answers, _ = population(whole + asked, random, 2, 1.0)
    frame = answers.people.assign(gender=1)
    for name, each in answers.questions.items():
        frame[name] = each.own + 1
    everyone = type("Everyone", (), {"frame": frame.iloc[:whole].reset_index(drop=True)})()
    others = frame.iloc[whole:]

    def answer(trait, own, table):  # type: ignore[no-untyped-def]
        return np.eye(STEPS)[others[trait.name].to_numpy()[table.index] - 1]

    model = played(everyone, range(asked), QUESTIONS, answer)
    pool = Pool.of(model, everyone, weighted=False)
    seed = int(random.integers(1 << 30))
    if of == "structure":
        row = structure_row(model, pool, seed)
        return Found() if row is None else Found(p=float(str(row["p"])))
    rows = pd.DataFrame(group_rows(model, pool, {}, [], seed)).set_index(["trait", "score"])
    return Found(p=float(rows.loc[("q0" if of == "question" else ALL, "tv"), "p"]))


CONDITIONS: dict[str, Callable[[Random], Found]] = {
    **{
        f"told: {n} people, {questions} questions, {100 * mean_of(rate):.0f} %": (
            lambda random, n=n, questions=questions, rate=rate: told(n, questions, rate, random)
        )
        for n in (30, 200)
        for questions in (1, 6)
        for rate in (-3.0, -0.5, 2.5)
    },
    "told: 200 people, 6 questions, 40 texts": lambda random: told(200, 6, -0.5, random, texts=40),
    "told: 200 people, 6 questions, weights": lambda random: told(200, 6, -0.5, random, weights=0.7),
    "over a reference: 30 people, 6 questions": lambda random: over(30, 6, -0.5, 0.5, random),
    "over a reference: 200 people, 1 question": lambda random: over(200, 1, -0.5, 0.5, random),
    "over a reference: 200 people, 6 questions": lambda random: over(200, 6, -0.5, 0.5, random),
    "brier: 30 people, 6 questions": lambda random: brier(30, 6, random),
    "brier: 200 people, 1 question": lambda random: brier(200, 1, random),
    **{
        f"within: {n} people, {levels} levels, model {flat:g} times as wide": (
            lambda random, n=n, levels=levels, flat=flat: within(n, levels, flat, random)
        )
        for n in (40, 120, 300)
        for levels, flat in ((2, 0.35), (2, 0.6), (6, 1.0))
    },
    **{
        f"between: {n} people, {levels} levels {apart:g} apart, model {flat:g} times as wide": (
            lambda random, n=n, levels=levels, flat=flat, apart=apart: over_people(n, levels, flat, apart, random)
        )
        for n in (40, 120, 300)
        for levels, apart, flat in ((2, 0.0, 1.0), (6, 0.0, 0.6), (2, 0.6, 1.0), (6, 0.6, 0.5), (6, 1.5, 0.35))
    },
    **{
        f"corrected: {known} known, {right:.0%} told, share {share:.0%}": (
            lambda random, known=known, right=right, share=share: corrected(known, right, share, random)
        )
        for known in (25, 60, 200)
        for right in (0.0, 0.5, 0.9)
        for share in (0.2, 0.45)
    },
    "corrected: 100 known, 4 read the same": lambda random: corrected(100, 0.5, 0.3, random, together=4),
    **{
        f"slope: {groups} groups of {people}, spread {between:g}, scatter {scatter:g}": (
            lambda random, groups=groups, people=people, between=between, scatter=scatter: slope(
                groups, people, between, scatter, random
            )
        )
        for groups in (8, 15, 40)
        for people, between in ((20, 0.06), (60, 0.1))
        for scatter in (0.0, 0.03)
    },
    **{
        f"slope: {people} people, {questions} questions, spread {between:g}, scatter {scatter:g}": (
            lambda random, people=people, questions=questions, between=between, scatter=scatter: person_slope(
                people, questions, between, scatter, random
            )
        )
        for people in (50, 150, 500)
        for questions, between in ((10, 0.2), (20, 0.2), (60, 0.15))
        for scatter in (0.0, 0.1)
    },
    "test: distance of one question, 100 of 400 people": lambda random: second_people(100, 400, random, "question"),
    "test: distance of all questions, 100 of 400 people": lambda random: second_people(100, 400, random, "all"),
    "test: distance of all questions, all of 100 people": lambda random: second_people(100, 100, random, "all"),
    "test: structure, 100 of 400 people": lambda random: second_people(100, 400, random, "structure"),
}


def summary(found: list[Found]) -> Iterator[str]:
    """How many had an interval and covered, or how many tests rejected; marked where that is not as it should be."""
    table = np.array(found, dtype=float)
    tests = table[~np.isnan(table[:, 3]), 3]
    if len(tests):
        share = float((tests < 0.05).mean())
        yield f"p < 0.05: {share:.3f}{'' if share <= MOST_REJECTED else '  <-- too often'}"
        return
    of_ppi = table[~np.isnan(table[:, 4])]
    if len(of_ppi):
        true = of_ppi[0, 6] * of_ppi[:, 5].var() / of_ppi[:, 4].var()
        yield f"effective n {np.median(of_ppi[:, 7]):.0f} stated, {true:.0f} by the spread of the estimates"
    low, high, truth = table[~np.isnan(table[:, 0])].T[:3]
    if not len(low):
        yield "no interval"
        return
    covered = float(((low <= truth) & (truth <= high)).mean())
    mark = "" if covered >= LEAST_COVERAGE else "  <-- too seldom"
    yield f"interval in {len(low) / len(table):.1%}, covers {covered:.3f}, width {np.median(high - low):.3f}{mark}"


def main(studies: int = 2_000, *words: str) -> None:
    """Run the conditions whose name holds these words."""
    for name, draw in CONDITIONS.items():
        if all(word in name for word in words):
            start = time.perf_counter()
            found = [draw(np.random.default_rng([number, len(name)])) for number in range(studies)]
            print(f"{name}: {', '.join(summary(found))}  ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main(*(int(each) if each.isdigit() else each for each in sys.argv[1:]))

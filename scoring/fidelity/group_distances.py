"""Fidelity to a group: how far the model's answers as its people are from theirs, beside a second sample of them."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.answers.distances import distances
from scoring.fidelity.second_sample import DRAWS, Pool, SecondSample
from scoring.fidelity.survey_answers import AskedQuestion, Matrix, SurveyAnswers
from scoring.statistics.levels import ALL, HIDDEN_UNDER
from scoring.statistics.weights import Floats, effective_n

COLUMNS = ("personas", "effective", "distance", "reference", "excess", "p")
NAMES = ("js", "wasserstein", "tv")


def group_rows(
    answers: SurveyAnswers, pool: Pool, levels: Mapping[str, Sequence[str]], attributes: Sequence[str], seed: int
) -> Iterator[dict[str, object]]:
    """A row a group, question and distance, as `fidelity_groups` has them.

    `distance` is that of the model's answers as these people to their own, both by persona weight, 0 to 1: "js",
    "tv", and "wasserstein" on the 0-1 scale of ordinal questions. `reference` is what a second sample of as many people
    is at from them, on average, `excess` the distance above it, and `p` how often a second sample is as far away: a
    test of whether the model is further than people are. Questions together ("all") are the mean over them, tested on
    the same draws. Levels of an attribute have no rows of single questions. `levels` has each respondent's level of
    each attribute.
    """
    for attribute, level, people in answers.groups(attributes):
        head = {"attribute": attribute, "level": level}
        if people is None:
            yield from ({**head, "trait": ALL, "score": name, **_NOTHING, "hidden": True} for name in NAMES)
            continue
        inside = np.ones(len(pool.weight), dtype=bool)
        if attribute != ALL:
            inside = np.array([each == level for each in levels[attribute]])
        second = pool.draws(answers, people, inside, seed)
        for trait, score, row in _rows(answers, people, second, attribute == ALL):
            yield {**head, "trait": trait, "score": score, **row, "hidden": False}


_NOTHING = dict.fromkeys(COLUMNS, math.nan)


def _rows(
    answers: SurveyAnswers, people: NDArray[np.bool_], second: SecondSample, single: bool
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """(trait, distance, numbers): each question's where wanted, then all together."""
    found: dict[str, list[tuple[float, Floats]]] = {name: [] for name in NAMES}
    weights: list[Floats] = []
    for name, question in answers.questions.items():
        some = question.of(people)
        weight = answers.weight[some.person]
        if len(some.person) < HIDDEN_UNDER:
            continue
        told, own = distributions(some, weight)
        drawn = second.shares(name, question.options)
        at, by_chance = distances(question.places, told, own), distances(question.places, drawn, own)
        weights.append(weight)
        for score in at:
            found[score].append((float(at[score]), by_chance[score]))
            if single:
                yield name, score, _row(float(at[score]), by_chance[score], weight)
    for score, values in found.items():
        if values:
            mean = np.mean([drawn for _, drawn in values], axis=0)
            most = max(weights, key=len)
            yield ALL, score, _row(float(np.mean([value for value, _ in values])), mean, most)


def distributions(question: AskedQuestion, weight: Floats) -> tuple[Floats, Floats]:
    """The weighted shares of the options in the model's answers and in the respondents' own."""
    own: Matrix = np.eye(question.options)[question.own]
    told, given = (weight @ each / weight.sum() for each in (question.shares, own))
    return told, given


def _row(distance: float, drawn: Floats, weight: Floats) -> dict[str, float]:
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < DRAWS / 2:
        numbers = (float(len(weight)), effective_n(weight), distance, math.nan, math.nan, math.nan)
        return dict(zip(COLUMNS, numbers, strict=True))
    reference = float(drawn.mean())
    p = (1 + int((drawn >= distance - 1e-12).sum())) / (1 + len(drawn))
    numbers = (float(len(weight)), effective_n(weight), distance, reference, distance - reference, p)
    return dict(zip(COLUMNS, numbers, strict=True))

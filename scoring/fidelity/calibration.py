"""Calibration: whether options that a model gives a probability of 30 % are the respondent's in 30 of 100 answers."""

import math
from collections.abc import Iterator

import numpy as np

from scoring.fidelity.people_intervals import mean_interval
from scoring.fidelity.survey_answers import SurveyAnswers
from scoring.statistics.levels import ALL, HIDDEN_UNDER
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats

BINS = 10


def brier_rows(answers: SurveyAnswers, references: SurveyAnswers | None) -> Iterator[dict[str, object]]:
    """A row of `fidelity_calibration` for all questions and for each: the Brier score and what it is made of.

    `brier` (Brier 1950) is the mean squared difference between the probabilities of the options and the respondent's
    answer, summed over the options: 0 is best, 2 worst; with its 95 % interval over clusters of people. It is
    `reliability` (0: calibrated) − `resolution` (how far probabilities tell answers apart) + `uncertainty` (of the
    answers alone) + `within` (what ten bins of probabilities lose; Stephenson et al. 2008). `learned` is the Brier
    score of the learned reference on the same answers.
    """
    for trait in (ALL, *answers.questions):
        names = list(answers.questions) if trait == ALL else [trait]
        person, told, hit = _pairs(answers, names)
        people = np.unique(person)
        head = {"trait": trait, "personas": float(len(people))}
        if len(people) < HIDDEN_UNDER:
            continue
        score, count = _by_person(answers, names)
        there = count > 0
        mean = mean_interval(score[there], (answers.weight * count)[there], answers.cluster[there])
        learned = _learned(references, names) if references else math.nan
        parts = decomposition(told, hit, answers.weight[person])
        yield {**head, "brier": mean.value, "low": mean.low, "high": mean.high, "learned": learned, **parts}


def decomposition(told: Floats, hit: Floats, weight: Floats) -> dict[str, float]:
    """Murphy's (1973) parts of the Brier score of many options, with the two terms that bins need (`within`).

    A row an option of an answer: its probability, 1 where it was chosen, its answer's weight. Parts are
    per answer, so that they add up: reliability − resolution + uncertainty + within is the Brier score of the rows,
    each answer by its weight.
    """
    bins = np.minimum((told * BINS).astype(int), BINS - 1)
    mass = np.bincount(bins, weights=weight, minlength=BINS)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, rate = (np.bincount(bins, weights=weight * each, minlength=BINS) / mass for each in (told, hit))
    answers = float((weight * hit).sum())  # each answer has one hit
    base = float((weight * hit).sum() / weight.sum())
    reliability = float((weight * (mean[bins] - rate[bins]) ** 2).sum()) / answers
    resolution = float((weight * (rate[bins] - base) ** 2).sum()) / answers
    uncertainty = float((weight * (hit - base) ** 2).sum()) / answers
    whole = float((weight * (told - hit) ** 2).sum()) / answers
    within = whole - reliability + resolution - uncertainty
    return {"reliability": reliability, "resolution": resolution, "uncertainty": uncertainty, "within": within}


def reliability_rows(answers: SurveyAnswers) -> Iterator[dict[str, object]]:
    """The points of the reliability curve, `fidelity_reliability`.

    For each tenth of probability: the mean probability, the share of the options that were the respondent's, and how
    many options and people that is; from five people on, on both sides of the share.
    """
    person, told, hit = _pairs(answers, list(answers.questions))
    weight = answers.weight[person]
    bins = np.minimum((told * BINS).astype(int), BINS - 1)
    for number in range(BINS):
        here = bins == number
        people = len(np.unique(person[here]))
        chosen = len(np.unique(person[here & (hit > 0)]))
        if people < HIDDEN_UNDER or 0 < chosen < HIDDEN_UNDER:
            continue
        mean, rate = (float(np.average(each[here], weights=weight[here])) for each in (told, hit))
        yield {"bin": number / BINS, "personas": float(people), "options": float(here.sum()), "told": mean, "own": rate}


def _pairs(answers: SurveyAnswers, names: list[str]) -> tuple[Codes, Floats, Floats]:
    """(person, probability, whether it is the respondent's) of every option of every answer."""
    questions = [answers.questions[name] for name in names]
    person = np.concatenate([np.repeat(each.person, each.options) for each in questions])
    told = np.concatenate([each.shares.ravel() for each in questions])
    hit = np.concatenate([np.eye(each.options)[each.own].ravel() for each in questions])
    return person, told, hit


def _by_person(answers: SurveyAnswers, names: list[str]) -> tuple[Floats, Floats]:
    """Each person's mean Brier score over the questions that it was asked, and how many these are."""
    total, count = np.zeros(len(answers.people)), np.zeros(len(answers.people))
    for question in (answers.questions[name] for name in names):
        own = np.eye(question.options)[question.own]
        total[question.person] += ((question.shares - own) ** 2).sum(axis=1)
        count[question.person] += 1
    means: Floats = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return means, count


def _learned(references: SurveyAnswers, names: list[str]) -> float:
    """The Brier score of the reference; NaN where it could not tell every answer."""
    if any(name not in references.questions for name in names):
        return math.nan
    score, count = _by_person(references, names)
    there = count > 0
    return float(np.average(score[there], weights=(references.weight * count)[there]))

"""Structure: whether a model's answers hang together as people's do, question with question."""

import math
from collections.abc import Sequence

import numpy as np

from scoring.fidelity.second_sample import DRAWS, Pool
from scoring.fidelity.survey_answers import Matrix, SurveyAnswers
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats

LEAST_QUESTIONS, LEAST_PEOPLE = 3, 20
STRUCTURE_DRAWS = 500


def structure_row(answers: SurveyAnswers, pool: Pool, seed: int) -> dict[str, object] | None:
    """One row of `fidelity_structure`: correlations between the ordinal questions, the model's against the people's.

    `difference` is the mean absolute difference of the correlations, `rv` Robert & Escoufier's (1976) RV coefficient of
    the two matrices; each beside what a second sample of as many people gives on average (`…_reference`), and `p`, how
    often a second sample is as different. `flat` questions, to which the model gives everybody the same answer, have no
    correlation and are left out. None where an asked trait is shown, or where too little is left to compare: three
    questions and twenty people.
    """
    if not answers.hides:
        return None
    names = [name for name, question in answers.questions.items() if question.places is not None]
    told, own = positions_of(answers, names)
    flat = _without_variance(told, own)
    names = [name for name, is_flat in zip(names, flat, strict=True) if not is_flat]
    told, own = told[:, ~flat], own[:, ~flat]
    if len(names) < LEAST_QUESTIONS or (~np.isnan(own)).all(axis=1).sum() < LEAST_PEOPLE:
        return None
    weight = answers.weight
    theirs = correlation_matrix(own, weight)
    found = compared(correlation_matrix(told, weight), theirs)
    drawn = np.array([compared(each, theirs) for each in _second(answers, pool, names, seed)])
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    enough = len(drawn) > STRUCTURE_DRAWS / 2 and not math.isnan(found[0])
    difference, rv = drawn.mean(axis=0) if enough else (math.nan, math.nan)
    p = (1 + int((drawn[:, 0] >= found[0] - 1e-12).sum())) / (1 + len(drawn)) if enough else math.nan
    return {
        "questions": float(len(names)),
        "flat": float(flat.sum()),
        "personas": float(len(answers.people)),
        "difference": found[0],
        "difference_reference": float(difference),
        "p": p,
        "rv": found[1],
        "rv_reference": float(rv),
    }


def positions_of(answers: SurveyAnswers, names: Sequence[str]) -> tuple[Matrix, Matrix]:
    """Where on the scale each person's answer stands, the model's (its mean) and its own: person × question."""
    told, own = (np.full((len(answers.people), len(names)), np.nan) for _ in range(2))
    for column, name in enumerate(names):
        question = answers.questions[name]
        assert question.places is not None
        told[question.person, column] = question.shares @ question.places
        own[question.person, column] = question.places[question.own]
    return told, own


def correlation_matrix(values: Matrix, weight: Floats) -> Matrix:
    """Weighted Pearson correlations over the people who have both of two columns; NaN without variance."""
    there = (~np.isnan(values)).astype(float)
    filled = np.nan_to_num(values)
    w = weight[:, None] * there
    mass = w.T @ there
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (w * filled).T @ there / mass  # of column i over those who have column j too
        square = (w * filled**2).T @ there / mass - mean**2
        both = (w * filled).T @ filled / mass - mean * mean.T
        found: Matrix = both / np.sqrt(
            np.where(square > 1e-12, square, np.nan) * np.where(square > 1e-12, square, np.nan).T
        )
    return np.clip(found, -1.0, 1.0)


def compared(first: Matrix, second: Matrix) -> tuple[float, float]:
    """The mean absolute difference of two correlation matrices off the diagonal, and their RV coefficient.

    NaN where a correlation is missing.
    """
    upper = np.triu_indices(len(first), 1)
    if np.isnan(first[upper]).any() or np.isnan(second[upper]).any():
        return math.nan, math.nan
    difference = float(np.abs(first[upper] - second[upper]).mean())
    return difference, float((first * second).sum() / math.sqrt((first**2).sum() * (second**2).sum()))


def _without_variance(told: Matrix, own: Matrix) -> np.ndarray:
    return np.array([min(_spread(told[:, at]), _spread(own[:, at])) < 1e-9 for at in range(told.shape[1])], dtype=bool)


def _spread(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.ptp(known)) if len(known) else 0.0


def _second(answers: SurveyAnswers, pool: Pool, names: Sequence[str], seed: int) -> list[Matrix]:
    """The correlations of second samples of the people; of each question only those who were asked it are known."""
    everybody = np.ones(len(answers.people), dtype=bool)
    sample = pool.draws(answers, everybody, np.ones(len(pool.weight), dtype=bool), seed)
    places = {name: answers.questions[name].places for name in names}
    found = []
    for draw in range(min(DRAWS, STRUCTURE_DRAWS)):
        people: Codes = sample.people(draw)
        values = np.column_stack([_placed(pool.own[name][people], places[name]) for name in names])
        found.append(correlation_matrix(values, np.ones(len(people))))
    return found


def _placed(own: Codes, places: Floats | None) -> Floats:
    assert places is not None
    return np.where(own >= 0, places[np.maximum(own, 0)], np.nan)

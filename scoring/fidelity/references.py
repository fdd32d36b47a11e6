"""What needs no model: answers to the same questions by the country's majority and by a draw from its shares."""

from collections.abc import Mapping

import numpy as np

from personas.people.respondents import Respondents
from scoring.benchmarks.trait_inference import survey_options
from scoring.fidelity.survey_answers import AskedQuestion, Matrix, SurveyAnswers, option_numbers
from scoring.statistics.pairs import factorized


def country_shares(answers: SurveyAnswers, everyone: Respondents) -> Mapping[str, Matrix]:
    """For each question, the weighted shares of the options among a person's countrymen, the person left out.

    NaN for somebody whose country has nobody else that answered.
    """
    return {name: _left_out(question, answers, everyone) for name, question in answers.questions.items()}


def likeliest(shares: Matrix) -> Matrix:
    """The most frequent option of each row has it all; of several, the first. NaN where the shares are."""
    found: Matrix = np.eye(shares.shape[1])[np.nan_to_num(shares, nan=-1.0).argmax(axis=1)]
    found[np.isnan(shares).any(axis=1)] = np.nan
    return found


def _left_out(question: AskedQuestion, answers: SurveyAnswers, everyone: Respondents) -> Matrix:
    name = question.trait.name
    frame = everyone.frame
    own = option_numbers(frame[name].to_numpy(), list(survey_options(question.trait)))
    weight = frame["weight"].to_numpy(dtype=float)
    there = (own >= 0) & (weight > 0)
    country = factorized(frame["country"].astype(str))
    mass = np.zeros((country.max(initial=0) + 1, question.options))
    np.add.at(mass, (country[there], own[there]), weight[there])
    rows = dict(zip(frame["persona_id"].astype(str), range(len(frame)), strict=True))
    at = np.array([rows[each] for each in answers.people["persona_id"].iloc[question.person]])
    found = mass[country[at]]
    found[np.arange(len(at)), own[at]] -= np.where(there[at], weight[at], 0.0)
    found = np.where(found < 1e-9 * weight[at, None], 0.0, found)  # what is left of one's own weight by rounding
    total = found.sum(axis=1, keepdims=True)
    left: Matrix = np.divide(found, total, out=np.full_like(found, np.nan), where=total > 0)
    return left

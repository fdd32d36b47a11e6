"""Answers in groups: how much they vary within and between, and how the groups are ordered."""

import math
from collections.abc import Mapping

import numpy as np

from scoring.fidelity.survey_answers import AskedQuestion, Matrix
from scoring.statistics.levels import HIDDEN_UNDER
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats, effective_n


def as_answered(questions: Mapping[str, AskedQuestion]) -> dict[str, AskedQuestion]:
    """The same questions with the respondents' own answers."""
    return {name: each.with_shares(np.eye(each.options)[each.own]) for name, each in questions.items()}


def total_variances(questions: Mapping[str, AskedQuestion], weight: Floats, codes: Codes) -> dict[str, float]:
    """The variance of the respondents' own answers to each question, over all groups.

    Only of questions whose answers vary, and that ten people answered.
    """
    found = {}
    for name, question in as_answered(questions).items():
        kept = question.of(codes >= 0)
        if len(kept.person) >= 2 * HIDDEN_UNDER:
            variance = _Question(kept, weight, np.zeros_like(codes), 1, 1.0).total
            if variance > 1e-12:
                found[name] = variance
    return found


class GroupedAnswers:
    """Questions answered by people of several groups (`codes`, −1: in none), each over its variance in `scales`.

    `within` is the variance within groups, `total` that of all answers, both as means over the questions; `epsilon` is
    ε² = (total − within) / total. `asked` are the people with an answer.
    """

    def __init__(
        self,
        questions: Mapping[str, AskedQuestion],
        weight: Floats,
        codes: Codes,
        levels: int,
        scales: Mapping[str, float],
    ) -> None:
        self._of = [
            _Question(questions[name].of(codes >= 0), weight, codes, levels, scale) for name, scale in scales.items()
        ]
        self.within = float(np.mean([each.within for each in self._of]))
        self.total = float(np.mean([each.total for each in self._of]))
        self.epsilon = 1 - self.within / self.total if self.total > 0 else 0.0
        self.asked = np.unique(np.concatenate([each.person for each in self._of]))

    def influence(self, people: int) -> Floats:
        """What each person adds to `within`: how far it moves with the person's weight."""
        total = np.zeros(people)
        for each in self._of:
            total[each.person] += each.influence / len(self._of)
        return total

    def epsilon_influence(self, people: int) -> Floats:
        """What each person adds to `epsilon`: how far it moves with the person's weight."""
        total = np.zeros(people)
        for each in self._of:
            total[each.person] += each.total_influence / len(self._of)
        share = self.within / self.total if self.total > 0 else 0.0
        moved: Floats = (share * total - self.influence(people)) / self.total if self.total > 0 else np.zeros(people)
        return moved

    def order(self, other: "GroupedAnswers") -> float:
        """Kendall's τ-b between the groups' means of model and survey, averaged over ordinal questions.

        NaN under three groups, or where a side is flat.
        """
        found = [_tau(one.means, two.means) for one, two in zip(self._of, other._of, strict=True) if one.ordinal]
        known = [each for each in found if not math.isnan(each)]
        return float(np.mean(known)) if known else math.nan


class _Question:
    """The sums of squares of one question. Answers are points, of which half a squared distance is a difference."""

    def __init__(self, question: AskedQuestion, weight: Floats, codes: Codes, levels: int, scale: float) -> None:
        self.person, self.ordinal = question.person, question.places is not None
        points = question.points / math.sqrt(scale)
        first, square = question.shares @ points, question.shares @ (points**2).sum(axis=1)
        group, w = codes[question.person], weight[question.person]
        mass, squares = (np.bincount(group, weights=each, minlength=levels) for each in (w, w**2))
        sums = np.stack([np.bincount(group, weights=w * each, minlength=levels) for each in first.T], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.means = sums / mass[:, None]
            size = mass**2 / squares
            factor = np.where(size > 1, size / (size - 1), 0.0)[group]  # a group's own mean takes up one answer
        share = w / w.sum() / 2
        about = factor * _squared_distance(first, square, self.means[group])
        self.within = float(share @ about)
        self.influence = share * (about - 2 * self.within)
        used = effective_n(w)
        apart = _squared_distance(first, square, (w @ first / w.sum())[None, :])
        apart = apart * used / (used - 1) if used > 1 else apart
        self.total = float(share @ apart)
        self.total_influence = share * (apart - 2 * self.total)


def _squared_distance(first: Matrix, square: Floats, to: Matrix) -> Floats:
    """The mean squared distance of answers, by their mean point and mean square, to a point each."""
    found: Floats = square - 2 * (first * to).sum(axis=1) + (to**2).sum(axis=1)
    return found


def _tau(first: Matrix, second: Matrix) -> float:
    from scipy.stats import kendalltau  # takes as long to load as all else that a report needs

    there = ~(np.isnan(first).any(axis=1) | np.isnan(second).any(axis=1))
    one, two = first[there, 0], second[there, 0]
    if len(one) < 3 or np.ptp(one) < 1e-12 or np.ptp(two) < 1e-12:
        return math.nan
    return float(kendalltau(one, two).statistic)

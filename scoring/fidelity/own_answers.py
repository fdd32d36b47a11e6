"""Fidelity to a person: how often a model answers as the respondent did, beside what needs no model."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.answers.metrics import PROBABILITIES
from scoring.fidelity.people_intervals import PeopleMean, mean_interval, share_interval
from scoring.fidelity.references import likeliest
from scoring.fidelity.survey_answers import AskedQuestion, Matrix, SurveyAnswers
from scoring.statistics.levels import ALL, HIDDEN_UNDER
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats, weighted_mean

SCORES = ("exact", "ordinal")
MODEL = "model"
MAJORITY, DRAW, LEARNED = "majority", "draw", "learned"
REFERENCES = (MAJORITY, DRAW, LEARNED)
COMPARED = (MAJORITY, LEARNED)  # with an interval of how much better the model is


@dataclass(frozen=True)
class Agreement:
    """By how much answers agree with the respondents', a row a person and a column a question; NaN where not asked."""

    by_question: Mapping[str, Floats]

    def of_person(self, questions: Sequence[str]) -> Floats:
        """Each person's mean over these questions."""
        table = np.array([self.by_question[name] for name in questions])
        count = (~np.isnan(table)).sum(axis=0)
        means: Floats = np.divide(np.nansum(table, axis=0), count, out=np.full(len(count), np.nan), where=count > 0)
        return means


def agreement(answers: SurveyAnswers, score: str) -> Agreement:
    """How well each answer agrees with the respondent's own, 0 to 1.

    `exact`: the share of the answers, or their probability, that is on the respondent's option. `ordinal`: 1 − the mean
    distance to it on the 0-1 scale; only for options that are a scale.
    """
    found = {}
    for name, question in answers.questions.items():
        if score == "exact" or question.places is not None:
            values = np.full(len(answers.people), np.nan)
            values[question.person] = _agreeing(question, score)
            found[name] = values
    return Agreement(found)


def _agreeing(question: AskedQuestion, score: str) -> Floats:
    if score == "exact":
        exact: Floats = question.shares[np.arange(len(question.own)), question.own]
        return exact
    assert question.places is not None
    apart = np.abs(question.places[None, :] - question.places[question.own][:, None])
    ordinal: Floats = 1 - (question.shares * apart).sum(axis=1)
    return ordinal


@dataclass(frozen=True)
class OwnAnswers:
    """A model's answers, and what the references answer in its place."""

    answers: SurveyAnswers
    references: Mapping[str, SurveyAnswers]
    retest: Mapping[str, float]

    @classmethod
    def of(
        cls,
        answers: SurveyAnswers,
        shares: Mapping[str, Matrix],
        learned: Mapping[str, Matrix],
        retest: Mapping[str, float],
    ) -> "OwnAnswers":
        """References as shares of the options.

        A model that is judged by its answers meets the learned reference's likeliest answer; one that is judged by its
        probabilities meets the learned ones.
        """
        soft = answers.metric == PROBABILITIES
        told = learned if soft else {name: likeliest(each) for name, each in learned.items()}
        made = {MAJORITY: {name: likeliest(each) for name, each in shares.items()}, DRAW: shares, LEARNED: told}
        return cls(answers, {name: answers.answered_as(each) for name, each in made.items() if each}, retest)


def own_answer_rows(
    beside: OwnAnswers, attributes: Sequence[str], smallest: SurveyAnswers | None
) -> Iterator[dict[str, object]]:
    """A row a group, question and score, as `fidelity_people` has them.

    `told` is the model's mean agreement with its 95 % interval over clusters of people; `majority`, `draw` and
    `learned` what the references reach on the same answers, with `over_majority` and `over_learned` (and their
    intervals) where both are there; `change` is against the same people's answers beside the `smallest` set of traits.
    Levels have the mean over all questions alone.
    """
    for score in SCORES:
        table = _AnswerTable(beside, score, smallest)
        for attribute, level, people in beside.answers.groups(attributes):
            head = {"attribute": attribute, "level": level, "score": score}
            if people is None:
                if table.names:
                    yield {**head, "trait": ALL, **table.nothing(), "hidden": True}
                continue
            for trait in (ALL, *(table.names if attribute == ALL else ())):
                names = table.names if trait == ALL else [trait]
                if names and table.asked(names, people):
                    yield {**head, "trait": trait, **table.row(names, people), "hidden": False}


class _AnswerTable:
    """What a score is of everybody, by the model and by the references."""

    def __init__(self, beside: OwnAnswers, score: str, smallest: SurveyAnswers | None) -> None:
        self._answers, self._retest = beside.answers, beside.retest if score == "exact" else {}
        self._model = agreement(beside.answers, score)
        self._references = {name: agreement(each, score) for name, each in beside.references.items()}
        self.names = list(self._model.by_question)
        self._before = _aligned(agreement(smallest, score), smallest, beside.answers) if smallest else None
        self._coarse = _clusters(smallest, beside.answers) if smallest else beside.answers.cluster

    def asked(self, names: Sequence[str], people: NDArray[np.bool_]) -> bool:
        """Whether any of these people was asked any of these questions."""
        return bool((~np.isnan(self._model.of_person(names)[people])).any())

    def nothing(self) -> dict[str, float]:
        """A row of a level that is hidden."""
        return dict.fromkeys(self._columns(), math.nan)

    def _columns(self) -> list[str]:
        compared = [f"over_{name}{end}" for name in COMPARED for end in ("", "_low", "_high")]
        change = ["change", "change_low", "change_high"] if self._before else []
        return ["personas", "clusters", "told", "low", "high", *REFERENCES, "retest", *compared, *change]

    def row(self, names: Sequence[str], people: NDArray[np.bool_]) -> dict[str, float]:
        """The numbers of some questions and people."""
        told = self._model.of_person(names)
        there = people & ~np.isnan(told)
        weight, cluster = self._answers.weight[there], self._answers.cluster[there]
        count, clusters = int(there.sum()), len(np.unique(cluster))
        if count < HIDDEN_UNDER:
            return self.nothing()
        mean = share_interval(told[there], weight, cluster)
        row = {"personas": float(count), "clusters": float(clusters), "told": mean.value, "low": mean.low}
        row |= {"high": mean.high}
        for name in REFERENCES:
            own = self._of_reference(name, names)[there]
            row[name] = weighted_mean(own, weight) if name in self._references else math.nan
        row["retest"] = self._ceiling(names)
        for name in COMPARED:
            better = told - self._of_reference(name, names)
            row |= _named(f"over_{name}", _over(better, there, self._answers.weight, self._answers.cluster))
        if self._before:
            change = told - self._before.of_person(names)
            row |= _named("change", _over(change, there, self._answers.weight, self._coarse))
        return row

    def _of_reference(self, name: str, names: Sequence[str]) -> Floats:
        found = self._references.get(name)
        own = [each for each in names if found and each in found.by_question]
        return found.of_person(own) if found and len(own) == len(names) else np.full(len(self._answers.people), np.nan)

    def _ceiling(self, names: Sequence[str]) -> float:
        known = [self._retest[name] for name in names if name in self._retest]
        return float(np.mean(known)) if known and len(known) == len(names) else math.nan


def _named(name: str, found: PeopleMean) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _over(better: Floats, people: NDArray[np.bool_], weight: Floats, cluster: Codes) -> PeopleMean:
    there: NDArray[np.bool_] = people & ~np.isnan(better)
    if there.sum() < HIDDEN_UNDER:
        return PeopleMean(math.nan, math.nan, math.nan)
    return mean_interval(better[there], weight[there], cluster[there])


def _places(of: SurveyAnswers, to: SurveyAnswers) -> Codes:
    """Where the people of one are among those of the other; −1 for people who are not there."""
    row = pd.Series(np.arange(len(of.people)), index=of.people["persona_id"])
    return np.asarray(row.reindex(to.people["persona_id"]).fillna(-1), dtype=np.int64)


def _clusters(of: SurveyAnswers, to: SurveyAnswers) -> Codes:
    """The cluster that the people of `to` are in among those who were told less; one of their own who were not."""
    place = _places(of, to)
    alone = len(of.people) + np.arange(len(place))
    return np.where(place >= 0, of.cluster[place], alone)


def _aligned(found: Agreement, of: SurveyAnswers, to: SurveyAnswers) -> Agreement:
    """Agreement of the same people, in the order of other answers; NaN for a question that was not asked."""
    place = _places(of, to)
    nobody = np.full(len(of.people), np.nan)
    return Agreement(
        {name: np.where(place >= 0, found.by_question.get(name, nobody)[place], np.nan) for name in to.questions}
    )

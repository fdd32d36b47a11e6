"""Both halves: whether the groups and people that a model plays better are those as whom it becomes less truthful."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.benchmarks.trait_inference import OWN_ANSWER_PARTS
from scoring.fidelity.own_answers import agreement
from scoring.fidelity.slope import LEAST_POINTS, slope_between
from scoring.fidelity.survey_answers import Matrix, SurveyAnswers
from scoring.statistics.levels import ALL, HIDDEN_UNDER
from scoring.statistics.pairs import Codes, Part, is_twin
from scoring.statistics.weights import Floats

FIDELITY, CHANGE = "fidelity", "change of fidelity"
PEOPLE = "people"  # the attribute of a slope over single people
LEAST_PEOPLE, LEAST_ASKED = 50, 10
SCORE = "exact"


def point_rows(
    answers: SurveyAnswers, smallest: SurveyAnswers | None, parts: Sequence[Part], attributes: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Fidelity (exact agreement) and Δ of the same people: a row a benchmark and level, as `fidelity_points` has them.

    With their standard errors and correlation over clusters of people; and the change of fidelity from the `smallest`
    set of traits. Only levels of five people with both.
    """
    told = _fidelity(answers)
    change = _fidelity_change(answers, smallest)
    for part in parts:
        if part.model != answers.model or part.benchmark in OWN_ANSWER_PARTS:
            continue
        measure, delta = _delta(part, answers)
        if delta is None:
            continue
        for name, x in ((FIDELITY, told), *([(CHANGE, change)] if change is not None else [])):
            for attribute, level, people in answers.groups(attributes):
                if people is None:
                    continue
                there = people & ~np.isnan(x) & ~np.isnan(delta)
                if there.sum() >= HIDDEN_UNDER:
                    row = _point(x[there], delta[there], answers.weight[there], answers.cluster[there])
                    head = {"of": part.benchmark, "of_measure": measure, "x": name, "attribute": attribute}
                    yield {**head, "level": level, "personas": float(there.sum()), **row}


def slope_rows(points: pd.DataFrame) -> Iterator[dict[str, object]]:
    """How much Δ changes with fidelity over the levels, with its 95 % interval, as `fidelity_slopes` has it.

    A row a benchmark and attribute of at least eight levels; both are measured with error, and the errors' covariance
    is known (`slope_between`).
    """
    if points.empty:
        return
    keys = ["model", "benchmark", "shown", "metric", "of", "of_measure", "x", "attribute"]
    for key, rows in points[points["attribute"] != ALL].groupby(keys, sort=False):
        if len(rows) < LEAST_POINTS or rows[["fidelity_error", "effect_error"]].isna().any(axis=None):
            continue
        one, two = rows["fidelity_error"].to_numpy(), rows["effect_error"].to_numpy()
        errors = np.empty((len(rows), 2, 2))
        errors[:, 0, 0], errors[:, 1, 1] = one**2, two**2
        errors[:, 0, 1] = errors[:, 1, 0] = one * two * rows["correlation"].to_numpy()
        found = slope_between(rows["fidelity"].to_numpy(), rows["effect"].to_numpy(), errors)
        yield {**dict(zip(keys, key, strict=True)), "levels": float(len(rows)), **found._asdict()}


def person_slope_rows(
    answers: SurveyAnswers, smallest: SurveyAnswers | None, parts: Sequence[Part]
) -> Iterator[dict[str, object]]:
    """A row a benchmark, as `fidelity_slopes` has them: how much Δ changes with fidelity from person to person.

    A point is a persona cluster, since who reads the same has one Δ. Its fidelity is known but for which questions were
    asked: the error is that of a mean over questions, and goes with none of Δ, which is of other items. Points count
    alike. None under fifty points of ten questions each: with fewer, intervals cover too seldom.
    """
    told = _centred(answers)
    change = None if smallest is None else told - _of_same_people(_centred(smallest), smallest, answers)
    for part in parts:
        if part.model != answers.model or part.benchmark in OWN_ANSWER_PARTS:
            continue
        measure, delta = _delta(part, answers)
        if delta is None:
            continue
        for name, table in ((FIDELITY, told), *([(CHANGE, change)] if change is not None else [])):
            same = answers.cluster if smallest is None or name == FIDELITY else _smallest_clusters(answers, smallest)
            found = _person_slope(table, delta, same)
            if found is not None:
                head = {"of": part.benchmark, "of_measure": measure, "x": name, "attribute": PEOPLE}
                yield {**head, **found}


def _person_slope(table: Matrix, delta: Floats, same: Codes) -> dict[str, float] | None:
    """The slope over clusters of people, from a person × question table of fidelity."""
    values = _means_of(np.column_stack([table, delta]), same)
    asked, y = values[:, :-1], values[:, -1]
    count = (~np.isnan(asked)).sum(axis=1)
    there = (count >= LEAST_ASKED) & ~np.isnan(y)
    if there.sum() < LEAST_PEOPLE:
        return None
    asked, count = asked[there], count[there]
    errors = np.zeros((len(count), 2, 2))
    errors[:, 0, 0] = np.nanvar(asked, axis=1, ddof=1) / count
    found = slope_between(np.nanmean(asked, axis=1), y[there], errors)
    return {"levels": float(len(count)), **found._asdict()}


def _means_of(table: Matrix, same: Codes) -> Matrix:
    """The mean of the known values of each cluster's rows."""
    names, codes = np.unique(same, return_inverse=True)
    sums, counts = (np.zeros((len(names), table.shape[1])) for _ in range(2))
    np.add.at(sums, codes, np.nan_to_num(table))
    np.add.at(counts, codes, ~np.isnan(table))
    means: Matrix = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means


def _centred(answers: SurveyAnswers) -> Matrix:
    """Exact agreement, person × question, less the mean of each question: people may be asked different ones."""
    table = np.column_stack(list(agreement(answers, SCORE).by_question.values()))
    return np.asarray(table - np.nanmean(table, axis=0), dtype=float)


def _of_same_people(table: Matrix, of: SurveyAnswers, to: SurveyAnswers) -> Matrix:
    """A person × question table for the people and questions of other answers; NaN where they are not in it."""
    frame = pd.DataFrame(table, index=of.people["persona_id"], columns=list(of.questions))
    there = frame.reindex(index=to.people["persona_id"], columns=list(to.questions))
    return np.asarray(there, dtype=float)


def _smallest_clusters(answers: SurveyAnswers, smallest: SurveyAnswers) -> Codes:
    """The clusters that people are in by the smaller set of traits; −1 for people who were not asked with it."""
    cluster = pd.Series(smallest.cluster, index=smallest.people["persona_id"])
    return np.asarray(cluster.reindex(answers.people["persona_id"]).fillna(-1), dtype=np.int64)


def _fidelity(answers: SurveyAnswers) -> Floats:
    """Each person's exact agreement, less the mean of each question: people are asked different ones."""
    table = agreement(answers, SCORE).by_question
    centred = np.array([values - np.nanmean(values) for values in table.values()])
    overall = float(np.mean([np.nanmean(values) for values in table.values()]))
    count = (~np.isnan(centred)).sum(axis=0)
    means: Floats = np.divide(np.nansum(centred, axis=0), count, out=np.full(centred.shape[1], np.nan), where=count > 0)
    return means + overall


def _fidelity_change(answers: SurveyAnswers, smallest: SurveyAnswers | None) -> Floats | None:
    """The same less that beside the smallest set of traits, for the people of both."""
    if smallest is None:
        return None
    before = pd.Series(_fidelity(smallest), index=smallest.people["persona_id"])
    change: Floats = _fidelity(answers) - np.asarray(before.reindex(answers.people["persona_id"]), dtype=float)
    return change


def _delta(part: Part, answers: SurveyAnswers) -> tuple[str, Floats | None]:
    """Each person's Δ beside the same traits, by the measure that resolves most, less the mean of each item.

    NaN for a person without one.
    """
    scores = part.clean.scores
    own = scores[part.clean.alone | (scores["traits"].astype(str) == answers.shown)] if "traits" in scores else scores
    measure = part.measures[-1]
    cells = part.of(own[~is_twin(own["persona_id"])]).pairs(measure)
    if not len(cells.person):
        return measure, None
    of_item = np.bincount(cells.item, weights=cells.d) / np.maximum(np.bincount(cells.item), 1)
    means = cells.by_persona(cells.d - of_item[cells.item]) + cells.d.mean()
    by_name = pd.Series(means, index=cells.people["persona_id"].astype(str))
    return measure, np.asarray(by_name.reindex(answers.people["persona_id"]), dtype=float)


def _point(x: Floats, delta: Floats, weight: Floats, cluster: Codes) -> dict[str, float]:
    """The means of both, their standard errors over clusters, and the correlation of these; NaN under five clusters."""
    values: Matrix = np.column_stack([x, delta])
    mean = weight @ values / weight.sum()
    sums = np.stack([np.bincount(cluster, weights=weight * each) for each in (values - mean).T], axis=1)
    count = len(np.unique(cluster))
    row = {"fidelity": float(mean[0]), "effect": float(mean[1])}
    if count < HIDDEN_UNDER:
        return {**row, "fidelity_error": math.nan, "effect_error": math.nan, "correlation": math.nan}
    covariance: NDArray[np.float64] = count / (count - 1) * sums.T @ sums / weight.sum() ** 2
    one, two = np.sqrt(np.diag(covariance))
    correlation = float(covariance[0, 1] / (one * two)) if one * two > 0 else 0.0
    return {**row, "fidelity_error": float(one), "effect_error": float(two), "correlation": correlation}

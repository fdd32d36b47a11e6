"""Spread: whether a model flattens the people within a group, and exaggerates what sets groups apart."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.fidelity.grouped_answers import GroupedAnswers, as_answered, total_variances
from scoring.fidelity.people_intervals import clustered_variance
from scoring.fidelity.second_sample import Pool, SecondSample
from scoring.fidelity.survey_answers import AskedQuestion, SurveyAnswers
from scoring.statistics.clustered_errors import NO_INTERVAL, Interval, t_interval
from scoring.statistics.levels import hidden_levels, is_missing, levels_of
from scoring.statistics.pairs import Codes

LEAST_RATIO = 0.1  # a ratio of spreads nearer to 0 has no interval whose coverage was shown
LEAST_CLUSTERS = 30
NOTHING = 1e-15  # a variance of rounding alone
SPREAD_DRAWS = 300
SURE = 0.95  # of the second samples differ between levels


def spread_rows(
    answers: SurveyAnswers,
    pool: Pool,
    pool_levels: Mapping[str, Sequence[str]],
    attributes: Sequence[str],
    seed: int,
) -> Iterator[dict[str, object]]:
    """A row an attribute, as `fidelity_spread` has them; only where no asked trait is shown.

    `within` is the variance of the model's answers within the levels over that of the people's, with its interval: 1
    is as in people, 0 is everybody alike. Near 0 there is no interval; `within_p` is how often a second sample of the
    people is as flat. `between_model` and `between_people` are ε² (Kelley 1935), the share of the variance that is
    between levels, 0 on average where they do not differ; `between_over` is their difference with its interval;
    `exaggeration` their ratio, only where people do differ,
    and `between_p` how often a second sample differs as much as the model. `order` is Kendall's τ between the levels'
    means in the model's answers and in the people's, averaged over the ordinal questions. Questions count alike: each
    is scaled by the people's variance. `pool_levels` are the levels of all respondents, by attribute.
    """
    if not answers.hides:
        return
    for attribute in attributes:
        levels = levels_of(answers.people, attribute)
        sizes = levels.value_counts()
        out = hidden_levels(sizes)
        names = [str(name) for name in sorted(sizes.index) if name not in out and not is_missing(str(name))]
        codes, of_pool = _codes(levels, names), _codes(pool_levels[attribute], names)
        scales = total_variances(answers.questions, answers.weight, codes)
        if len(names) > 1 and scales:
            samples = [pool.draws(answers, codes == at, of_pool == at, seed + at) for at in range(len(names))]
            yield {"attribute": attribute, "levels": float(len(names)), **_row(answers, pool, codes, scales, samples)}


def _codes(levels: Sequence[str], names: Sequence[str]) -> Codes:
    """The number of each level; −1 for one that is left out."""
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(str(level), -1) for level in levels], dtype=np.int64)


def _row(
    answers: SurveyAnswers, pool: Pool, codes: Codes, scales: Mapping[str, float], samples: Sequence[SecondSample]
) -> dict[str, float]:
    levels = len(samples)
    model = GroupedAnswers(answers.questions, answers.weight, codes, levels, scales)
    people = GroupedAnswers(as_answered(answers.questions), answers.weight, codes, levels, scales)
    drawn = [_of_draw(answers, pool, samples, draw, scales) for draw in range(SPREAD_DRAWS)]
    within, between, order = (
        np.array(each) for each in zip(*((one.within, one.epsilon, one.order(people)) for one in drawn), strict=True)
    )
    low, high = _ratio_interval(model, people, answers)
    over = _difference(model, people, answers)
    differ = people.epsilon > 0 and (between > 0).mean() > SURE
    return {
        "personas": float((codes >= 0).sum()),
        "within": model.within / people.within if people.within > 0 else math.nan,
        "within_low": low,
        "within_high": high,
        "within_p": _share(within <= model.within + 1e-12),
        "between_model": model.epsilon,
        "between_people": people.epsilon,
        "between_over": model.epsilon - people.epsilon,
        "between_over_low": over.low,
        "between_over_high": over.high,
        "between_reference": float(np.nanmean(between)),
        "exaggeration": model.epsilon / people.epsilon if differ else math.nan,
        "between_p": _share(between >= model.epsilon - 1e-12),
        "order": model.order(people),
        "order_reference": float(np.nanmean(order)) if (~np.isnan(order)).any() else math.nan,
    }


def _ratio_interval(model: GroupedAnswers, people: GroupedAnswers, answers: SurveyAnswers) -> tuple[float, float]:
    """The interval of the ratio of two variances of the same people: on the log scale, by their influence values."""
    ours, theirs, asked = model.within, people.within, people.asked
    cluster = answers.cluster[asked]
    if theirs <= 0 or ours < LEAST_RATIO * theirs or len(np.unique(cluster)) < LEAST_CLUSTERS:
        return math.nan, math.nan
    size = len(answers.people)
    log = (model.influence(size) / ours - people.influence(size) / theirs)[asked] * len(asked)
    _, variance, _ = clustered_variance(log, np.ones(len(asked)), cluster)
    found = t_interval(math.log(ours / theirs), variance)
    return math.exp(found.low), math.exp(found.high)


def _difference(model: GroupedAnswers, people: GroupedAnswers, answers: SurveyAnswers) -> Interval:
    """The interval of a difference of two ε² of the same people, by their influence values.

    Where levels hardly differ, ε² is quadratic in chance, and this variance is about twice the true one (Efron & Stein
    1981): the interval is then too wide, never too narrow.
    """
    asked = model.asked
    cluster = answers.cluster[asked]
    if len(np.unique(cluster)) < LEAST_CLUSTERS:
        return NO_INTERVAL
    size = len(answers.people)
    moved = (model.epsilon_influence(size) - people.epsilon_influence(size))[asked] * len(asked)
    _, variance, _ = clustered_variance(moved, np.ones(len(asked)), cluster)
    return t_interval(model.epsilon - people.epsilon, variance) if variance.value > NOTHING else NO_INTERVAL


def _of_draw(
    answers: SurveyAnswers, pool: Pool, samples: Sequence[SecondSample], draw: int, scales: Mapping[str, float]
) -> GroupedAnswers:
    """The answers of one second sample, level by level."""
    rows = [sample.people(draw) for sample in samples]
    everybody = np.concatenate(rows)
    codes = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    questions = {}
    for name, question in answers.questions.items():
        own = pool.own[name][everybody]
        there = np.flatnonzero(own >= 0)
        shares = np.eye(question.options)[own[there]]
        questions[name] = AskedQuestion(question.trait, there, shares, own[there], question.visible)
    return GroupedAnswers(questions, np.ones(len(everybody)), codes, len(rows), scales)


def _share(as_extreme: NDArray[np.bool_]) -> float:
    """How often, the answers themselves counted."""
    return (1 + int(as_extreme.sum())) / (1 + len(as_extreme))

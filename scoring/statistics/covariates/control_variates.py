"""Δ of a model that was asked a part of the crossing, made surer by one that was asked all of it.

Two control variates have mean zero whatever the cheap model is worth, for they compare only its own answers: those to
what the dear model was asked with those to everything, of the same people; and those of these people with those of the
others. Subtracting λ times each leaves Δ unbiased and takes away what the two models share: two-phase regression
(Cochran 1977, chapter 12), as in PPI++ (Angelopoulos, Duchi & Zrnic 2023). Each fifth of the people is corrected by the
λ of the others, so that λ is not tuned to the errors that it corrects.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import (
    LEAST_GROUPS,
    LEVEL,
    UNKNOWN,
    Interval,
    Matrix,
    Variance,
    cell_variance,
    joined,
    one_way,
    satterthwaite,
    t_interval,
)
from scoring.statistics.codes import clustered
from scoring.statistics.covariates.prediction_powered import folds
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats

LEAST_CLUSTERS = 10  # of people whom the dear model was asked about, below which λ is 0


@dataclass(frozen=True, slots=True)
class DeltaWithin:
    """Δ with its intervals: for people like these on these items, and for items like these too."""

    effect: float
    people: Interval
    items: Interval


@dataclass(frozen=True, slots=True)
class Covaried:
    """Δ with a cheap model's answers, and `alone`: without them, from the same answers of the dear one.

    `personas` were asked of the dear model, `everybody` of the cheap one. `tuning_answers` is λ of the answers within a
    person, `tuning_people` that of the people whom the dear model was not asked about; 0 trusts the cheap model not at
    all.
    """

    personas: int
    everybody: int
    covaried: DeltaWithin
    alone: DeltaWithin
    tuning_answers: float
    tuning_people: float

    @property
    def saves(self) -> float:
        """The share of the dear model's answers that is saved for an interval as narrow: 1 − (error / error alone)².

        For people like these; below 0 where λ cost more than the cheap model was worth, NaN without an interval.
        """
        error, alone = self.covaried.people.error, self.alone.people.error
        return 1 - (error / alone) ** 2 if error > 0 and alone > 0 else math.nan


@dataclass(frozen=True)
class PeopleRows:
    """Some people: weight, persona cluster, and `whole`.

    `whole` has a row a person and a column an item group: what the cheap model's scores add to the person's mean over
    everything that it was asked.
    """

    weight: Floats
    cluster: Codes
    whole: Matrix

    def mean(self) -> tuple[float, Variance]:
        """The weighted mean over these people; UNKNOWN of fewer than two clusters."""
        if not len(self.weight):
            return 0.0, UNKNOWN
        sums = (self.weight * self.whole.sum(axis=1), self.weight)
        total, share = (np.bincount(self.cluster, weights=each).astype(np.float64) for each in sums)
        return float(total.sum() / share.sum()), one_way(total, share)


@dataclass(frozen=True)
class TwoPhase:
    """`known`: the people whom both models were asked about; `others`, whom the cheap one alone was.

    `d`, `share` and `told` belong to the known: Σ d / Σ share is a person's Δ by the dear model, `told` the same sum of
    the cheap model's scores on the same answers. Cheap scores are less their item's mean.
    """

    known: PeopleRows
    others: PeopleRows
    d: Matrix
    share: Matrix
    told: Matrix

    def estimate(self, wording: Variance, noise: Variance, level: float = LEVEL, seed: int = 0) -> Covaried:
        """Δ with and without the cheap model.

        `wording` is the variance of Δ by its wordings, `noise` that of the dear model's baseline: nothing that a cheap
        model could take away.
        """
        tuning = self._cross_fitted(seed)
        with_it, alone = (self._delta(each, wording, noise, level) for each in (tuning, np.zeros_like(tuning)))
        answers, people = (float(np.average(each, weights=self.known.weight)) for each in tuning.T)
        personas = len(self.known.weight)
        return Covaried(personas, personas + len(self.others.weight), with_it, alone, answers, people)

    def _cross_fitted(self, seed: int) -> Matrix:
        """λ of each known person (answers, people), from the clusters of the other folds; shape (known, 2)."""
        found = np.zeros((len(self.known.weight), 2))
        if len(np.unique(self.known.cluster)) < LEAST_CLUSTERS:
            return found
        doubt = self.others.mean()[1].value
        means = np.stack([each.sum(axis=1) for each in (self.d, self.told - self.known.whole, self.known.whole)])
        for inside in folds(self.known.cluster, seed):
            found[inside] = self._tuning(means[:, ~inside], ~inside, doubt)
        return found

    def _tuning(self, means: Matrix, rows: NDArray[np.bool_], doubt: float) -> Floats:
        """λ that leaves Δ the least variance, over the clusters of some rows, whose `means` are of d and both variates.

        What clusters add to Δ is regressed on what they add to the control variates, where that of the people costs the
        `doubt` about the others' mean, too.
        Each λ is shrunk by 1 − 1/t², its positive part: where the models share nothing it is 0 and costs nothing.
        """
        weight = self.known.weight[rows] / self.known.weight[rows].sum()
        sums = clustered((weight * (means - (means @ weight)[:, None])).T, self.known.cluster[rows])
        y, x = sums[:, 0], sums[:, 1:]
        square = x.T @ x
        square[1, 1] += doubt * rows.sum() / len(rows)
        usable = np.isfinite(np.diag(square)) & (np.diag(square) > 1e-12 * float(y @ y))
        found = np.zeros(2)
        freedom = len(y) - 1 - int(usable.sum())
        if not usable.any() or freedom < 1:
            return found
        inverse = np.linalg.pinv(square[np.ix_(usable, usable)])
        tuned = inverse @ (x.T @ y)[usable]
        doubts = np.diag(inverse) * float(((y - x[:, usable] @ tuned) ** 2).sum()) / freedom
        found[usable] = tuned * np.maximum(0.0, 1 - doubts / np.maximum(tuned**2, 1e-300))
        return found

    def _delta(self, tuning: Matrix, wording: Variance, noise: Variance, level: float) -> DeltaWithin:
        known, others = self.known, self.others
        answers, people = tuning[:, :1], tuning[:, 1:]
        total = known.weight[:, None] * (self.d - answers * (self.told - known.whole) - people * known.whole)
        share = known.weight[:, None] * self.share
        trust = float(np.average(tuning[:, 1], weights=known.weight))
        scale = trust * known.weight.sum() / others.weight.sum() if trust else 0.0
        beside = scale * others.weight[:, None] * others.whole
        effect = float((total.sum() + beside.sum()) / share.sum())
        rows = clustered(total, known.cluster), clustered(share, known.cluster)
        of_people = one_way(rows[0].sum(axis=1), rows[1].sum(axis=1))
        if trust:
            of_others = others.mean()[1]
            of_people = of_people.plus(Variance(trust**2 * of_others.value, of_others.freedom))
            of_people = of_people._replace(value=of_people.value + self._shared(total, share, beside))
        everything = self._crossed(rows, beside, of_people, effect)
        narrow = t_interval(effect, of_people.plus(wording).plus(noise), level)
        return DeltaWithin(effect, narrow, joined(t_interval(effect, everything.plus(wording), level), narrow))

    def _shared(self, total: Matrix, share: Matrix, beside: Matrix) -> float:
        """Twice the covariance of both parts of Δ, where people of both read the same text; not below 0."""
        own = total.sum(axis=1) - total.sum() / share.sum() * share.sum(axis=1)
        weight = self.others.weight / self.others.weight.sum()
        theirs = beside.sum(axis=1) - beside.sum() * weight
        size = int(max(self.known.cluster.max(initial=0), self.others.cluster.max(initial=0))) + 1
        codes = ((self.known.cluster, own), (self.others.cluster, theirs))
        one, two = (np.bincount(code, weights=each, minlength=size) for code, each in codes)
        return max(0.0, float(2 * (one @ two) / share.sum() ** 2))

    def _crossed(self, rows: tuple[Matrix, Matrix], beside: Matrix, people: Variance, effect: float) -> Variance:
        """For items like these too: V_people + V_groups − V_both (Cameron, Gelbach & Miller 2011).

        V_both is that of the answers of the dear model alone: what cells of the cheap one add is left in, which is
        cautious.
        """
        total, share = rows
        if (share > 0).any(axis=0).sum() < LEAST_GROUPS:
            return UNKNOWN
        groups = one_way(total.sum(axis=0) + beside.sum(axis=0), share.sum(axis=0))
        cells = np.where(share > 0, total - effect * share, 0.0) / share.sum()
        value = max(people.value + groups.value - cell_variance(cells, share), people.value, groups.value)
        return Variance(value, satterthwaite(value, people, groups))

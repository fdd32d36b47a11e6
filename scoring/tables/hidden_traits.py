"""Trait inference in the report: how well hidden answers are told, beside majorities and a regression.

Its trials have no baseline without a persona, so there is no Δ: the scores are absolute, with intervals over people.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.errors import InputError
from personas.people.respondents import Respondents
from personas.stable_order import rank
from personas.traits import Trait
from scoring.benchmarks.trait_inference import ORDINAL_PART, TOLD_PARTS, positions
from scoring.statistics.clustered_errors import LEVEL, Variance, t_interval
from scoring.statistics.levels import ALL, HIDDEN_UNDER
from scoring.statistics.pairs import Scores, factorized, parts
from scoring.statistics.weights import weighted_mean
from scoring.tables.trait_baselines import BASELINES, predictions, told

MODEL, REFERENCE = "told", "logistic"
PREDICTORS = (MODEL, *BASELINES)
MEANS = ("exact", "ordinal")
WEIGHT = "persona_weight"
MOST_LEARNT = 5_000
DRAWS = 1_000
Floats = NDArray[np.float64]


def asks_traits(scores: pd.DataFrame) -> bool:
    """Whether there is anything to put into the table."""
    return "trait" in scores and bool(scores["benchmark"].isin(TOLD_PARTS).any())


def trait_table(scores: Scores, everyone: Respondents, visible: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """A row a model, part, trait and score: `told` with its 95 % interval over people, the baselines, and the `gain`.

    `everyone` are the respondents that the asked ones were drawn from: the baselines learn from those who were not
    asked (5,000 at most), and see the `visible` traits less the hidden one. The scores are `exact` (accuracy),
    `ordinal` (1 − the mean distance on the 0-1 scale; the part of that name has it from the letters' probabilities) and
    `wasserstein` (1-Wasserstein distance between the distributions told and true; 0 is best). All are by persona
    weight. Intervals cluster people who read the same: t for means; percentiles of a bootstrap over clusters for
    `wasserstein`. The gain is over the regression, positive where the model is better. Under five people the numbers
    are withheld.
    """
    rows = [
        part.clean.scores.assign(**{WEIGHT: part.weights_of(part.clean.scores["persona_id"])})
        for part in parts(scores)
        if part.benchmark in TOLD_PARTS
    ]
    if not rows:
        return pd.DataFrame()
    frame = pd.concat(rows, ignore_index=True)
    frame = frame.assign(chosen=frame["chosen_by_probability"].fillna(frame["chosen_by_text"]))
    keep = ("model", "benchmark", "cluster", "value", WEIGHT)
    answers = told(frame, everyone, MODEL, keep=keep).dropna(subset=[MODEL])
    if answers.empty:
        return pd.DataFrame()
    answers = answers.merge(_baselines(answers, everyone, visible, seed), on=["persona_id", "trait"], how="left")
    answers = _scored(answers, everyone)
    found = []
    for (model, benchmark), part in answers.groupby(["model", "benchmark"], observed=True):
        for trait, of_trait in ((ALL, part), *part.groupby("trait")):
            head = {"model": str(model), "benchmark": str(benchmark), "trait": str(trait)}
            found += [{**head, **row} for row in _rows(of_trait, everyone.traits.get(str(trait)), seed)]
    return pd.DataFrame(found)


def _baselines(answers: pd.DataFrame, everyone: Respondents, visible: Sequence[str], seed: int) -> pd.DataFrame:
    """Every baseline's code for each person and trait asked; without any where nobody is left to learn from."""
    asked = everyone.frame["persona_id"].isin(answers["persona_id"])
    test, rest = everyone.take(np.flatnonzero(asked)), everyone.frame["persona_id"][~asked]
    order = sorted(rest.index, key=lambda row: rank(seed, rest[row]))
    train = everyone.take(order[:MOST_LEARNT])
    found = [pd.DataFrame(columns=["persona_id", "trait", *BASELINES])]
    for trait in answers["trait"].unique():
        try:
            found.append(predictions(train, test, trait, visible)[["persona_id", "trait", *BASELINES]])
        except InputError:  # nobody else answered it: its scores stand alone
            continue
    return pd.concat(found, ignore_index=True)


def _scored(answers: pd.DataFrame, everyone: Respondents) -> pd.DataFrame:
    """With a column "SCORE PREDICTOR" for each mean and predictor; NaN where the trait is nominal or there is none."""
    names = [name for name in answers["trait"].unique() if everyone.traits[name].ordinal]
    traits = {name: everyone.traits[name] for name in names}
    places = {(name, code): place for name in names for code, place in _places(traits[name]).items()}
    where = pd.MultiIndex.from_frame(answers[["trait", "gold"]])
    gold = pd.Series(where.map(places), index=answers.index, dtype=float)
    columns: dict[str, pd.Series] = {}
    for name in PREDICTORS:
        code = answers[name].astype(float)
        columns[f"exact {name}"] = (code == answers["gold"]).astype(float).where(code.notna())
        keys = pd.MultiIndex.from_arrays([answers["trait"], code])
        place = pd.Series(keys.map(places), index=answers.index, dtype=float)
        columns[f"ordinal {name}"] = 1 - (place - gold).abs()
    by_probability = answers["benchmark"] == ORDINAL_PART
    columns[f"ordinal {MODEL}"] = columns[f"ordinal {MODEL}"].mask(by_probability, answers["value"])
    columns[f"exact {MODEL}"] = columns[f"exact {MODEL}"].mask(by_probability)
    return answers.assign(**columns)


def _places(trait: Trait) -> dict[int, float]:
    return dict(zip(trait.labels, positions(trait), strict=True))


def _rows(answers: pd.DataFrame, trait: Trait | None, seed: int) -> Iterator[dict[str, object]]:
    """The scores of one trait, or of all (None)."""
    found = {name: _means(answers, name) for name in MEANS if answers[f"{name} {MODEL}"].notna().any()}
    if trait is not None and trait.ordinal:
        found["wasserstein"] = _distances(answers, trait, seed)
    people, clusters = answers["persona_id"].nunique(), answers["cluster"].nunique()
    for name, numbers in found.items():
        row = {"personas": float(people), "clusters": float(clusters), **numbers}
        yield {"score": name, **(row if people >= HIDDEN_UNDER else dict.fromkeys(row, math.nan))}


def _means(answers: pd.DataFrame, score: str) -> dict[str, float]:
    """Weighted means over people of the means over their answers."""
    columns = {name: f"{score} {name}" for name in PREDICTORS}
    kept = answers[answers[columns[MODEL]].notna()]
    of_people = kept.groupby("persona_id", observed=True)
    means = of_people[list(columns.values())].mean()
    cluster, weight = factorized(of_people["cluster"].first()), of_people[WEIGHT].first().to_numpy(dtype=float)
    low, high = _interval(means[columns[MODEL]].to_numpy(), weight, cluster)
    gain = (means[columns[MODEL]] - means[columns[REFERENCE]]).to_numpy()
    bounds = dict(zip(("gain_low", "gain_high"), _interval(gain, weight, cluster), strict=True))
    own, *others = (weighted_mean(means[columns[name]].to_numpy(), weight) for name in PREDICTORS)
    baselines = dict(zip(BASELINES, others, strict=True))
    difference = float(weight @ gain / weight.sum())
    return {MODEL: own, "low": low, "high": high, **baselines, "gain": difference, **bounds}


def _interval(values: Floats, weight: Floats, cluster: NDArray[np.int64]) -> tuple[float, float]:
    """mean ± t · √V with V = G/(G−1) Σ_c (Σ_{p in c} w_p (v_p − mean))² / (Σw)²; NaN without variance to judge by."""
    mean = float(weight @ values / weight.sum())
    residual = np.bincount(cluster, weights=weight * (values - mean))
    size = len(residual)
    variance = size / (size - 1) * float(residual @ residual) / weight.sum() ** 2 if size > 1 else math.nan
    found = t_interval(mean, Variance(variance if variance > 0 else math.nan, size - 1))
    return found.low, found.high


def _distances(answers: pd.DataFrame, trait: Trait, seed: int) -> dict[str, float]:
    """1-Wasserstein distances of the distributions that each predictor tells to the true one."""
    places = _places(trait)
    order = sorted(places, key=places.__getitem__)
    steps = np.diff([places[code] for code in order])
    cluster = factorized(answers["cluster"])
    size = int(cluster.max()) + 1
    random = np.random.default_rng(seed)
    weights = np.vstack([np.ones(size), random.multinomial(size, np.full(size, 1 / size), size=DRAWS)])
    own_weight = answers[WEIGHT].to_numpy(dtype=float)
    shares = {name: _cumulated(answers[name], own_weight, order, cluster, weights) for name in ("gold", *PREDICTORS)}
    distances = {name: np.abs(shares[name] - shares["gold"])[:, :-1] @ steps for name in PREDICTORS}
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    gain = distances[REFERENCE] - distances[MODEL]
    low, high = np.percentile(distances[MODEL][1:], tails)
    gain_low, gain_high = np.percentile(gain[1:], tails)
    own, *others = (float(distances[name][0]) for name in PREDICTORS)
    baselines = dict(zip(BASELINES, others, strict=True))
    bounds = {"gain_low": float(gain_low), "gain_high": float(gain_high)}
    return {MODEL: own, "low": float(low), "high": float(high), **baselines, "gain": float(gain[0]), **bounds}


def _cumulated(
    codes: pd.Series, own: Floats, order: Sequence[int], cluster: NDArray[np.int64], weights: Floats
) -> Floats:
    """Cumulative shares of the codes by persona weight, draw × code; NaN where nothing was predicted."""
    counts = np.zeros((weights.shape[1], len(order)))
    for place, code in enumerate(order):
        here = (codes == code).to_numpy()
        counts[:, place] = np.bincount(cluster[here], weights=own[here], minlength=len(counts))
    drawn: Floats = weights @ counts
    total = drawn.sum(axis=1, keepdims=True)
    return np.cumsum(np.divide(drawn, total, out=np.full_like(drawn, np.nan), where=total > 0), axis=1)

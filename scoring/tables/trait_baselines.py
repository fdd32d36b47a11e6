"""What trait inference is measured against: majorities and a regression, and the paper's slices.

Every function works on codes of `Respondents`; a negative code is a missing answer and is never predicted.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax

from personas.errors import InputError
from personas.people.respondents import Respondents
from personas.traits import Trait
from scoring.answers.distances import ordinal_wasserstein
from scoring.benchmarks.trait_inference import positions

Matrix = NDArray[np.float64]
BASELINES = ("majority", "country_majority", "logistic")
PENALTY = 1.0


def split(respondents: Respondents, seed: int, test: float = 0.2) -> tuple[Respondents, Respondents]:
    """(train, test) by respondent, from sha256(seed, persona id): the same on every machine and for every trait."""
    shares = np.array([_share(seed, each) for each in respondents.frame["persona_id"]])
    return respondents.take(np.flatnonzero(shares >= test)), respondents.take(np.flatnonzero(shares < test))


def _share(seed: int, persona_id: str) -> float:
    digest = hashlib.sha256(f"{seed}\x1f{persona_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def predictions(train: Respondents, test: Respondents, target: str, visible: Sequence[str]) -> pd.DataFrame:
    """Every baseline's code for each test respondent who answered the target trait.

    Columns: persona_id, country, trait, gold, and one per baseline. `logistic` is a multinomial regression on the
    visible traits, one-hot, with an L2 penalty. Raises InputError where a side has nobody who answered.
    """
    visible = [name for name in visible if name != target]
    learn, ask = (side.frame[side.frame[target] >= 0] for side in (train, test))
    if learn.empty or ask.empty:
        raise InputError(f"trait {target!r} has no respondents to learn from and to ask; name another target")
    majority = _majority(learn[target])
    of_country = learn.groupby(learn["country"].astype(str))[target].agg(_majority)
    classes, gold = np.unique(learn[target], return_inverse=True)
    table = pd.concat([learn[visible], ask[visible]])
    features = pd.get_dummies(table.astype("category"), dtype=float).to_numpy()
    weights = fit_logistic(features[: len(learn)], gold, len(classes))
    best = _scores(weights, features[len(learn) :]).argmax(axis=1)
    return pd.DataFrame(
        {
            "persona_id": ask["persona_id"].to_numpy(),
            "country": ask["country"].astype(str).to_numpy(),
            "trait": target,
            "gold": ask[target].to_numpy(),
            "majority": majority,
            "country_majority": ask["country"].astype(str).map(of_country).fillna(majority).astype(int).to_numpy(),
            "logistic": classes[best],
        }
    )


def told(frame: pd.DataFrame, respondents: Respondents, name: str = "model", keep: Sequence[str] = ()) -> pd.DataFrame:
    """A model's answers as a table like that of `predictions`, with its codes in the column `name`.

    `frame` has a row a score: persona_id, trait, chosen (an option number, NaN where nothing was read). Rows of nobody,
    and of respondents who did not answer the trait themselves, are left out; `keep` names columns to take over. Merge
    with the baselines on persona_id and trait.
    """
    people = respondents.frame.set_index("persona_id")
    rows = []
    for trait, answers in frame[frame["persona_id"].isin(people.index)].groupby("trait", observed=True):
        codes = dict(enumerate(respondents.traits[str(trait)].labels))
        of_people = people.loc[answers["persona_id"]]
        table = {
            "persona_id": answers["persona_id"].astype(str).to_numpy(),
            "country": of_people["country"].astype(str),
        }
        gold = of_people[str(trait)].to_numpy()
        kept = {column: answers[column].to_numpy() for column in keep}
        chosen = answers["chosen"].map(codes).to_numpy()
        rows.append(pd.DataFrame({**table, "trait": str(trait), "gold": gold, name: chosen, **kept}))
    if not rows:
        return pd.DataFrame(columns=["persona_id", "country", "trait", "gold", name, *keep])
    every = pd.concat(rows, ignore_index=True)
    return every[every["gold"] >= 0].reset_index(drop=True)


def _majority(codes: pd.Series) -> int:
    """The most frequent code; of several, the least."""
    return int(codes.value_counts().sort_index().idxmax())


def fit_logistic(features: Matrix, gold: NDArray[np.int64], classes: int, penalty: float = PENALTY) -> Matrix:
    """Multinomial logistic regression: weights of shape (features + 1, classes), the last row the intercepts.

    Minimises the summed negative log-likelihood + penalty/2 · the squared weights, intercepts excepted (L-BFGS).
    """
    extended = csr_array(np.hstack([features, np.ones((len(features), 1))]))  # one-hot rows are mostly zeros
    truth = np.eye(classes)[gold]
    shape = (extended.shape[1], classes)

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        weights = flat.reshape(shape)
        logs = log_softmax(extended @ weights, axis=1)
        shrunk = weights.copy()
        shrunk[-1] = 0
        gradient = extended.T @ (np.exp(logs) - truth) + penalty * shrunk
        return float(-(truth * logs).sum() + penalty / 2 * (shrunk**2).sum()), gradient.ravel()

    start = np.zeros(shape[0] * shape[1])
    options = {"maxiter": 2000, "gtol": 1e-6 * len(gold), "ftol": 1e-10}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    result: Matrix = found.x.reshape(shape)
    return result


def _scores(weights: Matrix, features: Matrix) -> Matrix:
    scores: Matrix = features @ weights[:-1] + weights[-1]
    return scores


def trait_scores(predicted: pd.Series, gold: pd.Series, trait: Trait) -> dict[str, float]:
    """Exact, ordinal and Wasserstein scores of predicted codes; rows without a prediction (NaN) are left out.

    `exact` is accuracy; `ordinal` 1 − the mean distance on the 0-1 scale; `wasserstein` the 1-Wasserstein distance
    between the distributions of predicted and of true answers (0 is best). The last two are NaN for a nominal trait.
    """
    kept = predicted.notna()
    told, true = predicted[kept].astype(int), gold[kept].astype(int)
    result = {"exact": float((told == true).mean()), "ordinal": float("nan"), "wasserstein": float("nan")}
    if trait.ordinal and len(told):
        places = dict(zip(trait.labels, positions(trait), strict=True))
        result["ordinal"] = 1 - float((told.map(places) - true.map(places)).abs().mean())
        counts = ([float((side == code).sum()) for code in places] for side in (told, true))
        result["wasserstein"] = ordinal_wasserstein(list(places.values()), *counts)
    return result | {"n": float(len(told))}


def score_table(table: pd.DataFrame, traits: dict[str, Trait], by: Sequence[str] = ("trait",)) -> pd.DataFrame:
    """`trait_scores` for each cell of `by` (must hold "trait") and each predictor: the columns of `table` beyond
    persona_id, country, trait and gold, such as the baselines and a model's answers."""
    known = {"persona_id", "country", "trait", "gold"}
    predictors = [name for name in table.columns if name not in known]
    rows = []
    for cell, part in table.groupby(list(by), observed=True):
        named = dict(zip(by, cell if isinstance(cell, tuple) else (cell,), strict=True))
        for predictor in predictors:
            rows.append(named | {"by": predictor} | trait_scores(part[predictor], part["gold"], traits[named["trait"]]))
    return pd.DataFrame(rows)


def slices(table: pd.DataFrame, traits: dict[str, Trait]) -> dict[str, pd.DataFrame]:
    """The paper's two axes that need no embeddings.

    within_population: each country's demographic traits, told from the rest (education from values, say).
    across_cultures: each value trait by country, with every country's distance to the mean of all (`gap`).
    """
    uses = table["trait"].map({name: trait.use for name, trait in traits.items()})
    within = score_table(table[uses == "demographic"], traits, by=("country", "trait"))
    across = score_table(table[uses == "value"], traits, by=("trait", "country"))
    if len(across):
        across["gap"] = across["exact"] - across.groupby(["trait", "by"])["exact"].transform("mean")
    return {"within_population": within, "across_cultures": across}

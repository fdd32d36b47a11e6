"""What trait inference is measured against: majorities and a regression.

Every function works on codes of `Respondents`; a negative code is a missing answer and is never predicted.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax

from personas.errors import InputError
from personas.people.respondents import Respondents

Matrix = NDArray[np.float64]
BASELINES = ("majority", "country_majority", "logistic")
PENALTY = 1.0


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

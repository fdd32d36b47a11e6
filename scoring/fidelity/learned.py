"""What can be learned: the same answers told by regression or boosted trees from the same visible traits.

How a question is predicted is chosen by cross-validation among those learned from: ordinal logistic regression (a
logistic model of each threshold, Frank & Hall 2001; multinomial where the options are no scale) at two penalties, and
gradient boosting. Nobody's answer is predicted from a fit that used it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.people.respondents import Respondents
from scoring.benchmarks.trait_inference import survey_options
from scoring.fidelity.survey_answers import AskedQuestion, Matrix, option_numbers
from scoring.statistics.pairs import Codes

LEAST_LEARNT, MOST_LEARNT = 100, 3_000
OUTER, INNER = 5, 3
PENALTIES = (0.03, 0.3)  # scikit-learn's C
FLOOR = 1e-6


class Teller(Protocol):
    """What learns to tell answers: an estimator of scikit-learn, or like one."""

    def fit(self, features: Any, answers: Codes) -> Any:
        """Learn."""
        ...

    def predict_proba(self, features: Any) -> Matrix:
        """The probability of each class that was learned, a row a person."""
        ...

    @property
    def classes_(self) -> Codes:
        """The classes, in the order of the columns."""
        ...


def is_installed() -> bool:
    """Whether scikit-learn is there."""
    try:
        import sklearn  # noqa: F401  (takes a second, so only where it is needed)
    except ImportError:
        return False
    return True


def learned_shares(
    question: AskedQuestion, asked: Sequence[str], everyone: Respondents, teachers: NDArray[np.bool_], seed: int
) -> Matrix:
    """The probability of each option for those who were asked (by persona id, a row an answer of the question).

    `teachers` are the rows of `everyone` that may be learned from. Those who were asked are left out; where fewer than
    a hundred others answered, they are predicted in five folds instead, each from the others. NaN where there is nobody
    to learn from.
    """
    frame = everyone.frame
    own = option_numbers(frame[question.trait.name].to_numpy(), list(survey_options(question.trait)))
    row = dict(zip(frame["persona_id"].astype(str), range(len(frame)), strict=True))
    at = np.array([row[each] for each in asked])
    features = visible_features(everyone, question.visible)
    found = np.full((len(at), question.options), np.nan)
    import sklearn.ensemble  # noqa: F401  (what is not loaded yet could not be limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # tables this small take ten times as long where threads wait for each other
        for fold, learners in _folds(at, np.flatnonzero(teachers & (own >= 0)), seed):
            if len(learners) < LEAST_LEARNT or len(np.unique(own[learners])) < 2:
                continue
            teller = chosen(features.iloc[learners], own[learners], question.places is not None, seed)
            found[fold] = _placed(teller, features.iloc[at[fold]], question.options)
    return found


def _folds(asked: Codes, teachers: Codes, seed: int) -> Iterator[tuple[Codes, Codes]]:
    """(places of those asked whose answers are predicted, rows learned from)."""
    random = np.random.default_rng(seed)
    others = np.setdiff1d(teachers, asked)
    if len(others) >= LEAST_LEARNT or not np.isin(asked, teachers).any():
        yield np.arange(len(asked)), random.permutation(others)[:MOST_LEARNT]
        return
    fold = random.permutation(len(asked)) % OUTER
    for number in range(OUTER):
        here = np.flatnonzero(fold == number)
        yield here, random.permutation(np.setdiff1d(teachers, asked[here]))[:MOST_LEARNT]


def visible_features(everyone: Respondents, visible: Sequence[str]) -> pd.DataFrame:
    """The visible traits: ordinal ones as numbers, others as categories; NaN where an answer is missing."""
    frame = everyone.frame
    columns = {}
    for name in visible:
        if name in frame and name != "country":
            codes = frame[name].where(frame[name] >= 0).astype(float)
            trait = everyone.traits[name]
            columns[name] = codes if trait.ordinal or trait.scale else codes.astype("category")
    if "country" in visible:
        columns["country"] = frame["country"].astype(str).astype("category")
    return pd.DataFrame(columns, index=frame.index)


def chosen(features: pd.DataFrame, answers: Codes, ordinal: bool, seed: int) -> Teller:
    """The teller of the least log loss in cross-validation, fitted to all."""
    from sklearn.model_selection import KFold

    tellers = candidates(features, ordinal, seed)
    if not len(features.columns):
        return tellers[0].fit(features, answers) or tellers[0]
    losses = np.zeros(len(tellers))
    for inside, outside in KFold(INNER, shuffle=True, random_state=seed).split(features):
        for number, teller in enumerate(tellers):
            teller.fit(features.iloc[inside], answers[inside])
            shares = _placed(teller, features.iloc[outside], int(answers.max()) + 1)
            right = shares[np.arange(len(outside)), answers[outside]]
            losses[number] -= np.log(np.maximum(right, FLOOR)).sum()
    best = tellers[int(losses.argmin())]
    best.fit(features, answers)
    return best


def candidates(features: pd.DataFrame, ordinal: bool, seed: int) -> list[Teller]:
    """The ways of telling that are tried; without a visible trait only how often each option is chosen."""
    from sklearn.compose import ColumnTransformer
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if not len(features.columns):
        return [DummyClassifier(strategy="prior")]
    numbers = [name for name in features if features[name].dtype == float]
    rest = [name for name in features if name not in numbers]
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    coded = OneHotEncoder(handle_unknown="ignore", min_frequency=5)
    table = ColumnTransformer([("numbers", scaled, numbers), ("rest", coded, rest)])
    found: list[Teller] = []
    for penalty in PENALTIES:
        plain = make_pipeline(table, LogisticRegression(C=penalty, max_iter=500))
        found.append(Thresholds(plain) if ordinal else plain)
    trees = HistGradientBoostingClassifier(
        max_iter=40, learning_rate=0.1, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False, random_state=seed
    )
    return [*found, trees.set_params(categorical_features="from_dtype")]


class Thresholds:
    """Ordinal regression as one binary model for each threshold of the scale (Frank & Hall 2001).

    P(option k) is the difference of neighbouring P(above k), which are made to fall with k.
    """

    def __init__(self, binary: Any) -> None:
        self._binary = binary
        self.classes_: Codes = np.zeros(0, dtype=np.int64)
        self._models: list[Any] = []

    def fit(self, features: Any, answers: Codes) -> "Thresholds":
        """A model for each class but the last: is the answer above it?"""
        from sklearn.base import clone

        self.classes_ = np.unique(answers)
        self._models = [clone(self._binary).fit(features, answers > each) for each in self.classes_[:-1]]
        return self

    def predict_proba(self, features: Any) -> Matrix:
        """A row a person, a column a class."""
        above = np.column_stack([model.predict_proba(features)[:, 1] for model in self._models])
        edges = np.minimum.accumulate(above, axis=1)
        one, none = np.ones((len(edges), 1)), np.zeros((len(edges), 1))
        shares: Matrix = -np.diff(np.hstack([one, edges, none]), axis=1)
        return shares


def _placed(teller: Teller, features: pd.DataFrame, options: int) -> Matrix:
    """The probabilities in the columns of the options; an option that nobody chose has none."""
    found = np.zeros((len(features), options))
    found[:, teller.classes_] = teller.predict_proba(features)
    return found

"""What people answer, from a model's answers corrected by those of a part of the people; the others check it."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.fidelity.survey_answers import AskedQuestion, SurveyAnswers
from scoring.statistics.covariates.prediction_powered import (
    Corrected,
    People,
    corrected_mean,
    people_needed,
    people_needed_alone,
    people_to_ask,
)
from scoring.statistics.levels import hidden_levels
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats

LEAST_KNOWN = 20
WANTED = 0.03
MEAN = "mean position"


def corrected_rows(answers: SurveyAnswers, known: float, seed: int) -> Iterator[dict[str, object]]:
    """A row a question and option, and one for the mean position on an ordinal scale, as `fidelity_corrected` has them.

    The own answers of a `known` share of the people (whole clusters, by the seed) are used; `held_out` is what the
    others answered in truth. `people_needed` is how many own answers would make the estimate known to ± 3 points,
    `people_to_ask` how many that is beyond the known ones, and `people_needed_alone` how many without the model.
    Options that fewer than five people chose are left out, and a second one where they could be worked out.
    """
    is_known = _known_people(answers.cluster, known, seed)
    for name, question in answers.questions.items():
        here = is_known[question.person]
        if here.sum() < LEAST_KNOWN or (~here).sum() < LEAST_KNOWN:
            continue
        for quantity, told, own in _quantities(question, here):
            weight, cluster = answers.weight[question.person], answers.cluster[question.person]
            ours = People(told[here], weight[here], cluster[here], own[here])
            theirs = People(told[~here], weight[~here], cluster[~here])
            found = corrected_mean(ours, theirs, seed=seed)
            if found is not None:
                truth = float(np.average(own[~here], weights=weight[~here]))
                yield {"trait": name, "quantity": quantity, **_row(found, len(ours), len(theirs), truth)}


def _known_people(cluster: Codes, share: float, seed: int) -> NDArray[np.bool_]:
    """Whose own answers are used: clusters at random until the share is reached."""
    names, sizes = np.unique(cluster, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    return np.isin(cluster, names[order[before < share * len(cluster)]])


def _quantities(question: AskedQuestion, known: NDArray[np.bool_]) -> Iterator[tuple[str, Floats, Floats]]:
    """(what it is, the model's answer, the own answer): an option's share, or the mean position."""
    counts = np.minimum(*(np.bincount(question.own[each], minlength=question.options) for each in (known, ~known)))
    hidden = hidden_levels(pd.Series(counts + 1e-9, index=[str(each) for each in range(question.options)]))
    labels = list(question.labels)
    for option in range(question.options):
        if str(option) not in hidden:
            yield labels[option], question.shares[:, option], (question.own == option).astype(float)
    if question.places is not None:
        yield MEAN, question.shares @ question.places, question.places[question.own]


def _row(found: Corrected, known: int, unknown: int, truth: float) -> dict[str, float]:
    return {
        "known": float(known),
        "unknown": float(unknown),
        "estimate": found.value,
        "low": found.low,
        "high": found.high,
        "human": found.human,
        "human_low": found.human_low,
        "human_high": found.human_high,
        "tuning": found.tuning,
        "effective": found.effective,
        "people_needed": people_needed(found, WANTED),
        "people_to_ask": people_to_ask(found, WANTED),
        "people_needed_alone": people_needed_alone(found, WANTED),
        "held_out": truth,
    }

"""Does telling a trait change the answers, whatever they score? p(y | t) ≠ p(y), for traits that are told at random."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array

from scoring.robustness.answer_shift import PERMUTATIONS, chosen_options, questions_asked
from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.pairs import WORDING, Codes, Part, factorized
from scoring.statistics.weights import Floats

LEAST_PEOPLE = 6  # told and not told: below them no permutation is rare enough
_BLOCK = 100


class Relevance(NamedTuple):
    """How far answers told a trait are from answers not told it: total variation distance, the mean over questions.

    `moved_by_chance` is the median of it where told is dealt anew, `moved_p` the share of these at least as far.
    """

    moved: float
    moved_by_chance: float
    moved_p: float


UNTESTED = Relevance(np.nan, np.nan, np.nan)


def relevance(part: Part, names: Sequence[str], seed: int = 0) -> dict[str, Relevance]:
    """The relevance of each trait, on these items, without weights.

    Which of a person's texts tell the trait is exchanged, all other traits as they are, because that is how it was
    drawn. An answer that several people who read the same share counts once.
    """
    if not {"chosen_by_text", "chosen_by_probability"} <= set(part.scores):
        return dict.fromkeys(names, UNTESTED)
    own = part.clean.scores
    own = own[own["persona_id"] != ""]
    own = own.assign(chosen=chosen_options(own))
    own = own[own["chosen"] >= 0]
    same = ["told_text", "item_id", "rotation", *(name for name in (*WORDING, "replicate") if name in own)]
    own = own.drop_duplicates(same)  # people who read the same got one answer between them
    if own.empty:
        return dict.fromkeys(names, UNTESTED)
    key = own["persona_id"].astype(str) + "\x1f" + own["told_text"].astype(str)
    unit = factorized(key)
    first = np.unique(unit, return_index=True)[1]
    person, texts = factorized(own["persona_id"].astype(str).iloc[first]), own["told"].astype(str).iloc[first]
    answers = _answers(unit, questions_asked(own), own["chosen"].to_numpy())
    orders = _orders(person, seed)
    told = {name: np.array([name in text.split(", ") for text in texts], dtype=float) for name in names}
    return {name: _tested(told[name], person, answers, orders) for name in names}


def _answers(unit: Codes, place: Codes, chosen: Codes) -> tuple[csr_array, int]:
    """Unit × (question and option): how many answers; and how many options."""
    options = int(chosen.max()) + 1
    shape = (int(unit.max()) + 1, (int(place.max()) + 1) * options)
    return coo_array((np.ones(len(unit)), (unit, place * options + chosen)), shape=shape).tocsr(), options


def _orders(person: Codes, seed: int) -> Codes:
    """Permutations of the units within people, a row each."""
    random = np.random.default_rng(seed)
    home = np.argsort(person, kind="stable")
    orders = np.empty((PERMUTATIONS, len(person)), dtype=np.int64)
    for row in orders:
        row[home] = np.lexsort((random.random(len(person)), person))
    return orders


def _tested(told: Floats, person: Codes, answers: tuple[csr_array, int], orders: Codes) -> Relevance:
    mean = np.bincount(person, weights=told) / np.bincount(person)
    if ((mean > 0) & (mean < 1)).sum() < LEAST_PEOPLE:
        return UNTESTED
    observed = float(_distance(told[None, :], answers)[0])
    null = np.concatenate(
        [_distance(told[orders[start : start + _BLOCK]], answers) for start in range(0, len(orders), _BLOCK)]
    )
    p = float((1 + (null >= observed * (1 - 1e-9)).sum()) / (1 + len(null)))
    return Relevance(observed, float(np.median(null)), p)


def _distance(told: Matrix, answers: tuple[csr_array, int]) -> Floats:
    """The mean total variation distance for each row of `told`, over questions with answers of both kinds."""
    matrix, options = answers
    beside = (told @ matrix).reshape(len(told), -1, options)
    whole = np.asarray(matrix.sum(axis=0)).reshape(-1, options)
    other = whole - beside
    counts, others = beside.sum(axis=2), other.sum(axis=2)
    both = (counts > 0) & (others > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        far = np.abs(beside / counts[..., None] - other / others[..., None]).sum(axis=2) / 2
    found: Floats = np.where(both, far, 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    return found

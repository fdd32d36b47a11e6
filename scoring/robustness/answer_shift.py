"""How far the answers move as a distribution, whatever they score, beside what would move where nobody is described."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.codes import compacted, first_rows, linked, varies
from scoring.statistics.pairs import WORDING, Codes, Part, Scores, factorized, parts
from scoring.statistics.weights import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEUTRAL, BASELINE = "the neutral text", "the baseline"
PERMUTATIONS = 999
LEAST_UNITS = 6  # persona clusters below which no order of signs is rare enough
_BLOCK = 50
_KEYS = ("persona_id", "item_id", "rotation", "replicate", "frame", "placement", "traits")


def shift_table(scores: Scores, seed: int = 0) -> pd.DataFrame:
    """A row per model, benchmark and what is `against`: mean total variation distance over questions and orders.

    `moved` is ½ Σ over options |share with personas − share without|. Against the neutral text each persona's answer
    stands beside the same respondent's control, and `moved_by_chance` (the median) and `p` come from exchanging both,
    jointly for all who read the same; against a baseline that was drawn several times, from dealing all answers of a
    question and order anew, people who read the same being one. Where no answer is drawn, nothing moves by chance and
    there is no test. Without weights.
    """
    rows = []
    for part in parts(scores):
        if not {"chosen_by_text", "chosen_by_probability"} <= set(part.scores):
            continue
        for found in (_against_neutral(part, seed), _against_baseline(part, seed)):
            if found is not None:
                rows.append({"model": part.model, "benchmark": part.benchmark, **found})
    return pd.DataFrame(rows)


def chosen_options(rows: pd.DataFrame) -> Codes:
    """The option that the value is of, −1 where none was read."""
    by_text, likeliest = (pd.to_numeric(rows[f"chosen_by_{name}"]) for name in ("text", "probability"))
    return np.asarray(likeliest.fillna(by_text).fillna(-1), dtype=np.int64)


def _against_neutral(part: Part, seed: int) -> dict[str, object] | None:
    if not part.control.any():
        return None
    scores = part.scores.assign(chosen=chosen_options(part.scores))
    scores = scores[scores["chosen"] >= 0]
    keys = [name for name in _KEYS if name in scores]
    control = scores[part.control.loc[scores.index]].drop_duplicates(keys)
    own = scores[~(part.alone | part.control | part.twins).loc[scores.index]]
    both = own.merge(control[[*keys, "chosen", "cluster"]], on=keys, suffixes=("", "_control"))
    if both.empty:
        return None
    sides = both[["cluster", "cluster_control"]]
    answers = (both["chosen"].to_numpy(), both["chosen_control"].to_numpy())
    found = exchanged(sides, questions_asked(both), *answers, seed)
    return {"against": NEUTRAL, "answers": len(both), **found}


def exchanged(clusters: pd.DataFrame, place: Codes, chosen: Codes, other: Codes, seed: int) -> dict[str, float]:
    """How far one side's answers are from the other's, and what exchanging both sides gives.

    Both answer the same question (`place`) in each row; all who read the same on either side (the columns of
    `clusters`) are exchanged jointly.
    """
    one, two = (factorized(clusters[name].astype(str)) for name in clusters)
    moved = _Moves.of(_linked(one, two), place, chosen, other)
    found = _tested(moved.shift(np.ones((1, moved.units))), moved.flipped(seed), moved.units)
    return {"clusters": moved.units, **found}


def _linked(one: Codes, two: Codes) -> Codes:
    """Units of people who read the same persona, or the same control, which would move together."""
    return np.unique(linked(one, two), return_inverse=True)[1].astype(np.int64)


def questions_asked(rows: pd.DataFrame) -> Codes:
    """A number for each question, order and wording."""
    names = ["item_id", "rotation", *(name for name in WORDING if name in rows and name != "format")]
    return np.asarray(rows.groupby(names, observed=True, sort=False).ngroup(), dtype=np.int64)


@dataclass(frozen=True)
class _Moves:
    """Of each unit, at each place and option: how many more answers with personas than without.

    By the place's answers; and how many places there are.
    """

    matrix: "csr_array"
    places: int

    @classmethod
    def of(cls, unit: Codes, place: Codes, chosen: Codes, without: Codes) -> "_Moves":
        from scipy.sparse import coo_array

        options, places = int(max(chosen.max(), without.max())) + 1, int(place.max()) + 1
        answers = np.bincount(place, minlength=places)[place].astype(float)
        rows, values = np.r_[unit, unit], np.r_[1 / answers, -1 / answers]
        columns = np.r_[place * options + chosen, place * options + without]
        shape = (int(unit.max()) + 1, places * options)
        return cls(coo_array((values, (rows, columns)), shape=shape).tocsr(), places)

    @property
    def units(self) -> int:
        return int(self.matrix.shape[0])

    def shift(self, signs: Matrix) -> Floats:
        """The mean distance with each unit's sides as they were (1) or exchanged (−1), a row of signs each."""
        found: Floats = np.abs(signs @ self.matrix).sum(axis=1) / (2 * self.places)
        return found

    def flipped(self, seed: int) -> Floats:
        random = np.random.default_rng(seed)
        sizes = [min(_BLOCK, PERMUTATIONS - start) for start in range(0, PERMUTATIONS, _BLOCK)]
        return np.concatenate([self.shift(random.choice([-1.0, 1.0], (size, self.units))) for size in sizes])


def _against_baseline(part: Part, seed: int) -> dict[str, object] | None:
    """All answers of a place are dealt anew between the baseline and the persona clusters: one answer a cluster."""
    scores, alone, chosen = part.clean.scores, part.clean.alone.to_numpy(), chosen_options(part.clean.scores)
    turns = int(scores["rotation"].max()) + 1 if len(scores) else 1
    asked = factorized(scores["item_id"]) * turns + scores["rotation"].to_numpy()
    read, size = chosen >= 0, int(asked.max(initial=-1)) + 1
    without, with_persona = (np.bincount(asked[read & side], minlength=size) > 0 for side in (alone, ~alone))
    rows = np.flatnonzero(read & (without & with_persona)[asked])
    if not len(rows):
        return None
    asked, chosen, alone = asked[rows], chosen[rows], alone[rows]
    once = alone | _is_first(scores, rows, asked)
    clusters = int(scores["cluster"].iloc[rows[~alone]].nunique())
    place, chosen, alone = pd.factorize(asked[once])[0], chosen[once], alone[once]
    places, options = int(place.max()) + 1, int(chosen.max()) + 1
    sides = [
        np.bincount(place[side] * options + chosen[side], minlength=places * options).reshape(places, options)
        for side in (alone, ~alone)
    ]
    several = scores["sampled"].iloc[rows] if "sampled" in scores else sides[0].sum(axis=1) > 1
    drawn = bool(several.any())
    head = {"against": BASELINE, "answers": int((~alone).sum()), "clusters": clusters}
    shift = np.array([_distance(sides[0], sides[1]).mean()])
    if not drawn:
        return {**head, "moved": float(shift[0]), "moved_by_chance": 0.0, "p": np.nan}
    if np.median(sides[0].sum(axis=1)) < 2:
        return {**head, "moved": float(shift[0]), "moved_by_chance": np.nan, "p": np.nan}
    return {**head, **_tested(shift, _dealt(sides[0], sides[1], seed), clusters)}


def _is_first(scores: pd.DataFrame, rows: Codes, asked: Codes) -> NDArray[np.bool_]:
    """Which of some rows are the first of their persona cluster to what was asked, by replicate and wording."""
    same = np.zeros(len(rows), dtype=np.int64)
    for name in ("cluster", *(each for each in ("replicate", *WORDING) if each in scores and varies(scores[each]))):
        own = factorized(scores[name])[rows]
        same = compacted(same * (int(own.max()) + 1) + own)[1]
    found = np.zeros(len(rows), dtype=bool)
    found[first_rows(compacted(same * (int(asked.max()) + 1) + asked)[1])] = True
    return found


def _distance(without: Codes, with_persona: Codes) -> Floats:
    """Total variation distance of counts, along the last axis."""
    one, two = (each / each.sum(axis=-1, keepdims=True) for each in (without, with_persona))
    found: Floats = np.abs(one - two).sum(axis=-1) / 2
    return found


def _dealt(without: Codes, with_persona: Codes, seed: int) -> Floats:
    """The mean distance where the answers of each place are dealt anew: multivariate hypergeometric counts."""
    random = np.random.default_rng(seed)
    sums = np.zeros(PERMUTATIONS)
    for base, people in zip(without, with_persona, strict=True):
        dealt = random.multivariate_hypergeometric(base + people, int(base.sum()), PERMUTATIONS)
        sums += _distance(dealt, base + people - dealt)
    return sums / len(without)


def _tested(shift: Floats, null: Floats, units: int) -> dict[str, float]:
    """The observed order counts as one of the permutations."""
    p = float((1 + (null >= shift[0] * (1 - 1e-9)).sum()) / (1 + len(null))) if units >= LEAST_UNITS else np.nan
    return {"moved": float(shift[0]), "moved_by_chance": float(np.median(null)), "p": p}

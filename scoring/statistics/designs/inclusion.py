"""What adaptive rounds asked of whom, and a person's whole row of answers as the part that was asked estimates it.

A person p is asked item group g in round s with a chance π that depends on earlier rounds' answers alone. What a round
says of the person's answer to an item is an estimate that is right on average (Des Raj 1956): the answer where it was
known before, m + (d − m)/π where it was drawn in this round, m where it was not. m is the mean of the other people's
answers so far, which the person's own draw does not move. Rounds are averaged with weights that are fixed beforehand.
So every cell of the crossing has an estimate that is unbiased, whose errors are independent between people but for what
others' means share, which grows less with every person: Δ, its parts and its clustered variance are those of a full
crossing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.people.pseudonyms import TWIN

Round = Mapping[str, Mapping[str, float]]  # persona id → item group → its chance, of those that were drawn
Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Matrix = NDArray[np.float64]
ROUND, CHANCE, ASKED, PLANNED = "asked_round", "inclusion", "rounds_asked", "rounds_planned"
COLUMNS = (ROUND, CHANCE, ASKED, PLANNED)
_LATER = 0.75  # costs 2 % at most where items vary alike, and saves more where they do not
_PRIOR = 1.0  # how many answers the mean over all items counts among those to one


@dataclass(frozen=True)
class AskedCells:
    """In which round each cell was asked (0: in none) with what chance; each person's rounds so far, of how many.

    `number` and `chance` are person × item.
    """

    number: Codes
    chance: Matrix
    asked: Codes
    planned: Codes


def is_drawn(scores: pd.DataFrame) -> bool:
    """Whether some of these scores were drawn with unequal chances, and what was not drawn is still to be asked."""
    return PLANNED in scores and bool((scores[ASKED] < scores[PLANNED]).any())


def equally_drawn(scores: pd.DataFrame) -> pd.DataFrame:
    """The baseline and the first round, in which every item group had one chance; without the columns of rounds."""
    kept = (scores["persona_id"] == "") | (scores[ROUND] == 1)
    return scores[kept.to_numpy()].drop(columns=list(COLUMNS))


def with_rounds(
    scores: pd.DataFrame, rounds: Mapping[tuple[str, int], Round], planned: int, groups: Sequence[str]
) -> pd.DataFrame:
    """The scores of one model and benchmark with the `COLUMNS`, NaN in the baseline and outside of the rounds.

    `rounds` are those that were drawn, by level and number, of `planned`; a round that was not answered whole is none
    yet. Where all `groups` were asked of everybody whatever was drawn, the rest counts as the last round.
    """
    person = scores["persona_id"].astype("category").cat
    names = [str(name).split(TWIN)[0] for name in person.categories]
    drawn = {name for one in rounds.values() for name in one}
    people = {name: place for place, name in enumerate(sorted(drawn.union(names)))}
    columns = {name: place for place, name in enumerate(sorted({*groups, *scores["group"].astype(str).unique()}))}
    row = np.array([people[name] for name in names], dtype=np.int64)[person.codes.to_numpy()]
    column = scores["group"].astype(str).map(columns).to_numpy(dtype=np.int64)
    answered = np.zeros((len(people), len(columns)), dtype=bool)
    answered[row, column] = True
    number, chance = np.full(answered.shape, np.nan), np.full(answered.shape, np.nan)
    asked, last = np.full(len(people), np.nan), dict[str, int]()
    for level, place in sorted(rounds):
        cells = [(people[name], columns[each]) for name, own in rounds[level, place].items() for each in own]
        own_rows, own_columns = np.array(cells, dtype=np.int64).reshape(-1, 2).T
        if last.get(level, 0) != place - 1 or not answered[own_rows, own_columns].all():
            continue
        last[level] = place
        number[own_rows, own_columns] = place
        chance[own_rows, own_columns] = [each for own in rounds[level, place].values() for each in own.values()]
        asked[[people[name] for name in rounds[level, place]]] = place
    everybody = [people[name] for name in sorted(drawn)]
    if answered[np.ix_(everybody, [columns[name] for name in sorted(set(groups))])].all():
        rest = np.isnan(number[everybody])
        number[everybody] = np.where(rest, planned, number[everybody])
        chance[everybody] = np.where(rest, 1.0, chance[everybody])
        asked[everybody] = planned
    told = np.where((scores["persona_id"] == "").to_numpy(), np.nan, number[row, column])
    there = ~np.isnan(told)
    values = (told, chance[row, column], asked[row], float(planned))
    return scores.assign(**{name: np.where(there, each, np.nan) for name, each in zip(COLUMNS, values, strict=True)})


def gain(number: int, planned: Codes) -> Floats:
    """How much of what is left to know the round takes: its weight in the average of the rounds up to it.

    Rounds are weighed by the inverse of the variance that they have where all chances are equal, of which those after
    the first are taken to have `_LATER`; the last one knows everything.
    """
    rest = np.maximum(planned - number, 1)  # rounds after this one; one of them where it is the last
    first, own = 1 / np.maximum(planned - 1, 1), planned / (rest * (rest + 1))
    known = first + (number / rest - first) / _LATER
    found: Floats = np.where(number == 1, 1.0, own / _LATER / known)
    return np.where(number >= planned, 1.0, found)


def row_weights(scores: pd.DataFrame) -> Floats:
    """How many answers each row stands for: what its d counts in the person's estimate. 0 outside of the rounds.

    1 in the baseline and where nothing was drawn.
    """
    weights = np.ones(len(scores))
    if PLANNED not in scores:
        return weights
    person = (scores["persona_id"] != "").to_numpy()
    known = scores[ROUND].notna().to_numpy()
    weights[person & ~known] = 0.0
    rows = np.flatnonzero(person & known)
    columns = (scores[name].to_numpy(dtype=float)[rows] for name in COLUMNS)
    number, chance, asked, planned = columns
    keys, place = np.unique(np.stack([number, asked, planned]), axis=1, return_inverse=True)
    for code, (own, until, of) in enumerate(keys.T.astype(np.int64).tolist()):
        of_round = np.array([of])
        later = float(np.prod([1 - gain(each, of_round)[0] for each in range(own + 1, until + 1)]))
        here = place.ravel() == code
        weights[rows[here]] = gain(own, of_round)[0] * later / chance[here] + 1 - later
    return weights


def whole_rows(d: Matrix, cells: AskedCells, cluster: Codes) -> Matrix:
    """Person × item: an unbiased estimate of every d, from those that were asked; NaN in `d` was not, or not read.

    An answer that was asked for and not read counts as the mean of the other people's.
    """
    answered = ~np.isnan(d)
    found = np.zeros(d.shape)
    for number in range(1, int(cells.asked.max(initial=0)) + 1):
        seen = answered & (cells.number >= 1) & (cells.number <= number)
        mean = others_means(np.where(seen, d, 0.0), seen, cluster)
        rest = np.where(seen, d - mean, 0.0)
        drawn = mean + np.where(cells.number == number, rest / cells.chance, rest)
        step = np.where(cells.asked >= number, gain(number, cells.planned), 0.0)
        found += step[:, None] * (drawn - found)
    return found


def others_means(d: Matrix, seen: NDArray[np.bool_], cluster: Codes) -> Matrix:
    """Each item's mean over the answers of the other persona clusters, drawn to that over all items where few are."""
    size = int(cluster.max(initial=-1)) + 1
    sums, counts = np.zeros((size, d.shape[1])), np.zeros((size, d.shape[1]))
    np.add.at(sums, cluster, d)
    np.add.at(counts, cluster, seen.astype(float))
    total, count = sums.sum(axis=0) - sums, counts.sum(axis=0) - counts
    everything = total.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
    mean: Matrix = (total + _PRIOR * everything[:, None]) / (count + _PRIOR)
    return mean[cluster]


def estimated(
    rows: pd.DataFrame, place: tuple[Codes, Codes], d: Floats, base: Matrix, cluster: Codes
) -> tuple[Codes, Codes, Floats, Floats]:
    """A cell for every person, and item with a baseline: person, item, y and b, from the pairs that were drawn.

    `rows` has a score of each pair, `place` its person and item, `base` the baseline by item and rotation; `cluster` is
    of each person.
    """
    size = (len(cluster), len(base))
    whole, chance, number = np.full(size, np.nan), np.ones(size), np.zeros(size, dtype=np.int64)
    asked, planned = np.zeros(size[0], dtype=np.int64), np.ones(size[0], dtype=np.int64)
    whole[place], chance[place], number[place] = d, rows[CHANCE], rows[ROUND].astype(np.int64)
    asked[place[0]], planned[place[0]] = rows[ASKED].astype(np.int64), rows[PLANNED].astype(np.int64)
    there = ~np.isnan(base)
    b = np.where(there, base, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    kept = np.flatnonzero(there.any(axis=1))
    cells = AskedCells(number[:, kept], chance[:, kept], asked, planned)
    estimate = whole_rows(whole[:, kept], cells, cluster).ravel()
    person, item = np.repeat(np.arange(size[0]), len(kept)), np.tile(kept, size[0])
    return person, item, b[item] + estimate, b[item]

"""Differential item functioning: items on which a level's people move differently than the level does overall."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.levels import columns_of, hidden_levels, is_missing, levels_of
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.pairs import Cells, Scores, parts
from scoring.statistics.weights import Floats

LEAST_EXPECTED = 5.0  # people of either side who are expected to move differently than most


def item_difference_table(scores: Scores, attributes: Sequence[str], min_n: int = 20) -> pd.DataFrame:
    """A row per model, benchmark, attribute, level and item that could be tested, by the option chosen.

    `difference` is how much further the level's people move on the item than everybody else's, beyond the gap that the
    level has over all items; `p` is a t test over persona clusters, `q` Benjamini & Hochberg's over all levels and
    items of the attribute. Without weights. An item is tested where at least five persona clusters of the level, and
    five of the others, would move differently than most if both moved alike; and a level as in the table of gaps.
    """
    columns = ["model", "benchmark", "attribute", "level", "item_id", "clusters", "difference", "p", "q"]
    rows: list[pd.DataFrame] = []
    for part in parts(scores, columns_of(attributes)):
        pairs = part.pairs()
        for attribute in attributes if len(pairs.person) else ():
            levels = [each for each in _of_attribute(pairs, attribute, min_n) if len(each)]
            if levels:
                found = pd.concat(levels, ignore_index=True)
                head = {"model": part.model, "benchmark": part.benchmark, "attribute": attribute}
                rows.append(found.assign(**head, q=adjusted(found["p"].to_numpy())[1]))
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame()


def _of_attribute(pairs: Cells, attribute: str, min_n: int) -> Iterator[pd.DataFrame]:
    """The tested items of each level that is tested."""
    levels = levels_of(pairs.people, attribute)
    sizes = levels.value_counts()
    hidden = hidden_levels(sizes)
    tested = [str(name) for name, size in sizes.sort_index().items() if size >= min_n]
    tested = [name for name in tested if name not in hidden and not is_missing(name)]
    if len(sizes) < 2 or not tested:
        return
    unit_level, moved = _by_unit(pairs, levels)
    rest = _residuals(moved)
    departing = _departing(moved)
    names = pairs.items["item_id"].astype(str).to_numpy()
    for name in tested:
        inside = unit_level == name
        difference, p, count = _compared(rest, inside, departing)
        there = ~np.isnan(p)
        values = {"clusters": count[there].astype(np.int64), "difference": difference[there], "p": p[there]}
        yield pd.DataFrame({"level": name, "item_id": names[there], **values})


def _by_unit(pairs: Cells, levels: pd.Series) -> tuple[NDArray[np.object_], Matrix]:
    """The level of each unit, which is a persona cluster at a level, and its mean d of each item; NaN: not asked."""
    keys = pd.DataFrame({"cluster": pairs.cluster, "level": levels.to_numpy()})
    grouped = keys.groupby(["cluster", "level"], sort=False)
    unit = grouped.ngroup().to_numpy()
    names = keys.drop_duplicates()["level"].to_numpy(dtype=object)
    items, count = len(pairs.items), len(names)
    place = unit[pairs.person] * items + pairs.item
    sums = np.bincount(place, weights=pairs.d, minlength=count * items)
    times = np.bincount(place, minlength=count * items)
    mean = np.divide(sums, times, out=np.full(len(sums), np.nan), where=times > 0)
    return names, mean.reshape(count, items)


def _residuals(moved: Matrix) -> Matrix:
    """D less the item's mean and less how the unit moves over all its items: what is left is unit × item."""
    there = ~np.isnan(moved)
    zero = np.where(there, moved, 0.0)
    rest = zero - zero.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    rest = np.where(there, rest, 0.0)
    own = rest.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    found: Matrix = np.where(there, rest - own[:, None], np.nan)
    return found


def _departing(moved: Matrix) -> Floats:
    """For each item, the share of units that move differently than most do."""
    found = np.zeros(moved.shape[1])
    for item, column in enumerate(np.round(moved, 9).T):
        known = column[~np.isnan(column)]
        if len(known):
            found[item] = 1 - np.unique(known, return_counts=True)[1].max() / len(known)
    return found


def _compared(rest: Matrix, inside: NDArray[np.bool_], departing: Floats) -> tuple[Floats, Floats, Floats]:
    """Difference of means, its p and the units inside, an item each; the larger of the pooled and Welch's error."""
    there = ~np.isnan(rest)
    counts, means, squares = [], [], []
    for side in (inside, ~inside):
        count = there[side].sum(axis=0).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(there[side], rest[side], 0.0).sum(axis=0) / count
        counts.append(count)
        means.append(mean)
        squares.append((np.where(there[side], rest[side] - mean, 0.0) ** 2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        own = [square / (count - 1) / count for square, count in zip(squares, counts, strict=True)]
        freedom = counts[0] + counts[1] - 2
        pooled = (squares[0] + squares[1]) / freedom * (1 / counts[0] + 1 / counts[1])
        welch = own[0] + own[1]
        spread = welch**2 / (own[0] ** 2 / (counts[0] - 1) + own[1] ** 2 / (counts[1] - 1))
        freedom = np.where(welch > pooled, spread, freedom)
        t = (means[0] - means[1]) / np.sqrt(np.maximum(pooled, welch))
        p = 2 * special.stdtr(freedom, -np.abs(t))
    enough = departing * np.minimum(counts[0], counts[1]) >= LEAST_EXPECTED
    return means[0] - means[1], np.where(enough, p, np.nan), counts[0]

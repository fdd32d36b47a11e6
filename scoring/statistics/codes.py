"""Numbers in the place of names, 0 … n − 1, and what they tell of rows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Matrix = NDArray[np.float64]


def compacted(codes: Codes) -> tuple[Codes, Codes]:
    """The distinct codes in order and each one's place among them; without a sort where they are dense."""
    size = int(codes.max(initial=-1)) + 1
    if size > 8 * len(codes):
        distinct, inverse = np.unique(codes, return_inverse=True)
        return distinct, inverse
    seen = np.zeros(size, dtype=bool)
    seen[codes] = True
    if seen.all():
        return np.arange(size), codes
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[codes]


def varies(column: pd.Series) -> bool:
    """Whether there are two different values or more, of those that are not missing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.codes[column.notna().to_numpy()]
    elif not pd.api.types.is_integer_dtype(column.dtype):
        return bool(column.nunique() > 1)
    values = column.to_numpy()
    return bool((values != values[0]).any()) if len(values) else False  # a tenth of the time of counting them


def first_rows(codes: Codes) -> Codes:
    """The row where each code is first seen."""
    first = np.full(int(codes.max(initial=-1)) + 1, len(codes), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # the last to be written is the first row
    return first


def clustered(rows: Matrix, cluster: Codes) -> Matrix:
    """Rows of the same cluster added up."""
    names, codes = np.unique(cluster, return_inverse=True)
    if len(names) == len(rows):
        return rows
    sums = np.zeros((len(names), *rows.shape[1:]))
    np.add.at(sums, codes, rows)
    return sums


def linked(one: Codes, two: Codes) -> Codes:
    """A number for each row, equal where a chain of shared values links the rows.

    Row i has the values one[i] and two[i], each a code from 0.
    """
    from scipy.sparse import coo_array  # takes half as long to load as pandas
    from scipy.sparse.csgraph import connected_components

    size = int(one.max(initial=-1)) + 1
    nodes = size + int(two.max(initial=-1)) + 1
    links = coo_array((np.ones(len(one), dtype=np.int8), (one, size + two)), shape=(nodes, nodes))
    found: Codes = connected_components(links, directed=False)[1][one]
    return found

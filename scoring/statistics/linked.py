"""What belongs together because it shares something, however indirectly."""

import numpy as np

from scoring.statistics.pairs import Codes


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

"""Looking at many subgroups: adjusted p-values."""

import numpy as np

from scoring.statistics.weights import Floats


def adjusted(p_values: Floats) -> tuple[Floats, Floats]:
    """Holm's (1979) adjusted p and Benjamini & Hochberg's (1995) q; a NaN is no test and stays NaN.

    statsmodels has both, behind a second of imports and a collection of all garbage at every call.
    """
    holm, q = np.full(len(p_values), np.nan), np.full(len(p_values), np.nan)
    order = np.argsort(p_values)[: int((~np.isnan(p_values)).sum())]  # NaN sorts last
    ascending, rank = p_values[order], np.arange(1, len(order) + 1)
    holm[order] = np.minimum(1.0, np.maximum.accumulate((len(order) - rank + 1) * ascending))
    q[order] = np.minimum(1.0, np.minimum.accumulate((len(order) / rank * ascending)[::-1])[::-1])
    return holm, q

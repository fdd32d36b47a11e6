"""Looking at many subgroups: adjusted p-values."""

import numpy as np

from scoring.statistics.weights import Floats


def adjusted(p_values: Floats) -> tuple[Floats, Floats]:
    """Holm's (1979) adjusted p and Benjamini & Hochberg's (1995) q; a NaN is no test and stays NaN."""
    from scipy.stats import false_discovery_control  # a second of imports, and only a report needs it

    holm, q = np.full(len(p_values), np.nan), np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    if len(tested):
        # statsmodels has Holm's too, and collects garbage at every call, a fifth of a report's time
        ordered = tested[np.argsort(p_values[tested], kind="stable")]
        steps = p_values[ordered] * np.arange(len(ordered), 0, -1)
        holm[ordered] = np.minimum(np.maximum.accumulate(steps), 1.0)
        q[tested] = false_discovery_control(p_values[tested])
    return holm, q

"""Looking at many subgroups: adjusted p-values."""

import numpy as np

from scoring.statistics.weights import Floats


def adjusted(p_values: Floats) -> tuple[Floats, Floats]:
    """Holm's (1979) adjusted p and Benjamini & Hochberg's (1995) q; a NaN is no test and stays NaN."""
    holm, q = np.full(len(p_values), np.nan), np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    if len(tested):
        # statsmodels has Holm's too, and collects garbage at every call, a fifth of a report's time
        ordered = tested[np.argsort(p_values[tested], kind="stable")]
        steps = p_values[ordered] * np.arange(len(ordered), 0, -1)
        holm[ordered] = np.minimum(np.maximum.accumulate(steps), 1.0)
        # scipy.stats has this, and takes as long to load as all else that a report needs
        steps = p_values[ordered] * (len(ordered) / np.arange(1, len(ordered) + 1))
        q[ordered] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return holm, q

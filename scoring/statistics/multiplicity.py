"""Looking at many subgroups: adjusted p-values."""

import numpy as np

from scoring.statistics.weights import Floats


def adjusted(p_values: Floats) -> tuple[Floats, Floats]:
    """Holm's (1979) adjusted p and Benjamini & Hochberg's (1995) q; a NaN is no test and stays NaN."""
    from statsmodels.stats.multitest import multipletests  # a second of imports, and only a report needs it

    holm, q = np.full(len(p_values), np.nan), np.full(len(p_values), np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        holm[tested] = multipletests(p_values[tested], method="holm")[1]
        q[tested] = multipletests(p_values[tested], method="fdr_bh")[1]
    return holm, q

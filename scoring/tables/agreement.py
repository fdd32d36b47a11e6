"""How far two raters agree: two judges, or a judge and a labelled file."""

import math
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np

from personas.errors import InputError
from scoring.benchmarks.records import check_columns, read_rows


def agreement(first: Mapping[str, Hashable], second: Mapping[str, Hashable]) -> dict[str, float]:
    """n, the share of equal verdicts, Cohen's κ and its standard error, over the ids that both rated.

    κ = (p_o − p_e) / (1 − p_e); its standard error is Cohen's (1960), √(p_o (1 − p_o) / n) / (1 − p_e). κ is NaN where
    both always give the same one verdict. Raises InputError where they share no id.
    """
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise InputError("the two sets of verdicts share no id; give verdicts on the same answers")
    n = len(shared)
    observed = sum(first[each] == second[each] for each in shared) / n
    labels = sorted({str(rater[each]) for rater in (first, second) for each in shared})
    shares = [
        np.array([sum(str(rater[each]) == label for each in shared) / n for label in labels])
        for rater in (first, second)
    ]
    chance = float(shares[0] @ shares[1])
    if math.isclose(chance, 1):
        return {"n": n, "agreement": observed, "kappa": math.nan, "standard_error": math.nan}
    error = math.sqrt(observed * (1 - observed) / n) / (1 - chance)
    return {"n": n, "agreement": observed, "kappa": (observed - chance) / (1 - chance), "standard_error": error}


def read_labels(path: Path) -> dict[str, str]:
    """Verdicts by id from a file with the columns `id` and `label` (CSV, JSONL, Parquet).

    Raises InputError where a column is missing, a label is empty, or an id has two labels.
    """
    labels: dict[str, str] = {}
    for place, row in read_rows(path):
        check_columns(place, row, {"id", "label"})
        label = str(row["label"]).strip()
        if not label or row["label"] is None:
            raise InputError(f"{place}: no label for {row['id']!r}; label it, or leave the row out")
        if labels.setdefault(str(row["id"]), label) != label:
            raise InputError(f"{place}: {row['id']!r} has a second, different label; keep one")
    return labels

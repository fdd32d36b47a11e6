"""The findings of simulated scores, as a study without items or data of its own has them."""

from collections.abc import Sequence

import pandas as pd

from scoring.report.findings import Findings, findings
from scoring.statistics.subgroups import Slicing

ABOUT = {
    "name": "test",
    "study": "",
    "code": "0",
    "seed": 1,
    "started": "",
    "ended": "",
    "trials": 1,
    "packages": {},
    "models": [],
    "data": [],
    "declared": [("by", "['level']", "['level', 'other']")],
}


def no_items(ids: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=["item_id", "benchmark", "part", "question", "choices"])


def found_in(scores: pd.DataFrame, *by: str) -> Findings:
    return findings(scores, Slicing(by, min_n=20), pd.DataFrame(), no_items, ABOUT)

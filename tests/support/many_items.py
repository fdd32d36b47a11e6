"""A benchmark's numbers over many items, outside of a report."""

from collections.abc import Mapping

import pandas as pd

from scoring.benchmarks.base import Benchmark
from scoring.statistics.levels import ALL


def aggregate(benchmark: Benchmark, frame: pd.DataFrame) -> Mapping[str, float]:
    """Over all rows of a frame, by name; NaN where undefined."""
    return {each.name: each.value() for each in benchmark.many_item_scores(frame) if each.category == ALL}

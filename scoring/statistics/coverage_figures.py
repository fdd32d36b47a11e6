"""How often intervals covered in simulated studies: the figures that `tests/bench/coverage.py` measured and wrote."""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FIGURES = Path(__file__).with_suffix(".csv")
INTERVAL, NULL, POWER = "interval", "null", "power"  # the bench's kinds of row
REASONS = "; "  # between the reasons for which an interval is called conservative


@cache
def figures() -> tuple[Mapping[str, str], ...]:
    """The rows of the table; a cell is empty where a kind of row has no such figure, or where there is no interval."""
    with FIGURES.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def covered(conservative: str, gaps: bool = False) -> str:
    """The least and the most share of intervals, or of gaps' intervals, that covered, in words.

    Over the simulated studies that are called conservative for one of these reasons; "" where there are none.
    """
    wanted = set(conservative.split(REASONS)) - {""}
    rows = [row for row in figures() if wanted & set(row["conservative"].split(REASONS))]
    columns = ("gaps",) if gaps else ("people", "items")
    shares = [float(row[column]) for row in rows for column in columns if row[column]]
    return f"{100 * min(shares):.1f} to {100 * max(shares):.1f} %" if shares else ""

"""The types of a CSV's columns, as the readers of the harness find them: a CSV says of no cell what it is."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scoring.benchmarks.records import Row

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_TRUTH = {"true": True, "false": False}


def typed(records: Sequence[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """The records, with every column that holds nothing but integers, numbers or booleans converted to that.

    An empty cell of such a column is None. A column of texts stays as it is.
    """
    names = list(records[0][1]) if records else []
    makers = {name: make for name in names if (make := _maker([str(row[name]) for _, row in records]))}
    return [(place, {**row, **_made(row, makers)}) for place, row in records]


def _maker(cells: Sequence[str]) -> Callable[[str], Any] | None:
    filled = {cell.strip() for cell in cells} - {""}
    if not filled:
        return None
    if all(_INTEGER.fullmatch(cell) for cell in filled):
        return int
    if all(_FLOAT.fullmatch(cell) for cell in filled):
        return float
    return (lambda cell: _TRUTH[cell.lower()]) if all(cell.lower() in _TRUTH for cell in filled) else None


def _made(row: Row, makers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    return {name: make(row[name].strip()) if row[name].strip() else None for name, make in makers.items()}

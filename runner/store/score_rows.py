"""The score table as columns of small numbers: what a row is of by the numbers of rows, and what was answered."""

import sqlite3
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from runner.store.assigned.deals import is_dealt
from runner.store.assigned.profile_rows import is_profiled

_BLOCK = 250_000
STATUSES = ("ok", "unparsed", "refused", "no probabilities", "pending", "failed")
FIELDS = ("model", "item", "persona", "variant", "rotation", "replicate")
COLUMNS = (*FIELDS, "status", "chosen_by_text", "chosen_by_probability", "value", "expected")
# A value a row in Python costs more than the rest of a report: numbers are packed by SQLite, unpacked by numpy.
_PACKED = np.dtype([("who", "i8"), ("how", "i8"), ("what", "i8"), ("value", "f8"), ("expected", "f8")])
_SQL = f"""
SELECT persona << 32 | item, model << 32 | variant,
    (((rotation << 16 | replicate) << 8 | instr('{",".join(STATUSES)},', status || ',')) << 12
        | ifnull(chosen_by_text, -1) + 1) << 12 | ifnull(chosen_by_probability, -1) + 1,
    ifnull(value, 9e999), ifnull(expected, 9e999)
FROM score
"""
_FAILED = """
SELECT DISTINCT model, item, persona, variant, rotation, replicate FROM failure WHERE NOT EXISTS (
    SELECT 1 FROM score WHERE score.model = failure.model AND score.item = failure.item
    AND score.persona = failure.persona AND score.variant = failure.variant
    AND score.rotation = failure.rotation AND score.replicate = failure.replicate)
"""


def read_scores(connection: sqlite3.Connection, selection: Mapping[str, Any] | None) -> pd.DataFrame:
    """Every score, or of what one run selected, then the trials that failed.

    Columns: model, item, persona, variant (numbers of rows, 0 for none), rotation, replicate, status (its place in
    `STATUSES`), chosen_by_text, chosen_by_probability, value, expected; a choice or value that is not there is NaN.
    """
    people = dict(connection.execute("SELECT id, persona_id FROM persona")) if (selection or {}).get("profiles") else {}
    wanted = "" if selection is None else f"WHERE model IN ({','.join(str(int(each)) for each in selection['models'])})"
    cursor, blocks = connection.execute(f"{_SQL} {wanted}"), []
    while len(packed := np.fromiter(islice(cursor, _BLOCK), dtype=_PACKED)):
        blocks.append(_selected(_block(packed), selection, people))
    blocks.append(_selected(_failed(connection), selection, people))
    # a column at a time, so that there are never two of the whole table
    return pd.DataFrame({name: np.concatenate([block.pop(name) for block in blocks]) for name in COLUMNS}, copy=False)


def _failed(connection: sqlite3.Connection) -> dict[str, np.ndarray]:
    """The trials that have failed and no score."""
    rows = np.array(connection.execute(_FAILED).fetchall(), dtype=np.int64).reshape(-1, len(FIELDS))
    of: dict[str, Any] = dict(zip(FIELDS, rows.T, strict=True)) | {"status": STATUSES.index("failed")}
    blank = _block(np.empty(0, dtype=_PACKED))
    return {name: np.full(len(rows), of.get(name, np.nan), dtype=column.dtype) for name, column in blank.items()}


def _block(packed: np.ndarray) -> dict[str, np.ndarray]:
    """Unpacked columns. Raises ValueError for a status that no scorer gives."""
    what, low = packed["what"], 0xFFFFFFFF
    place = np.cumsum([0, *(len(name) + 1 for name in STATUSES)])[:-1] + 1  # where instr() finds each status
    found = what >> 24 & 0xFF
    if not np.isin(found, place).all():
        raise ValueError("a status of another kind")
    columns: dict[str, np.ndarray] = {
        "model": (packed["how"] >> 32).astype(np.int32),
        "item": (packed["who"] & low).astype(np.int32),
        "persona": (packed["who"] >> 32).astype(np.int32),
        "variant": (packed["how"] & low).astype(np.int32),
        "rotation": (what >> 48).astype(np.int16),
        "replicate": (what >> 32 & 0xFFFF).astype(np.int16),
        "status": np.searchsorted(place, found).astype(np.int8),
    }
    for name, shift in (("chosen_by_text", 12), ("chosen_by_probability", 0)):
        option = (what >> shift & 0xFFF).astype(np.float32) - 1
        columns[name] = np.where(option < 0, np.float32(np.nan), option)
    for name in ("value", "expected"):
        columns[name] = np.where(np.isinf(packed[name]), np.nan, packed[name])
    return columns


def _selected(
    block: dict[str, np.ndarray], selection: Mapping[str, Any] | None, people: Mapping[int, str]
) -> dict[str, np.ndarray]:
    """The rows of a block that a run selected."""
    if selection is None:
        return block
    frame = pd.DataFrame({name: block[name] for name in FIELDS[:4]}, copy=False)
    kept = frame["model"].isin(selection["models"]) & frame["item"].isin(selection["items"])
    kept &= frame["persona"].isin([0, *selection["personas"]]) & frame["variant"].isin([0, *selection["variants"]])
    if selection.get("deals"):
        kept &= is_dealt(frame, selection["deals"])
    rows = np.flatnonzero(kept)
    if selection.get("profiles"):
        rows = rows[is_profiled(frame.iloc[rows], selection["profiles"], people)]
    return {name: column[rows] for name, column in block.items()}

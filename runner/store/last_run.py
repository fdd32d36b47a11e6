"""The run that a file's report is about: its last one."""

import sqlite3
from typing import Any


def last_run_row(connection: sqlite3.Connection, columns: str, schema: str = "main") -> tuple[Any, ...] | None:
    """These columns of the last run's row; None before the first run. `schema` names an attached file."""
    sql = f"SELECT {columns} FROM {schema}.run ORDER BY id DESC LIMIT 1"
    row: tuple[Any, ...] | None = connection.execute(sql).fetchone()
    return row

"""The data dictionary: what every table is, and what every column of it means (`columns.toml`)."""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

PAGE_HEAD = """# Data dictionary

<!-- Made by `make docs` from scoring/report/columns.toml: change it there. -->

`mtpa-run report --csv` writes each table as NAME.TABLE.csv beside the database, with NAME.trials.csv, a row a trial,
and NAME.dictionary.csv, which says of the files that are there what is said here. `--parquet` writes the same tables.
Scores are in the benchmark's unit, 0 to 1. Intervals are 95 % intervals. An empty cell was not computed, or is hidden
because fewer than five people are behind it.
"""
VIEWS_HEAD = """## Views of the SQLite file

The database itself shows a study with names in three views: open it with Datasette or DBeaver, or in R:

```r
file <- DBI::dbConnect(RSQLite::SQLite(), "results/NAME.sqlite")
trials <- DBI::dbGetQuery(file, "SELECT * FROM trials")
```

Unlike the CSV files, the views hold the respondents' ids and answers: pass a file on as `mtpa-run bundle` makes it.
"""


@cache
def _known() -> dict[str, Any]:
    return tomllib.loads(files("scoring.report").joinpath("columns.toml").read_text(encoding="utf-8"))


def meaning(table: str, column: str, attributes: Collection[str] = (), own: Mapping[str, str] | None = None) -> str:
    """What a column of a table means; "" where nobody knows.

    `attributes` are those by which the report breaks results down, `own` the columns that benchmarks bring along, with
    the benchmark's title.
    """
    known = _known()
    said = known["of"].get(table, {}).get(column) or known["columns"].get(column)
    if said:
        return str(said)
    if own and column in own:
        return f"{column.replace('_', ' ')} of the item, as {own[column]} has it"
    return f"the respondent's {column.replace('_', ' ')}" if column in attributes else ""


def dictionary(
    tables: Mapping[str, Iterable[str]], attributes: Collection[str] = (), own: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """A row a column of every table: table, column, meaning."""
    rows = [
        {"table": name, "column": column, "meaning": meaning(name, column, attributes, own)}
        for name, columns in tables.items()
        for column in columns
    ]
    return pd.DataFrame(rows, columns=["table", "column", "meaning"])


def page(views: Mapping[str, Iterable[str]]) -> str:
    """The dictionary as Markdown: each table in a sentence, every column once, then the views' columns."""
    known = _known()
    tables = [f"| `{name}` | {words} |" for name, words in known["tables"].items()]
    columns = [f"| `{name}` | {words} |" for name, words in sorted(known["columns"].items())]
    parts = [PAGE_HEAD, "## Tables\n", _table("table", tables), "## Columns\n", _table("column", columns)]
    for table, own in known["of"].items():
        if table in known["tables"]:
            rows = [f"| `{name}` | {words} |" for name, words in own.items()]
            parts += [f"In `{table}`:\n", _table("column", rows)]
    parts.append(VIEWS_HEAD)
    for view, names in views.items():
        rows = [f"| `{name}` | {meaning(f'view {view}', name)} |" for name in names]
        parts += [f"### `{view}`\n", _table("column", rows)]
    return "\n".join(parts)


def _table(heading: str, rows: list[str]) -> str:
    return "\n".join([f"| {heading} | meaning |", "| --- | --- |", *rows]) + "\n"

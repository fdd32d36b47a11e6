"""The tables as data files: CSV, Parquet, LaTeX."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from personas.errors import MachineError
from scoring.report.latex import latex_table


def write_tables(database: Path, tables: Mapping[str, pd.DataFrame], suffix: str, incomplete: str = "") -> list[Path]:
    """Write every table that has rows as NAME.TABLE.SUFFIX beside NAME.sqlite; `suffix` is csv, parquet or tex.

    What is missing of a run that is not whole opens each file: in CSV as a comment line (`comment="#"` in pandas), in
    LaTeX as a comment and in the caption; in Parquet it is in `DataFrame.attrs["incomplete"]`.

    Returns what was written. Raises MachineError where the disk refuses.
    """
    write = _WRITERS[suffix]
    written = []
    for name, table in tables.items():
        if table.empty:
            continue
        path = database.with_suffix(f".{name}.{suffix}")
        try:
            write(table, path, incomplete)
        except OSError as error:
            raise MachineError(f"{path}: cannot be written ({error.strerror})") from None
        written.append(path)
    return written


def write_text(path: Path, text: str) -> Path:
    """Write a file as UTF-8. Raises MachineError where the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{path}: cannot be written ({error.strerror})") from None
    return path


def _csv(table: pd.DataFrame, path: Path, incomplete: str) -> None:
    first = f"# {incomplete}\n" if incomplete else ""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(first)
        table.to_csv(file, index=False)


def _parquet(table: pd.DataFrame, path: Path, incomplete: str) -> None:
    if incomplete:
        table = table.copy(deep=False)
        table.attrs = {"incomplete": incomplete}
    table.to_parquet(path, index=False)


def _latex(table: pd.DataFrame, path: Path, incomplete: str) -> None:
    path.write_text(latex_table(table, path.stem.rsplit(".", 1)[-1], incomplete), encoding="utf-8")


_WRITERS: Mapping[str, Callable[[pd.DataFrame, Path, str], None]] = {"csv": _csv, "parquet": _parquet, "tex": _latex}

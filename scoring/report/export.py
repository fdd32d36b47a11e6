"""The tables as data files: CSV, Parquet, LaTeX."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype as is_datetime
from pandas.api.types import is_numeric_dtype

from personas.errors import MachineError
from personas.whole_file import whole_file, write_whole
from scoring.report.numbers import cell, interval
from scoring.report.paper import TITLES, paper_grid


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
        write_whole(path, text.encode())
    except OSError as error:
        raise MachineError(f"{path}: cannot be written ({error.strerror})") from None
    return path


def as_cell(value: Any) -> Any:
    """A value as a CSV's cell.

    A text that a spreadsheet would run (it begins with = + - @ or a control character) gets an apostrophe in front;
    numbers stay as they are.
    """
    return f"'{value}" if isinstance(value, str) and _RUN.match(value) else value


def csv_text(table: pd.DataFrame, incomplete: str = "") -> str:
    """A table as the CSV file that `write_tables` makes of it."""
    return (f"# {incomplete}\n" if incomplete else "") + str(_safe(table).to_csv(index=False))


def _csv(table: pd.DataFrame, path: Path, incomplete: str) -> None:
    with whole_file(path) as file:
        file.write(f"# {incomplete}\n".encode() if incomplete else b"")
        _safe(table).to_csv(file, index=False, mode="wb")


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    texts = [name for name in table if not is_numeric_dtype(table[name].dtype) and not is_datetime(table[name].dtype)]
    return table.assign(**{name: table[name].astype(object).map(as_cell) for name in texts}).rename(columns=as_cell)


def _parquet(table: pd.DataFrame, path: Path, incomplete: str) -> None:
    if incomplete:
        table = table.copy(deep=False)
        table.attrs = {"incomplete": incomplete}
    with whole_file(path) as file:
        table.to_parquet(file, index=False)


def _latex(table: pd.DataFrame, path: Path, incomplete: str) -> None:
    write_whole(path, latex_table(path.stem.rsplit(".", 1)[-1], table, incomplete).encode())


def latex_table(name: str, table: pd.DataFrame, incomplete: str = "") -> str:
    r"""A booktabs table of the few columns that a paper shows, each interval beside its number; all of an unknown one.

    What is missing of a run that is not whole opens the file and the caption.
    Needs \usepackage{booktabs}.
    """
    if name in TITLES:
        table = paper_grid(table)
    shown, numeric = pd.DataFrame(index=table.index), []
    for column in _PRINTED.get(name, tuple(table.columns)):
        numeric.append(column in _INTERVALS or pd.api.types.is_numeric_dtype(table[column]))
        if column in _INTERVALS:
            low, high = (table[f"{_INTERVALS[column]}{side}"].astype(float) for side in ("low", "high"))
            shown[column] = [interval(*pair) for pair in zip(low, high, strict=True)]
        else:
            shown[_HEADINGS.get(column, column.replace("_", " "))] = [cell(column, value) for value in table[column]]
    caption, align = TITLES.get(name, name.replace("_", " ")), "".join("r" if each else "l" for each in numeric)
    caption = f"{incomplete}. {caption}" if incomplete else caption
    text: str = shown.to_latex(index=False, escape=True, caption=caption, position="tbp", column_format=align)
    for character, command in _COMMANDS.items():
        text = text.replace(character, command)
    first = f"% {incomplete}\n" if incomplete else ""
    return first + "% \\usepackage{booktabs}\n" + re.sub(r"(?<![\w-])-(?=\d)", "$-$", text)


_COMMANDS = {"Δ": r"$\Delta$", "×": r"$\times$", "−": "$-$", "–": "--", "≥": r"$\geq$", "±": r"$\pm$"}
_HEADINGS = {"effect": "Δ", "with_persona": "with", "personas": "n", "gap_holm": "p (Holm)"}
_HEADINGS |= {"omnibus_p": "p", "omnibus_items_p": "p, items too"}
_INTERVALS = {"95 % interval": "", "these items": "people_", "items too": "items_", "gap interval": "gap_"}
_HEAD = ("model", "benchmark", "metric")
_SIDES = ("without", "with_persona", "effect")
_PRINTED: Mapping[str, tuple[str, ...]] = {
    "effects": (*_HEAD, "attribute", "level", "personas", *_SIDES, "items too", "gap", "gap interval", "gap_holm"),
    "families": (*_HEAD, "attribute", "levels", "tested", "omnibus_p", "omnibus_items_p", "disparity",
                 "disparity_null"),
    "aggregates": ("model", "benchmark", "metric", *_SIDES, "95 % interval"),
    "aggregates_by_category": ("model", "benchmark", "category", "metric", *_SIDES, "95 % interval"),
    "categories": (*_HEAD, "category", "items", *_SIDES, "items too"),
    "counterfactuals": (*_HEAD, "trait", "to", "personas", "effect", "items too", "holm", "controls"),
    "told_traits": (*_HEAD, "trait", "personas", "telling", "95 % interval", "holm"),
    "ways": (*_HEAD, "way", "personas", *_SIDES, "these items", "difference"),
    "conditionings": (*_HEAD, "traits", "personas", *_SIDES, "items too"),
    "validity": ("model", "benchmark", "attribute", "level", "unparsed_with", "refused_with", "failed_with", "effect",
                 "95 % interval"),
    "distributions": ("model", "benchmark", "level", "personas", "pooled", *_SIDES, "items too"),
}  # fmt: skip


_WRITERS: Mapping[str, Callable[[pd.DataFrame, Path, str], None]] = {"csv": _csv, "parquet": _parquet, "tex": _latex}
_RUN = re.compile(r"[=+\-@\x00-\x1f\x7f-\x9f]")

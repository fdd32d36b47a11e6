"""CSV, Excel, Parquet and JSONL files: names, and rows of cells under them."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import pandas as pd
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from personas.bounded import WHOLE, check_cells, check_file, lines, parse_json
from personas.errors import InputError
from personas.surveys.table import Table, damaged

_SEPARATOR = re.compile(r'"?sep=(.)"?\s*')  # the first line that Excel takes for itself
_COMMA = re.compile(r"-?\d+,\d+")


def open_csv(path: Path) -> Table:
    """Open a text file of cells. Raises InputError for a row whose cells do not fit the header."""
    encoding = _csv_encoding(path)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        first = file.readline()
        if named := _SEPARATOR.fullmatch(first):
            separator, above = named[1], 1
        else:
            separator, above = max(";,\t|", key=first.count), 0
            file.seek(0)
        rows = csv.reader(file, delimiter=separator)
        header = _trimmed([name.strip() for name in next(rows, [])])
        count, width = _measure(path, rows, len(header), above)
    names, questions, notes = _split_header(header, path)
    if encoding != "utf-8-sig":
        notes.append(f"{path.name}: read as Windows-1252")

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        places = {names.index(name): name for name in variables}
        frame = pd.read_csv(
            path,
            sep=separator,
            encoding=encoding,
            encoding_errors="replace",
            header=None,
            names=range(width),
            skiprows=1 + above,
            usecols=sorted(places),
            index_col=False,
            low_memory=False,
            keep_default_na=False,
            na_values=["", " "],
        )
        frame = frame.rename(columns=places).iloc[start:stop].reset_index(drop=True)
        return frame.apply(_pointed) if separator == ";" else frame

    return Table(path, _named(names), count, load, questions, notes=notes)


def _pointed(column: pd.Series) -> pd.Series:
    """A column of numbers that are all written with a decimal comma, as numbers."""
    found = column.dropna()
    if pd.api.types.is_numeric_dtype(column) or found.empty or not _COMMA.fullmatch(str(found.iloc[0])):
        return column
    texts = found.astype(str)
    if not texts.str.fullmatch(_COMMA.pattern).all():
        return column
    return pd.to_numeric(texts.str.replace(",", ".", regex=False)).reindex(column.index)


def _trimmed(header: list[str]) -> list[str]:
    while header and not header[-1]:
        header.pop()
    return header


def _named(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name)


def _csv_encoding(path: Path) -> str:
    """UTF-8, with or without a byte order mark, also where a few bytes are broken; else Windows-1252."""
    right = wrong = 0
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        while block := file.read(1 << 20):
            if block.isascii():
                continue
            replaced = block.count("\N{REPLACEMENT CHARACTER}")
            wrong += replaced
            right += sum(not letter.isascii() for letter in block) - replaced
    return "utf-8-sig" if right >= wrong else "windows-1252"


def _measure(path: Path, rows: Any, width: int, above: int = 0) -> tuple[int, int]:
    """The number of data rows and of cells in each.

    Raises InputError for a row with other cells than the header names. Separators too many at the end of every row are
    what some publishers write; a filled cell too many, or a row longer than the others, shifts columns.
    """
    count, longest = 0, None
    for row in rows:
        if not row:
            continue
        longest = longest or max(width, len(row))
        if len(row) != longest or any(cell.strip() for cell in row[width:]):
            raise InputError(_misfit(path, f"line {rows.line_num + above}", len(row), width))
        count += 1
    return count, longest or width


def _misfit(path: Path, place: str, cells: int, width: int) -> str:
    if width == 1:
        return f"{path}, {place}: {cells} cells where the first line has one: if that is a title, delete it"
    return f"{path}, {place}: {cells} cells where the header names {width} columns: are the columns shifted?"


def _split_header(header: Sequence[str], path: Path) -> tuple[tuple[str, ...], dict[str, str], list[str]]:
    """Names ("" where a column has none), the questions where the publisher writes "Q1: label", and notes.

    A column without a name keeps its place, and is not read. Raises InputError where a name stands twice.
    """
    parts = [name.partition(":") for name in header]
    names = tuple(name.strip() for name, _, _ in parts)
    if repeated := next((name for name in names if name and names.count(name) > 1), None):
        raise InputError(f"{path}: two columns are named {repeated!r}")
    unnamed = [str(at) for at, name in enumerate(names, 1) if not name]
    notes = [f"{path.name}: column {', '.join(unnamed)} has no name and is left out"] if unnamed else []
    return names, {name.strip(): label.strip() for name, _, label in parts if label.strip()}, notes


def open_xlsx(path: Path) -> Table:
    """Open the first sheet of a workbook. Raises InputError as for a text file, and for a damaged one."""
    import openpyxl  # slow to import, and few files are workbooks

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        cells = book.worksheets[0].iter_rows(values_only=True)
        header = _trimmed(["" if name is None else str(name).strip() for name in next(cells, ())])
        names, questions, notes = _split_header(header, path)
        rows = [_cells(path, number, row, len(names)) for number, row in enumerate(cells, 2)]
        sheets = [sheet.title for sheet in book.worksheets]
        book.close()
    except (BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise damaged(path, error) from None
    filled = [row for row in rows if any(cell is not None for cell in row)]
    if not filled and len(sheets) > 1:
        others = ", ".join(map(repr, sheets[1:]))
        empty = f"the first sheet, {sheets[0]!r}, holds no respondents"
        raise InputError(f"{path}: {empty}; move the one that does ({others}) there")
    frame = pd.DataFrame(filled, columns=range(len(names)))
    frame = frame[[at for at, name in enumerate(names) if name]].set_axis(list(_named(names)), axis=1)

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        return frame.loc[start : stop - 1, variables]

    return Table(path, _named(names), len(frame), load, questions, notes=notes)


def _cells(path: Path, number: int, row: Sequence[Any], width: int) -> list[Any]:
    """A row, as wide as the header. Raises InputError where a cell is filled that the header does not name."""
    if any(cell is not None and str(cell).strip() for cell in row[width:]):
        filled = max(at for at, cell in enumerate(row, 1) if cell is not None)
        raise InputError(_misfit(path, f"row {number}", filled, width))
    return [*row[:width], *[None] * (width - len(row))]


def open_parquet(path: Path) -> Table:
    """Open a Parquet file. Raises InputError for a damaged one."""
    try:
        file = pq.ParquetFile(path)
    except ArrowException as error:
        raise damaged(path, error) from None
    names = tuple(file.schema_arrow.names)
    _split_header(names, path)

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        return file.read(columns=variables).slice(start, stop - start).to_pandas()

    return Table(path, names, file.metadata.num_rows, load)


def open_jsonl(path: Path) -> Table:
    """Open a file with a JSON object a line, a respondent each. Raises InputError for a line that is not one."""
    check_file(path, WHOLE)
    records: list[dict[str, Any]] = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(lines(file), 1):
            if not line.strip():
                continue
            try:
                record = parse_json(line)
            except ValueError as error:
                raise InputError(f"{path}, line {number}: not JSON, an object a line ({error})") from None
            if not isinstance(record, dict):
                raise InputError(f"{path}, line {number}: not a JSON object")
            records.append(record)
    names = tuple(dict.fromkeys(name for record in records for name in record))
    check_cells(path, len(records), len(names))
    frame = pd.DataFrame(({name: _cell(record.get(name)) for name in names} for record in records), columns=list(names))

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        return frame.iloc[start:stop][variables].reset_index(drop=True)

    return Table(path, names, len(frame), load)


def _cell(value: Any) -> Any:
    """A cell that can be compared: a list or an object as its text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value

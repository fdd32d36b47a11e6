"""Opens a survey file in any of its publishers' formats: what it holds first, then only the columns asked for."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyreadstat
from pyarrow.lib import ArrowException

from personas.bounded import check_file
from personas.errors import InputError, MtpaError
from personas.surveys.guards import check_table

FORMATS = (".sav", ".zsav", ".dta", ".csv", ".xlsx", ".parquet")
Ranges = Sequence[tuple[float, float]]

# How a file of each format begins; a .dta before version 117 begins with its version number.
_MAGIC = {".sav": (b"$FL2", b"$FL3"), ".zsav": (b"$FL3",), ".xlsx": (b"PK\x03\x04",), ".parquet": (b"PAR1",)}
_MAGIC[".dta"] = (b"<stata_dta>", *(bytes([version]) for version in range(104, 116)))
_KNOWN = {b"%PDF": "a PDF document", b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive", b"$FL": "SPSS data"}
_KNOWN |= {b"<!": "a web page", b"<html": "a web page", b"RDX": "an R file", b"PAR1": "a Parquet file"}
_ENCODINGS = (None, "windows-1252", "latin1")


@dataclass(frozen=True)
class Table:
    """A survey file: its variables, with what the file itself says of them, and how to read some.

    `labels` has values as text ("1", "-2", "d"); `declared` holds the ranges that an SPSS file declares missing. Cells
    of missing values stay as the file has them: numbers, or Stata's letters.
    """

    path: Path
    variables: tuple[str, ...]
    rows: int
    load: Callable[[list[str], int, int], pd.DataFrame]
    questions: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    declared: Mapping[str, Ranges] = field(default_factory=dict)
    ordinal: frozenset[str] = frozenset()

    def find(self, names: str | Sequence[str]) -> str | None:
        """The first of these variables that the file has, whatever the case of its letters."""
        folded = {variable.lower(): variable for variable in reversed(self.variables)}
        wanted = [names] if isinstance(names, str) else names
        return next((folded[name.lower()] for name in wanted if name.lower() in folded), None)

    def read(self, variables: Sequence[str], start: int = 0, stop: int | None = None) -> pd.DataFrame:
        """The columns of these variables, rows start to stop. Raises InputError where the file is damaged."""
        stop = self.rows if stop is None else stop
        try:
            frame = self.load(list(dict.fromkeys(variables)), start, stop)
        except MtpaError:
            raise
        except Exception as error:  # as in `open_table`
            raise damaged(self.path, error) from None
        if len(frame) != stop - start:
            raise InputError(f"{self.path}: {len(frame)} rows where {stop - start} should be: the file is cut off")
        return frame


def damaged(path: Path, error: Exception) -> InputError:
    """The sentence about a file that a library could not read."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(f"{path} is damaged ({reason}): download it again")


def text(value: Any) -> str:
    """A cell as a key: 2, 2.0 and "2.0" are all "2"."""
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else str(value)
    return str(value).strip().removesuffix(".0")


def open_table(path: Path) -> Table:
    """Open a file by its extension, once its first bytes agree with it.

    Raises InputError for a file that is absent, of another format than its name says, or damaged.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: cannot read {suffix or 'a file without an extension'}; known: {', '.join(FORMATS)}")
    check_file(path)  # a pipe would be waited for
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    _check_magic(path, suffix, head)
    openers = {".csv": _open_csv, ".xlsx": _open_xlsx, ".parquet": _open_parquet}
    try:
        check_table(path)
        table = openers.get(suffix, _open_statistical)(path)
    except (csv.Error, pd.errors.ParserError) as error:
        raise InputError(f"{path} is no table of cells ({error})") from None
    except MtpaError:
        raise
    except Exception as error:  # what a library says of a damaged file is anything at all
        raise damaged(path, error) from None
    if not table.rows:
        raise InputError(f"{path} holds no respondents")
    return table


def _check_magic(path: Path, suffix: str, head: bytes) -> None:
    if not head:
        raise InputError(f"{path} is empty")
    wanted = _MAGIC.get(suffix)
    if head.startswith(wanted) if wanted else b"\0" not in head and not head.startswith(b"%PDF"):
        return
    stata = dict.fromkeys(_MAGIC[".dta"], "Stata data")
    found = next((name for start, name in (_KNOWN | stata).items() if head.startswith(start)), "something else")
    raise InputError(f"{path} is not a {suffix} file but {found}: give the file as its publisher offers it")


def _open_statistical(path: Path) -> Table:
    reader: Any = pyreadstat.read_dta if path.suffix.lower() == ".dta" else pyreadstat.read_sav
    options = {"user_missing": True, "disable_datetime_conversion": True}

    def read(**more: Any) -> tuple[pd.DataFrame, Any]:
        for encoding in _ENCODINGS:
            try:
                found: tuple[pd.DataFrame, Any] = reader(str(path), encoding=encoding, **options, **more)
                return found
            except (UnicodeDecodeError, pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
                encodes = isinstance(error, UnicodeDecodeError) or "convert" in str(error).lower()
                if not encodes or encoding == _ENCODINGS[-1]:
                    raise InputError(f"{path} is damaged or cut off ({error}): download it again") from None
        raise AssertionError("the last encoding returns or raises")

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        return read(usecols=variables, row_offset=start, row_limit=stop - start)[0] if stop > start else pd.DataFrame()

    _, meta = read(metadataonly=True)
    names = list(meta.column_names)
    # Some writers of .sav leave the number of rows open.
    rows = meta.number_rows if meta.number_rows else len(read(usecols=names[:1])[0])
    ranges = {
        name: [(each["lo"], each["hi"]) for each in found if isinstance(each["lo"], int | float)]
        for name, found in (meta.missing_ranges or {}).items()
    }
    return Table(
        path,
        tuple(names),
        int(rows),
        load,
        {name: label.strip() for name, label in meta.column_names_to_labels.items() if label},
        {name: {text(code): each for code, each in table.items()} for name, table in _value_labels(meta).items()},
        ranges,
        frozenset(name for name, measure in (meta.variable_measure or {}).items() if measure == "ordinal"),
    )


def _value_labels(meta: Any) -> Mapping[str, Mapping[Any, str]]:
    return meta.variable_value_labels or {}


def _open_csv(path: Path) -> Table:
    encoding = _csv_encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline()
        separator = max(";,\t", key=first.count)
        file.seek(0)
        rows = csv.reader(file, delimiter=separator)
        header = [name.strip() for name in next(rows, [])]
        while header and not header[-1]:
            header.pop()
        count, width = _measure(path, rows, len(header))
    names, questions = _split_header(header, path)

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        places = {names.index(name): name for name in variables}
        frame = pd.read_csv(
            path,
            sep=separator,
            encoding=encoding,
            header=None,
            names=range(width),
            skiprows=1,
            usecols=sorted(places),
            index_col=False,
            low_memory=False,
            keep_default_na=False,
            na_values=["", " "],
        )
        return frame.rename(columns=places).iloc[start:stop].reset_index(drop=True)

    return Table(path, names, count, load, questions)


def _csv_encoding(path: Path) -> str:
    """UTF-8, with or without a byte order mark, else Windows-1252."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            while file.read(1 << 20):
                pass
        return "utf-8-sig"
    except UnicodeDecodeError:
        return "windows-1252"


def _measure(path: Path, rows: Any, width: int) -> tuple[int, int]:
    """The number of data rows and of cells in the widest.

    Raises InputError for a row with other cells than the header names: a separator too many at the end is what some
    publishers write, a filled cell too many shifts every column.
    """
    count, widest = 0, width
    for row in rows:
        if not row:
            continue
        if len(row) != width and (len(row) < width or any(cell.strip() for cell in row[width:])):
            raise InputError(
                f"{path}, line {rows.line_num}: {len(row)} cells where the header names {width} columns: "
                "are the columns shifted?"
            )
        count, widest = count + 1, max(widest, len(row))
    return count, widest


def _split_header(header: Sequence[str], path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names, and the questions where the publisher writes "Q1: label" into the header."""
    parts = [name.partition(":") for name in header]
    names = tuple(name.strip() for name, _, _ in parts)
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{path}: two columns are named {repeated!r}")
    return names, {name.strip(): label.strip() for name, _, label in parts if label.strip()}


def _open_xlsx(path: Path) -> Table:
    import openpyxl  # slow to import, and few files are workbooks

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        cells = book.worksheets[0].iter_rows(values_only=True)
        header = [str(name).strip() for name in next(cells, ()) if name is not None]
        names, questions = _split_header(header, path)
        frame = pd.DataFrame([row[: len(names)] for row in cells if any(cell is not None for cell in row)])
        book.close()
    except (BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}): download it again") from None
    frame = frame.reindex(columns=range(len(names))).set_axis(list(names), axis=1)

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        return frame.loc[start : stop - 1, variables]

    return Table(path, names, len(frame), load, questions)


def _open_parquet(path: Path) -> Table:
    try:
        file = pq.ParquetFile(path)
    except ArrowException as error:
        raise InputError(f"{path} is damaged ({error}): fetch it again") from None

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        return file.read(columns=variables).slice(start, stop - start).to_pandas()

    return Table(path, tuple(file.schema_arrow.names), file.metadata.num_rows, load)

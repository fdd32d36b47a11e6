"""Records from data files, each with its place, so that an error can name file and line."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from personas.errors import InputError, MachineError

Row = Mapping[str, Any]
FORMATS = ("csv", "tsv", "json", "jsonl", "parquet")


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """(place, record) of each record of a CSV, TSV, JSON (a list of objects), JSONL or Parquet file, by its ending.

    Raises InputError for a file that is not what its ending says, MachineError for one that cannot be read.
    """
    kind = path.suffix.lower().lstrip(".")
    with _readable(path):
        if kind in ("csv", "tsv"):
            yield from _delimited(path, "," if kind == "csv" else "\t")
        elif kind == "jsonl":
            yield from _json_lines(path)
        elif kind == "json":
            yield from _json_list(path)
        elif kind == "parquet":
            yield from _parquet(path)
        else:
            raise InputError(f"{path}: unknown ending; expected one of {', '.join('.' + each for each in FORMATS)}")


@contextmanager
def located(place: str, what: str) -> Iterator[None]:
    """Turns the errors of reading one record into a sentence that names its place."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{place}: {what} without the column {error}") from None
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{place}: {what} that {_clause(error)}") from None


def _clause(error: Exception) -> str:
    text = str(error)
    return text if text.startswith(("has ", "is ", "lists ", "names ", "gives ")) else f"cannot be read ({text})"


def check_columns(place: str, row: Row, needed: set[str]) -> None:
    """Raises InputError, naming what is there, where a file's first record lacks columns."""
    if absent := sorted(needed - row.keys()):
        there = ", ".join(map(str, row))
        raise InputError(f"{place}: no column {', '.join(absent)}; the columns are: {there}")


def check_sha256(path: Path, expected: str) -> None:
    """Raises InputError where the file's bytes, or its LF-normalised bytes, have another sha256."""
    with _readable(path):
        content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if expected not in (found, hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()):
        raise InputError(
            f"{path}: its sha256 is {found[:12]}…, but {expected[:12]}… is pinned; fetch that version, or pin this one"
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; put it there, or give its url") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror or error}") from None


def _delimited(path: Path, delimiter: str) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, delimiter=delimiter, restval=None, strict=True)
        try:
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise InputError(f"{place}: has not as many fields as the header; mend the line")
                yield place, row
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: not CSV ({error}); mend the line") from None


def _json_lines(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                place = f"{path}, line {number}"
                yield place, _object(place, line)


def _object(place: str, text: str) -> Row:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not JSON ({error}); mend the line") from None
    if not isinstance(record, dict):
        raise InputError(f"{place}: not a JSON object; mend the line")
    return record


def _json_list(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); fetch it again") from None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: not a list of JSON objects; save one record an object")
    for number, record in enumerate(records, start=1):
        yield f"{path}, record {number}", record


def _parquet(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            number = 0
            for batch in table.iter_batches(1024):
                for record in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", record
    except pyarrow.ArrowException as error:
        raise InputError(f"{path}: not a Parquet file ({error}); fetch it again") from None

"""Records from data files, each with its place, so that an error can name file and line."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow

from personas import bounded
from personas.errors import InputError, MachineError

Row = Mapping[str, Any]
_CHUNK = 1 << 20
_BATCH = 256_000_000  # bytes that the records of one piece of a Parquet file may take
FORMATS = ("csv", "tsv", "json", "jsonl", "parquet")


def read_rows(path: Path, columns: Sequence[str] = ()) -> Iterator[tuple[str, Row]]:
    """(place, record) of each record of a CSV, TSV, JSON, JSONL or Parquet file, by its ending.

    `columns` names those of a CSV or TSV file without a header.

    A .json or .jsonl file is a list of objects or an object a line, whichever of the two it begins as. Raises
    InputError for a file that is not what its ending says, MachineError for one that cannot be read.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise InputError(f"{path}: unknown ending; expected one of {', '.join('.' + each for each in FORMATS)}")
    bounded.check_file(path)
    with _readable(path):
        if kind in ("csv", "tsv"):
            yield from _delimited(path, "," if kind == "csv" else "\t", columns)
        elif kind == "parquet":
            yield from _parquet(path)
        elif _is_list(path):
            yield from _json_list(path)
        else:
            yield from _json_lines(path)


@contextmanager
def located(place: str, what: str) -> Iterator[None]:
    """Turns the errors of reading one record into a sentence that names its place."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{place}: {what} without the column {error}") from None
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
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
    bounded.check_file(path)
    with _readable(path):
        found = _digests(path)
    if expected not in found:
        raise InputError(
            f"{path}: its sha256 is {found[0][:12]}…, but {expected[:12]}… is pinned; fetch that version, or pin this "
            "one"
        )


def _digests(path: Path) -> tuple[str, str]:
    """The sha256 of a file's bytes, and of them with LF line ends, read in pieces."""
    plain, normal = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            while chunk.endswith(b"\r") and (more := file.read(1)):
                chunk += more
            plain.update(chunk)
            normal.update(chunk.replace(b"\r\n", b"\n"))
    return plain.hexdigest(), normal.hexdigest()


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


def _delimited(path: Path, delimiter: str, columns: Sequence[str]) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = list(columns) or None
        reader = csv.DictReader(bounded.lines(file), names, delimiter=delimiter, restval=None, strict=True)
        try:
            _check_header(path, reader.fieldnames or ())
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise InputError(f"{place}: has not as many fields as the header; fix the line")
                yield place, row
        except (csv.Error, ValueError) as error:
            if isinstance(error, UnicodeDecodeError):
                raise
            raise InputError(f"{path}, line {reader.line_num}: not CSV ({error}); fix the line") from None


def _check_header(path: Path, names: Sequence[str]) -> None:
    bounded.check_width(path, len(names))
    if repeated := next((name for name, count in Counter(names).items() if count > 1), None):
        raise InputError(f"{path}: two columns are named {repeated!r}; rename one")


def _is_list(path: Path) -> bool:
    """Whether a JSON text begins a list: many tools write a list into .jsonl, and lines into .json."""
    with path.open(encoding="utf-8-sig") as file:
        return file.read(1000).lstrip()[:1] == "["


def _json_lines(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8-sig") as file:
        number, lines = 0, bounded.lines(file)
        while True:
            number += 1
            place = f"{path}, line {number}"
            try:
                line = next(lines, None)
                record = bounded.parse_json(line) if line and line.strip() else None
            except UnicodeDecodeError:
                raise
            except ValueError as error:
                raise InputError(f"{place}: not JSON, an object a line ({error}); fix the line") from None
            if line is None:
                return
            if line.strip():
                yield place, _record(place, record)


def _record(place: str, record: Any) -> Row:
    if not isinstance(record, dict):
        raise InputError(f"{place}: not a JSON object; fix the line")
    if len(record) == 1 and isinstance(inner := next(iter(record.values())), list) and _are_records(inner):
        raise InputError(
            f"{place}: one object with the list {next(iter(record))!r} in it; save that list of records as the file"
        )
    return record


def _are_records(values: Sequence[Any]) -> bool:
    return len(values) > 1 and all(isinstance(each, dict) for each in values)


def _json_list(path: Path) -> Iterator[tuple[str, Row]]:
    bounded.check_file(path, bounded.WHOLE)
    try:
        records = bounded.parse_json(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); fetch it again") from None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: not a list of JSON objects; save one record an object")
    for number, record in enumerate(records, start=1):
        yield f"{path}, record {number}", record


def _parquet(path: Path) -> Iterator[tuple[str, Row]]:
    number = 0
    try:
        with bounded.open_parquet(path) as table:
            for batch in table.iter_batches(_batch_rows(table.metadata)):
                for record in batch.to_pylist():
                    number += 1
                    place = f"{path}, row {number}"
                    try:
                        bounded.check_value(record)
                    except ValueError as error:
                        raise InputError(f"{place}: {error}; fix the record") from None
                    yield place, record
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        # Arrow reports what it cannot decode as OSError, and texts that are not UTF-8 as ValueError.
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a Parquet file that can be read ({reason}); fetch it again") from None


def _batch_rows(about: Any) -> int:
    """How many records to read at once: were each as large as a whole column of its group, they still fit."""
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    largest = max((g.column(n).total_uncompressed_size for g in groups for n in range(g.num_columns)), default=0)
    return max(8, min(1024, _BATCH // max(1, largest)))

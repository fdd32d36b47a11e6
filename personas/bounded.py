"""What comes in from outside is bounded before it is used: how large a file, how deep a value, how much a zip holds.

Every reader of a file that somebody else may have written goes through here. A refusal of a file is an InputError that
names it; of a text that is parsed, a ValueError in a clause, so that its reader can name the line.
"""

import io
import json
import re
import stat
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from personas.errors import InputError, MachineError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

DESCRIPTION = 1_000_000  # bytes of a file that a person writes: a study, a survey, a benchmark
DATA = 20_000_000_000  # bytes of a data file that is read in pieces
WHOLE = 250_000_000  # bytes of a data file that has to be read as a whole
UNPACKED = 2_000_000_000  # bytes that the members of an archive may hold
LINE = 16_000_000  # characters
DEPTH = 64
CELLS = 100_000_000  # of a sheet
COLUMNS = 20_000
MEMBERS = 2_000
DIRECTORY = 4_000_000  # bytes of an archive's list of members
_PLAUSIBLE = 200  # times smaller than its content: what a table of equal cells packs to
_SMALL = 100_000_000  # bytes that may be packed however well
_LARGEST_INTEGER = 2**63
# What may hold dots in a TOML text that part no key: strings and comments. Every alternative takes all it can, so that
# the time is that of the text's length, also where a string has no end.
_TOML_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""|\\?\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:\\.|[^"\\\n])*+"?|\'[^\'\n]*+\'?|#[^\n]*+', re.S
)
_KEY = re.compile(r"[ \t]*+[\w-]++[ \t]*+")
_SUSPECT = re.compile(r"\\u[dD][89a-fA-F]|[0-9]{19}")  # half of a surrogate pair, or an integer of more than 63 bits


def check_file(path: Path, most: int = DATA) -> None:
    """Raises InputError for a path that is no regular file (a folder, a device, a pipe), or one of over `most` bytes.

    A file that is absent or out of reach is left to whoever opens it.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
        kind = next((name for test, name in kinds.items() if test(found.st_mode)), "a device")
        raise InputError(f"{path}: {kind}, not a file; name a regular file")
    if found.st_size > most:
        raise InputError(
            f"{path}: {_megabytes(found.st_size)}, and at most {_megabytes(most)} are read; split the file"
        )


@contextmanager
def readable(place: object, kind: str, remedy: str) -> Iterator[None]:
    """While a file is read, or a part of one that `place` names: what is wrong with it, in a sentence.

    Raises InputError, with the remedy, where it is not there, is not UTF-8, or its text is not what `kind` names (a
    ValueError, or too deep a value); MachineError where this machine cannot read it.
    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{place}: no such file; {remedy}") from None
    except UnicodeDecodeError:
        raise InputError(f"{place}: not UTF-8 text; {remedy}") from None
    except OSError as error:
        raise MachineError(f"{place}: cannot be read ({error.strerror or error})") from None
    except RecursionError:
        raise InputError(f"{place}: not {kind} (nested too deeply); {remedy}") from None
    except ValueError as error:
        raise InputError(f"{place}: not {kind} ({_sober(error)}); {remedy}") from None


def read_text(path: Path, most: int = DESCRIPTION) -> str:
    """The UTF-8 text of a regular file. Raises InputError as `check_file` does; OSError, UnicodeDecodeError."""
    check_file(path, most)
    with path.open(encoding="utf-8") as file:
        return file.read(most + 1)


def lines(file: IO[str], most: int = LINE) -> Iterator[str]:
    """The lines of a text file. Raises ValueError at one that is longer than `most` characters."""
    while line := file.readline(most + 1):
        if len(line) > most:
            raise ValueError(f"has a line of more than {most:,} characters")
        yield line


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ValueError for one that is wrong, too deep, or holds a number too large."""
    _check_dotted_keys(text)
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {DEPTH} deep") from None
    except ValueError as error:
        raise _sober(error) from None
    check_value(tables)
    return tables


def _check_dotted_keys(text: str) -> None:
    """Raises ValueError for a key of too many parts, for which tomllib takes the square of its length."""
    run = 0
    for part in _TOML_TEXT.sub("q", text).split("."):
        run = run + 1 if _KEY.fullmatch(part) else 0
        if run > DEPTH:
            raise ValueError(f"a key of more than {DEPTH} parts")


def _sober(error: ValueError) -> ValueError:
    """Python's advice to programmers about integers of thousands of digits does not help whoever wrote the file."""
    return ValueError("an integer of more than 64 bits") if "integer string conversion" in str(error) else error


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises ValueError for one that is wrong, too deep, or holds what `check_value` refuses.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {DEPTH} deep") from None
    except ValueError as error:
        raise _sober(error) from None
    if _SUSPECT.search(text) or text.count("[") + text.count("{") > DEPTH:
        check_value(value)
    return value


def check_value(value: Any) -> None:
    """Raises ValueError for a value that is nested too deep, too large or no text.

    That is: more than `DEPTH` levels, an integer of more than 64 bits, or half of a surrogate pair, which no encoding
    can write.
    """
    level, depth = [value], 0
    while level:
        if depth > DEPTH:
            raise ValueError(f"nested more than {DEPTH} deep")
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                check_text(each)
            elif isinstance(each, int):
                if not -_LARGEST_INTEGER <= each < _LARGEST_INTEGER:
                    raise ValueError("an integer of more than 64 bits")
            elif isinstance(each, Mapping):
                below += each.keys()
                below += each.values()
            elif isinstance(each, list | tuple):
                below += each
        level, depth = below, depth + 1


def check_text(text: str) -> None:
    """Raises ValueError for a text with half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair, which is not a character") from None


class _ArchiveFile(io.FileIO):
    """An archive's bytes: its list of members, which Python reads as a whole, is bounded, and every place in it is."""

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes."""
        if size is not None and size > DIRECTORY:
            raise zipfile.BadZipFile(f"its list of members would take {_megabytes(size)}")
        return super().read(-1 if size is None else size) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError):
            raise zipfile.BadZipFile("it points outside of itself") from None


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip to read from, a piece of at most `DIRECTORY` bytes at a time.

    Raises BadZipFile for a file that is no zip or lists more members than a zip may; OSError.
    """
    with _ArchiveFile(path) as file, zipfile.ZipFile(file) as archive:
        yield archive


def check_archive(path: Path, most: int = UNPACKED) -> None:
    """Raises InputError for a zip that would unpack to too much, and BadZipFile for a file that is no zip.

    Too much is more than `most` bytes, a better compression than any table has, or more members than a table has.
    Python unpacks no more of a member than it declares.
    """
    check_file(path)
    with open_archive(path) as archive:
        entries = archive.infolist()
        packed, size = path.stat().st_size, sum(entry.file_size for entry in entries)
    if len(entries) > MEMBERS or size > most or size > max(_SMALL, _PLAUSIBLE * packed):
        raise InputError(
            f"{path}: {_megabytes(packed)} that would unpack to {_megabytes(size)} in {len(entries):,} members; "
            "that is not a file of this kind: save it again"
        )


def open_parquet(path: Path, most: int = CELLS) -> "pq.ParquetFile":
    """A Parquet file, opened.

    Raises InputError for one that declares more cells than are read, or nests deeper; ArrowException for what is no
    Parquet file.

    A run of equal values takes a few bytes however long it is: what counts is what the file declares.
    """
    check_file(path)
    import pyarrow.parquet as pq  # takes longer than most commands

    file = pq.ParquetFile(path)
    about = file.metadata
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    size, packed = sum(group.total_byte_size for group in groups), path.stat().st_size
    deep = max((column.path.count(".") for column in map(about.schema.column, range(about.num_columns))), default=0)
    if size > max(_SMALL, _PLAUSIBLE * packed) or deep > DEPTH:
        raise InputError(f"{path}: {_megabytes(packed)} that would unpack to {_megabytes(size)}; save it again")
    check_cells(path, about.num_rows, about.num_columns, most)
    return file


def check_width(path: Path, columns: int) -> None:
    """Raises InputError for a table of more columns than any has."""
    if columns > COLUMNS:
        raise InputError(f"{path}: {columns:,} columns, and at most {COLUMNS:,} are read; leave some out")


def check_cells(path: Path, rows: int, columns: int, most: int = CELLS) -> None:
    """Raises InputError for a table that declares more cells than are read."""
    check_width(path, columns)
    if rows * columns > most:
        raise InputError(f"{path}: declares {rows:,} rows of {columns:,} columns, more than are read; split the file")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"

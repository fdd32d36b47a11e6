"""SPSS and Stata files: numbers with the publisher's labels, in whatever encoding."""

import codecs
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat

from personas.errors import InputError
from personas.surveys.table import Table, text

# In an SPSS dictionary, extension record 20 names the encoding: record type, subtype, size 1, length, then the name.
_SPSS_ENCODING = re.compile(rb"(?:\x07\0\0\0\x14\0\0\0\x01\0\0\0|\0\0\0\x07\0\0\0\x14\0\0\0\x01).{4}([\w.-]+)", re.S)
_DICTIONARY = 32 << 20
_WINDOWS = "windows-1252"
# Every byte is one character of it, so that each text can be decoded afterwards on its own.
_BYTES = "latin1"
_REPLACED = "\N{REPLACEMENT CHARACTER}"

Decoder = Callable[[str], str]


def open_labelled(path: Path) -> Table:
    """Open a .sav, .zsav or .dta file. Raises InputError where it is damaged.

    A text that is not in the file's encoding loses the bytes that are wrong, and nothing else does.
    """
    notes: list[str] = []
    meta = _read(path, notes, metadataonly=True)[1]
    names = list(meta.column_names)
    # Some writers of .sav leave the number of rows open.
    rows = meta.number_rows if meta.number_rows else len(_read(path, [], usecols=names[:1])[0])
    ranges = {
        name: [(each["lo"], each["hi"]) for each in found if isinstance(each["lo"], int | float)]
        for name, found in (meta.missing_ranges or {}).items()
    }

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        if stop <= start:
            return pd.DataFrame()
        return _read(path, notes, usecols=variables, row_offset=start, row_limit=stop - start)[0]

    return Table(
        path,
        tuple(names),
        int(rows),
        load,
        {name: label.strip() for name, label in meta.column_names_to_labels.items() if label},
        {name: {text(code): each for code, each in labels.items()} for name, labels in _labels(meta).items()},
        ranges,
        frozenset(name for name, measure in (meta.variable_measure or {}).items() if measure == "ordinal"),
        notes,
    )


def _labels(meta: Any) -> Mapping[str, Mapping[Any, str]]:
    return meta.variable_value_labels or {}


def _read(path: Path, notes: list[str], **what: Any) -> tuple[pd.DataFrame, Any]:
    """What pyreadstat reads; where a text is in another encoding than the file says, byte by byte and then decoded."""
    reader: Any = pyreadstat.read_dta if path.suffix.lower() == ".dta" else pyreadstat.read_sav
    what |= {"user_missing": True, "disable_datetime_conversion": True}
    try:
        frame, meta = reader(str(path), **what)
        return frame, meta
    except (UnicodeDecodeError, pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        if not (isinstance(error, UnicodeDecodeError) or "convert" in str(error).lower()):
            raise _damaged(path, error) from None
    try:
        frame, meta = reader(str(path), encoding=_BYTES, **what)
        about = meta if what.get("metadataonly") else reader(str(path), encoding=_BYTES, metadataonly=True)[1]
    except (UnicodeDecodeError, pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        raise _damaged(path, error) from None
    return _decoded(path, notes, frame, meta, _texts(about))


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is damaged or cut off ({error}): download it again")


def _texts(meta: Any) -> list[str]:
    labels = [label for table in _labels(meta).values() for label in table.values()]
    return [str(each) for each in [*labels, *meta.column_names_to_labels.values()] if each]


def _decoded(
    path: Path, notes: list[str], frame: pd.DataFrame, meta: Any, texts: list[str]
) -> tuple[pd.DataFrame, Any]:
    """Bytes as texts: in labels, questions and the cells of columns of text."""
    columns = [name for name in frame if frame[name].dtype == object or isinstance(frame[name].dtype, pd.StringDtype)]
    cells = {value for name in columns for value in frame[name].unique() if isinstance(value, str)}
    encoding = _encoding(path, [*texts, *cells])
    broken: set[str] = set()

    def decode(each: Any) -> Any:
        if not isinstance(each, str) or each.isascii():
            return each
        result = each.encode(_BYTES).decode(encoding, errors="replace")
        if _REPLACED in result:
            broken.add(result)
        return result

    meta.column_names_to_labels = {name: decode(label) for name, label in meta.column_names_to_labels.items()}
    meta.variable_value_labels = {
        name: {decode(code): decode(label) for code, label in labels.items()} for name, labels in _labels(meta).items()
    }
    for name in columns:
        frame[name] = frame[name].map({value: decode(value) for value in frame[name].unique()})
    if encoding == _WINDOWS:
        _note(notes, f"{path.name}: read as Windows-1252")
    for result in sorted(broken):
        _note(notes, f"{path.name}: a byte that is not {encoding.upper()} was replaced in {result[:60]!r}")
    return frame, meta


def _note(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)


def _encoding(path: Path, texts: Iterable[str]) -> str:
    """What the file says; Windows-1252 for one that says UTF-8, or nothing, while most of its texts are not."""
    stated = _stated(path) if path.suffix.lower() != ".dta" else None
    if stated and codecs.lookup(stated).name != "utf-8":
        return stated
    right = wrong = 0
    for each in {each for each in texts if not each.isascii()}:
        try:
            each.encode(_BYTES).decode("utf-8")
            right += 1
        except UnicodeDecodeError:
            wrong += 1
    return "utf-8" if right >= wrong else _WINDOWS


def _stated(path: Path) -> str | None:
    with path.open("rb") as file:
        found = _SPSS_ENCODING.search(file.read(_DICTIONARY))
    name = found[1].decode("ascii") if found else ""
    try:
        codecs.lookup(name)
    except LookupError:
        return None
    return name

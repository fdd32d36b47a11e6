"""SPSS and Stata files: numbers with the publisher's labels, in whatever encoding."""

import codecs
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from personas.surveys.file_process import FileRefused, read_labelled
from personas.surveys.table import Table, damaged, text

# In an SPSS dictionary, extension record 20 names the encoding: record type, subtype, size 1, length, then the name.
_SPSS_ENCODING = re.compile(rb"(?:\x07\0\0\0\x14\0\0\0\x01\0\0\0|\0\0\0\x07\0\0\0\x14\0\0\0\x01).{4}([\w.-]+)", re.S)
_DICTIONARY = 32 << 20
_WINDOWS = "windows-1252"
# Every byte is one character of it, so that each text can be decoded afterwards on its own.
_BYTES = "latin1"
_REPLACED = "\N{REPLACEMENT CHARACTER}"

About = dict[str, Any]  # what a file says of its columns, as pyreadstat names it


def open_labelled(path: Path) -> Table:
    """Open a .sav, .zsav or .dta file. Raises InputError where it is damaged.

    A text that is not in the file's encoding loses the bytes that are wrong, and nothing else does.
    """
    file = _File(path)
    about = file.read(metadataonly=True)[1]
    names = list(about["column_names"])
    if not all(isinstance(name, str) and name for name in names):
        raise damaged(path, ValueError("a variable has no name"))
    # Some writers of .sav leave the number of rows open.
    rows = about["number_rows"] or len(file.read(usecols=names[:1])[0])
    ranges = {
        name: [(each["lo"], each["hi"]) for each in found if isinstance(each["lo"], int | float)]
        for name, found in (about["missing_ranges"] or {}).items()
    }

    def load(variables: list[str], start: int, stop: int) -> pd.DataFrame:
        if stop <= start:
            return pd.DataFrame()
        return file.read(usecols=variables, row_offset=start, row_limit=stop - start)[0]

    return Table(
        path,
        tuple(names),
        int(rows),
        load,
        {name: label.strip() for name, label in about["column_names_to_labels"].items() if label},
        {name: {text(code): each for code, each in labels.items()} for name, labels in _labels(about).items()},
        ranges,
        frozenset(name for name, measure in (about["variable_measure"] or {}).items() if measure == "ordinal"),
        file.notes,
    )


class _File:
    """A file that is read as it says; once a text turns out to be in another encoding, as bytes, decoded here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self._encoding = ""

    def read(self, **what: Any) -> tuple[pd.DataFrame, About]:
        """What the file holds, its texts decoded. Raises InputError where the file is damaged."""
        try:
            if not self._encoding:
                return self._try(**what)
        except FileRefused as error:
            if not error.encoding:
                raise damaged(self.path, error) from None
        try:
            frame, about = self._try(encoding=_BYTES, **what)
            if not self._encoding:
                whole = about if what.get("metadataonly") else self._try(encoding=_BYTES, metadataonly=True)[1]
                self._encoding = _encoding(self.path, [*_texts(whole), *_cells(frame)])
        except FileRefused as error:
            raise damaged(self.path, error) from None
        self._decode(frame, about)
        return frame, about

    def _try(self, **what: Any) -> tuple[pd.DataFrame, About]:
        return read_labelled(self.path, user_missing=True, disable_datetime_conversion=True, **what)

    def _decode(self, frame: pd.DataFrame, about: About) -> None:
        """Bytes as texts: labels, questions and the cells of columns of text."""
        decode = self._text
        about["column_names_to_labels"] = {
            name: decode(label) for name, label in about["column_names_to_labels"].items()
        }
        about["variable_value_labels"] = {
            name: {decode(code): decode(label) for code, label in labels.items()}
            for name, labels in _labels(about).items()
        }
        for name in _textual(frame):
            frame[name] = frame[name].map({value: decode(value) for value in frame[name].unique()})
        if self._encoding == _WINDOWS:
            self._note(f"{self.path.name}: read as Windows-1252")

    def _text(self, each: Any) -> Any:
        if not isinstance(each, str) or each.isascii():
            return each
        result = each.encode(_BYTES).decode(self._encoding, errors="replace")
        if _REPLACED in result:
            name = self._encoding.upper()
            self._note(f"{self.path.name}: a byte that is not {name} was replaced in {result[:60]!r}")
        return result

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _labels(about: About) -> Mapping[str, Mapping[Any, str]]:
    return about["variable_value_labels"] or {}


def _texts(about: About) -> list[str]:
    labels = [label for table in _labels(about).values() for label in table.values()]
    return [str(each) for each in [*labels, *about["column_names_to_labels"].values()] if each]


def _textual(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if frame[name].dtype == object or isinstance(frame[name].dtype, pd.StringDtype)]


def _cells(frame: pd.DataFrame) -> set[str]:
    return {value for name in _textual(frame) for value in frame[name].unique() if isinstance(value, str)}


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

"""What a survey file declares is checked before a library opens it.

A few bytes may stand for a thousand million cells.
"""

import re
from pathlib import Path

from personas.bounded import CELLS, check_archive, check_cells, check_file, open_archive, open_parquet
from personas.errors import InputError

LAST_ROW = 1_048_576  # of an Excel sheet
_CHUNK = 1 << 22
_OVERLAP = 200
_DIMENSION = re.compile(
    rb'<(?:\w+:)?dimension\s[^>]*?ref\s*=\s*["\'](?:[A-Z]{1,9}\d{1,19}:)?([A-Z]{1,9})(\d{1,19})["\']'
)
_FAR_ROW = re.compile(rb'\br\s*=\s*["\'][A-Z]{0,9}0*(\d{7,})["\']')
_DECLARED = 3_000_000_000  # cells of a Parquet file, of which only some columns are read at a time


def check_table(path: Path) -> None:
    """Raises InputError for a survey file that is not a regular file, or that declares more than any survey holds.

    What a library raises for a damaged file goes through.
    """
    check_file(path)
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        check_archive(path)
        _check_sheets(path)
    elif suffix == ".parquet":
        open_parquet(path, _DECLARED)


def _check_sheets(path: Path) -> None:
    """No sheet names a row or a size that Excel does not have: rows that are left out would be made up one by one."""
    with open_archive(path) as book:
        for name in book.namelist():
            if not name.startswith("xl/worksheets/"):
                continue
            with book.open(name) as sheet:
                tail = b""
                while chunk := sheet.read(_CHUNK):
                    _check_sheet(path, tail + chunk)
                    tail = chunk[-_OVERLAP:]


def _check_sheet(path: Path, text: bytes) -> None:
    if declared := _DIMENSION.search(text):
        columns = 0
        for letter in declared[1]:
            columns = 26 * columns + letter - 64
        check_cells(path, int(declared[2]), columns, CELLS)
    for far in _FAR_ROW.finditer(text):
        if int(far[1]) > LAST_ROW:
            raise InputError(f"{path}: names the row {far[1].decode()[:20]}, which no sheet has; save it again")

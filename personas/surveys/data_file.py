"""Opens a survey file in any of its publishers' formats: what it holds first, then only the columns asked for."""

import csv
from pathlib import Path

import pandas as pd

from personas.bounded import check_file
from personas.errors import InputError, MtpaError
from personas.surveys.grid_files import open_csv, open_jsonl, open_parquet, open_xlsx
from personas.surveys.guards import check_table
from personas.surveys.labelled_files import open_labelled
from personas.surveys.table import Table, damaged

FORMATS = (".sav", ".zsav", ".dta", ".csv", ".tsv", ".xlsx", ".parquet", ".jsonl")

# How a file of each format begins; a .dta before version 117 begins with its version number.
_MAGIC = {".sav": (b"$FL2", b"$FL3"), ".zsav": (b"$FL3",), ".xlsx": (b"PK\x03\x04",), ".parquet": (b"PAR1",)}
_MAGIC[".dta"] = (b"<stata_dta>", *(bytes([version]) for version in range(104, 116)))
_KNOWN = {b"%PDF": "a PDF document", b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive", b"$FL": "SPSS data"}
_KNOWN |= {b"<!": "a web page", b"<html": "a web page", b"RDX": "an R file", b"PAR1": "a Parquet file"}
_KNOWN |= dict.fromkeys(
    (b"\xff\xfe", b"\xfe\xff"), "text in UTF-16, which Excel calls Unicode text (save it as CSV UTF-8)"
)


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
    openers = {".csv": open_csv, ".tsv": open_csv, ".xlsx": open_xlsx, ".parquet": open_parquet, ".jsonl": open_jsonl}
    try:
        check_table(path)
        table = openers.get(suffix, open_labelled)(path)
    except (csv.Error, pd.errors.ParserError) as error:
        raise InputError(f"{path} is not a table of cells ({error})") from None
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

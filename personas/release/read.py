"""Persona files: MTPA.jsonl and MTPA-base.jsonl, personas.parquet, and the paper's authors' mpta.json.

A line of the JSONL files is one respondent: id, survey, wave, country, weight, split, and `data`, a list of what was
answered: trait, domain, use, question, scale, value, label.
"""

from pathlib import Path

from personas.errors import InputError
from personas.people.respondents import Respondents
from personas.release.authors import read_authors
from personas.release.jsonl import read_jsonl
from personas.release.parquet import read_store


def read_personas(path: Path) -> Respondents:
    """The respondents of a personas.parquet, an MTPA.jsonl (or .jsonl.gz), or the authors' mpta.json.

    Raises InputError for anything else, with the line where it stops making sense.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        return read_store(path)[0]
    if name.endswith((".jsonl", ".jsonl.gz")):
        return read_jsonl(path)
    if name.endswith(".json"):
        return read_authors(path)
    raise InputError(f"{path}: a persona file is a .parquet, .jsonl, .jsonl.gz or .json file")


def refuse_restricted(respondents: Respondents) -> None:
    """Raises InputError where the terms of a survey forbid passing its rows on."""
    if sources := respondents.restricted():
        first = sources[0]
        raise InputError(
            f"{first.title} may not be passed on as you please ({first.licence}): if you have leave, say --i-may-share"
        )

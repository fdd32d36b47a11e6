"""What a survey's codes mean by its codebook, whatever a file says of them or leaves out."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from personas.errors import InputError, nearest


@dataclass(frozen=True)
class CodebookEntry:
    """One variable: its question, and the labels of its codes (missing ones left out)."""

    question: str
    labels: Mapping[int, str]


@cache
def codebook(name: str) -> Mapping[str, CodebookEntry]:
    """The variables of a codebook that comes with the program, by their names in lower case; none for "".

    Raises InputError for an unknown name.
    """
    if not name:
        return {}
    folder = files("personas.surveys").joinpath("codebooks")
    known = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if name not in known:
        raise InputError(f"unknown codebook {name!r}; {nearest(name, known)}")
    table = tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    entries: dict[str, CodebookEntry] = {}
    for scale in table["scale"]:
        labels = {int(code): label for code, label in scale["labels"].items()}
        entries |= {
            variable.lower(): CodebookEntry(question, labels) for variable, question in scale["questions"].items()
        }
    return entries

"""Which option an answer names, where the description does not say how it names one.

An answer is an option's text, its letter, the column that it stands in, or its number from 0 or from 1. One record may
be read in several ways; a file is read in the one way that fits all of its records, or not at all.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from personas.errors import InputError
from scoring.answers.items import LETTERS

_LETTER = re.compile(r"[\W_]*([A-Za-z])[\W_]*")
_WHOLE = re.compile(r"\d{1,3}(?:\.0)?")
TRANSFORMS = {
    "an option's text": "strip",
    "a letter": "letter",
    "a number from 0": "int",
    "a number from 1": "one_based",
}


@dataclass(frozen=True)
class GoldAnswer:
    """A record's place, its options, and what it gives as the answer: one, or a list."""

    place: str
    choices: Sequence[str]
    answer: Any


def read_gold(path: Any, records: Sequence[GoldAnswer], columns: Sequence[str]) -> list[list[int]]:
    """The numbers of each record's right options, from 0. `columns` are those that the options stand in, if any.

    Raises InputError where the answers of the file can be read in two ways that differ, or in none.
    """
    found = {name: [_read(read, each, columns) for each in records] for name, read in _READINGS.items()}
    whole = {name: rows for name, rows in found.items() if all(rows)}
    if not whole:
        raise _unread(records, found)
    first = next(iter(whole))
    if other := next((name for name in whole if whole[name] != whole[first]), None):
        pairs = zip(records, whole[first], whole[other], strict=True)
        example = next(record.answer for record, one, two in pairs if one != two)
        ways = " or ".join(f'"{TRANSFORMS[name]}"' for name in (first, other) if name in TRANSFORMS)
        raise InputError(
            f"{path}: [fields] answer: {example!r:.60} may be {first} or {other}, in every record of the file; say "
            f"which by a transform: answer = {{ column = …, transforms = [ {ways} ] }}"
        )
    return [sorted(row or ()) for row in whole[first]]


def _read(
    read: Callable[[str, Sequence[str], Sequence[str]], int | None], record: GoldAnswer, columns: Sequence[str]
) -> set[int] | None:
    """The options that all answers of a record name in this reading; None where one of them names none."""
    answers = record.answer if isinstance(record.answer, list | tuple) else [record.answer]
    found = {None if _absent(each) else read(_text(each), record.choices, columns) for each in answers}
    return {each for each in found if each is not None} if found and None not in found else None


def _absent(answer: Any) -> bool:
    return answer is None or isinstance(answer, bool) or not _text(answer)


def _text(answer: Any) -> str:
    return str(int(answer)) if isinstance(answer, float) and answer.is_integer() else str(answer).strip()


def _by_text(answer: str, choices: Sequence[str], columns: Sequence[str]) -> int | None:
    texts = [choice.strip() for choice in choices]
    return texts.index(answer) if texts.count(answer) == 1 else None


def _by_letter(answer: str, choices: Sequence[str], columns: Sequence[str]) -> int | None:
    letter = _LETTER.fullmatch(answer)
    place = LETTERS.index(letter[1].upper()) if letter else len(choices)
    return place if place < len(choices) else None


def _by_column(answer: str, choices: Sequence[str], columns: Sequence[str]) -> int | None:
    """By a column's whole name, or by what tells it from its neighbours: "b" of option_a, option_b."""
    names = [name.strip().lower() for name in columns]
    same = 0
    while names and len({name[: same + 1] for name in names}) == 1 and same < min(map(len, names)):
        same += 1
    for known in (names, [name[same:] for name in names]):
        if known.count(answer.lower()) == 1 and (place := known.index(answer.lower())) < len(choices):
            return place
    return None


def _by_number(answer: str, choices: Sequence[str], first: int) -> int | None:
    place = int(float(answer)) - first if _WHOLE.fullmatch(answer) else -1
    return place if 0 <= place < len(choices) else None


_READINGS: Mapping[str, Callable[[str, Sequence[str], Sequence[str]], int | None]] = {
    "an option's text": _by_text,
    "a letter": _by_letter,
    "a column's name": _by_column,
    "a number from 0": lambda answer, choices, columns: _by_number(answer, choices, 0),
    "a number from 1": lambda answer, choices, columns: _by_number(answer, choices, 1),
}


def _unread(records: Sequence[GoldAnswer], found: Mapping[str, Sequence[set[int] | None]]) -> InputError:
    """The first record that the reading does not fit which fits most."""
    best = max(found, key=lambda name: sum(map(bool, found[name])))
    record = next(each for each, read in zip(records, found[best], strict=True) if not read)
    answers = record.answer if isinstance(record.answer, list | tuple) else [record.answer]
    if not answers or any(_absent(each) and not isinstance(each, bool) for each in answers):
        return InputError(f"{record.place}: a record that has no gold answer")
    others = f"; the other records have {best}" if any(found[best]) else ""
    return InputError(
        f"{record.place}: a record that has the answer {record.answer!r:.60}, which is none of its "
        f"{len(record.choices)} choices, nor a letter or number of one{others}"
    )

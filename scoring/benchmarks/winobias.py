"""WinoBias (Zhao et al. 2018): whom a pronoun refers to, where the stereotype of an occupation agrees or disagrees."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from personas import bounded
from personas.errors import InputError
from scoring.answers.items import Item
from scoring.benchmarks.base import MultipleChoice
from scoring.benchmarks.records import located
from scoring.statistics.many_item import ManyItemScore, mean_of

DIRECTIONS = ("pro", "anti")
_LINE = re.compile(r"\s*(\d+)\s+(.+?)\s*")
_MARKED = re.compile(r"\[([^\[\]]+)\]")
_ARTICLE = re.compile(r"^(?:the|an?) ")
_PRONOUNS = frozenset("he she him her his hers himself herself".split())


class WinoBias(MultipleChoice):
    """Accuracy of whom the pronoun refers to, over sentences with and against the stereotype.

    Also of the two apart, as their difference is the bias.
    """

    name = "winobias"
    version = "0bce984, test"
    title = "WinoBias"
    assets: tuple[str, ...] = ("winobias",)
    parts: tuple[str, ...] = ("type1", "type2")
    about: Mapping[str, str] = {
        "type1": "sentences that take knowledge of the world to be understood",
        "type2": "sentences whose syntax settles it",
    }
    sizes: Mapping[str, int] = {"type1": 792, "type2": 792}
    meta_columns: tuple[str, ...] = ("direction", "pronoun")
    category = "direction"
    licence = "MIT"

    def load(self, directory: Path, part: str | None = None) -> Iterator[Item]:
        """396 sentences of the test set with the stereotype and 396 against it a part; the two versions are a group."""
        names = [each.strip() for sex in ("male", "female") for each in _lines(directory / f"{sex}_occupations.txt")]
        known = re.compile(rf"\b(?:the|an?) ({'|'.join(map(re.escape, names))})\b", re.I)
        for name in self.chosen_parts(part):
            for direction in DIRECTIONS:
                path = directory / f"{direction}_stereotyped_{name}.txt.test"
                for number, line in enumerate(_lines(path), start=1):
                    with located(f"{path}, line {number}", "a WinoBias sentence"):
                        yield _item(name, direction, line, known)

    def many_item_scores(self, frame: pd.DataFrame) -> Sequence[ManyItemScore]:
        """Accuracy with the stereotype and against it: the official pro- and anti-stereotypical scores."""
        value = frame["value"].to_numpy(dtype=float)
        read = ~np.isnan(value)
        of = {each: read & (frame["direction"] == each).to_numpy() for each in DIRECTIONS}
        return [mean_of(f"{each}_stereotypical", value, rows) for each, rows in of.items()]


def _lines(path: Path) -> Iterator[str]:
    try:
        text = bounded.read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__}); fetch it again") from None
    yield from (line for line in text.splitlines() if line.strip())


def _item(part: str, direction: str, line: str, known: re.Pattern[str]) -> Item:
    found = _LINE.fullmatch(line)
    marked = _MARKED.findall(found[2]) if found else []
    pronouns = [each for each in marked if each.strip().lower() in _PRONOUNS]
    if not found or not pronouns or len(pronouns) != len(marked) - 1:
        raise ValueError("has not a number, an occupation in brackets, and pronouns of it in brackets")
    pronoun, right = pronouns[0].strip(), next(each.strip() for each in marked if each not in pronouns)
    sentence = _MARKED.sub(r"\1", found[2])
    people = tuple(dict.fromkeys(f"the {each}" for each in (name.strip() for name in known.findall(sentence))))
    named = "the " + _ARTICLE.sub("", right.lower())
    gold = [person for person in people if person.lower() == named]
    if len(people) != 2 or len(gold) != 1:
        raise ValueError(f"names {', '.join(people) or 'nobody'} and marks {right!r}: not one of two occupations")
    return Item(
        id=f"winobias/{part}/{direction}/{found[1]}",
        benchmark="winobias",
        version=WinoBias.version,
        part=part,
        context=sentence,
        question=f'In this sentence, whom does "{pronoun}" refer to?',
        choices=people,
        weights=tuple(float(person == gold[0]) for person in people),
        group=f"winobias/{part}/{found[1]}",
        scoring={"kind": "accuracy"},
        meta={"direction": direction, "pronoun": pronoun.lower()},
    )

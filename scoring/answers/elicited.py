"""Reading an answer that was not asked for as a letter: each form in one strict way.

What is not of the form that was asked for is unread; nothing is guessed.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scoring.answers.items import LETTERS, Elicitation
from scoring.answers.thinking import without_thinking

MOST = 20_000  # characters; what is longer is no answer of such a form
KEY = "answer"
_FENCE = re.compile(r"```(?:json)?\s*\n(?P<inside>.*)\n\s*```", re.I | re.S)
_AROUND = " \t\n\"'`*_“”‘’«»"
_LIST_MARK = re.compile(r"^[-•*]\s+")
_BETWEEN = re.compile(r"\n|(?<=%)\s*[,;]")
_STATED = re.compile(r"(?P<letter>[A-Z])\s*[:=]\s*(?P<number>\d{1,3}(?:[.,]\d{1,6})?)\s*%?\.?")
_LONE = re.compile(
    r"(?:(?:my |the )?(?:final )?answer(?: is)?\s*:?\s*)?[\[(]?(?:\\boxed\{)?(?P<letter>[A-Z])\}?[\])]?\.?", re.I
)
_LABEL = re.compile(r"[\[(]?(?P<letter>[A-Z])[\])]?[.):]")
_MARKUP = re.compile(r"[*_`$#>]")


def read_option_text(text: str, shown: Sequence[str]) -> int | None:
    """The place of the one option whose text this is; None where it matches none, or several.

    Case, spaces, quotation marks and a full stop do not count.
    """
    said = _plain(text)
    same = [place for place, option in enumerate(shown) if said and _plain(option) == said]
    return same[0] if len(same) == 1 else None


def read_json(text: str, shown: Sequence[str]) -> int | None:
    """The place that a JSON object {"answer": LETTER} names, alone or in a fence.

    None for any other text, also for an object that has more keys or one twice.
    """
    fenced = _FENCE.fullmatch(text.strip())
    try:
        found = json.loads(fenced["inside"] if fenced else text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    letter = found.get(KEY) if isinstance(found, dict) and len(found) == 1 else None
    return _place(letter, len(shown)) if isinstance(letter, str) else None


def read_last_line(text: str, shown: Sequence[str]) -> int | None:
    """The place of the letter that is alone on the last line, as "B", "(B)" or "Answer: B".

    None where there is none, where another line is another letter alone, or where it continues the line before: a list
    of the options, or a sentence.
    """
    lines = [line for line in (_MARKUP.sub("", each).strip() for each in text.splitlines()) if line]
    alone = [_LONE.fullmatch(line) for line in lines]
    if not lines or alone[-1] is None or len({each["letter"] for each in alone if each}) > 1:
        return None
    letter, before = alone[-1]["letter"], lines[-2] if len(lines) > 1 else ""
    listed = _LABEL.match(before)
    if before.endswith(",") or (listed and ord(letter) == ord(listed["letter"]) + 1):
        return None
    return _place(letter, len(shown))


def read_stated(text: str, options: int) -> tuple[float, ...] | None:
    """The probabilities that a text states, in the order shown and summing to 1.

    The text is "A: 70 %" for each option once, a line each or divided by commas, and nothing else.

    None where an option is missing or stated twice, or the percentages sum to what rounding does not explain: half a
    point for each option, or one, away from 100.
    """
    stated: dict[str, float] = {}
    for line in filter(None, (_MARKUP.sub("", each).strip() for each in _BETWEEN.split(text))):
        match = _STATED.fullmatch(_LIST_MARK.sub("", line))
        if match is None or match["letter"] in stated:
            return None
        stated[match["letter"]] = float(match["number"].replace(",", "."))
    total = sum(stated.values())
    if set(stated) != set(LETTERS[:options]) or abs(total - 100) > max(1.0, options / 2):
        return None
    return tuple(stated[letter] / total for letter in LETTERS[:options])


_READERS: Mapping[Elicitation, Callable[[str, Sequence[str]], int | None]] = {
    "text": read_option_text,
    "json": read_json,
    "reasoning": read_last_line,
}


def read_elicited(elicitation: Elicitation, text: str, shown: Sequence[str]) -> int | None:
    """The place of the one option that the answer chooses; None where it chooses none. Thinking is not the answer."""
    said = without_thinking(text)
    return _READERS[elicitation](said, shown) if len(said) <= MOST else None


def stated_probabilities(text: str, options: int) -> tuple[float, ...] | None:
    """`read_stated` of what is not thinking."""
    said = without_thinking(text)
    return read_stated(said, options) if len(said) <= MOST else None


def _plain(text: str) -> str:
    """A text without what may differ in a word-for-word copy of it."""
    words = " ".join(unicodedata.normalize("NFKC", text).split())
    return _LIST_MARK.sub("", words).strip(_AROUND).removesuffix(".").strip(_AROUND).casefold()


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _place(letter: str, count: int) -> int | None:
    place = LETTERS.find(letter) if len(letter) == 1 else -1
    return place if 0 <= place < count else None

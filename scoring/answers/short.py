"""The commonest replies ("The answer is B.", "B) Paris"), which need no grammar: what the full reader finds, sooner."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from scoring.answers.mentions import bare, place_of

_CUED = re.compile(
    r"(?i:(?:(?:the|my)\s)?(?:(?:correct|best|right)\s)?answer(?:\sis:?|:)\s)"
    r"(?P<open>\*\*|\()?(?P<letter>[A-Z])(?(open)(?:\*\*|\)))\.?"
)
_LABELLED = re.compile(r"\(?(?P<letter>[A-Z])[.)]\s(?P<words>[^\n{}\[\]<>#\\:]{2,200})")
_OF_CUES = frozenset("the my a an correct best right answer is".split())


class _Known(NamedTuple):
    """Options as they are compared, and whether none of them may be read in the words of a cue."""

    words: tuple[str, ...]
    apart: bool


def short_reply(plain: str, options: Sequence[str]) -> int | None:
    """The place that a short reply in one of the usual forms chooses; None for any other text, which may choose one.

    A letter that no option has, and words that two options share, are left to the full reader.
    """
    known = _known(tuple(options))
    if (cued := _CUED.fullmatch(plain)) is not None:
        return place_of(cued.group("letter"), len(options)) if known.apart else None
    if (labelled := _LABELLED.fullmatch(plain)) is None:
        return None
    place, words = place_of(labelled.group("letter"), len(options)), bare(labelled.group("words"))
    if place is None or len(words) < 2 or known.words[place] != words:
        return None
    whole = plain.casefold()
    alone = not any(each in whole or words in each for number, each in enumerate(known.words) if number != place)
    return place if alone else None


@lru_cache(maxsize=4096)
def _known(options: tuple[str, ...]) -> _Known:
    words = tuple(bare(option) for option in options)
    tokens = [[token for token in re.findall(r"\w+", each) if len(token) > 1] for each in words]
    return _Known(words, not any(_OF_CUES.issuperset(each) for each in tokens))

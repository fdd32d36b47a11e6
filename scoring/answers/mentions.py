"""How options are mentioned in a text: by a letter that stands alone, or by their own words.

Options' own words are replaced by one private character each ("B. Paris" and "Paris (B)" become a labelled one,
"Paris" a bare one), so that every pattern sees a letter and a quotation alike, and no word of an option ("not", "A")
is taken for a word of the answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from scoring.answers.items import LETTERS

_LABELLED, _BARE = 0xE000, 0xE100
QUOTED = "\ue000-\ue1ff"

# A letter stands alone: Latin letters, digits and hyphens beside it make it part of a word, other scripts do not;
# neither do the letters of "A.D." stand alone.
LEFT = r"(?<![A-Za-zÀ-ɏ0-9&-])(?<![A-Za-z]')(?<!\b[A-Z]\.)"
RIGHT = r"(?![A-Za-zÀ-ɏ0-9]|'(?!d[iıuü]r)[A-Za-z]|-[A-Za-z0-9]|&[A-Za-z]|\.[A-Za-z](?:\.|\s*$))"
OPEN = r"[\s\"'`*_(\[{<$«「『【|✅✔✓☑>~#-]{0,8}"
CLOSE = r"[\"'`*_)\]}>$»」』】|]{0,6}"
# A capital, or a small letter that something closes ("the answer is b.", but not "the answer is a dog").
MENTION = (
    rf"(?:{LEFT}(?:(?P<capital>[A-Z]){RIGHT}|(?P<small>[a-z]){RIGHT}(?=[\"'`*_)\]}}>$»」】.,:;!?。]|\s*$|\s*\n))"
    rf"|(?P<quoted>[{QUOTED}]))"
)
NOUN = (
    r"(?:option|choice|letter|answer|number|sentence|statement|opción|opção|opzione|lettre|letra|lettera|вариант|опция)"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Places that a text names at `start`; an answer names one, "B or C" two."""

    start: int
    places: frozenset[int]


def bare(text: str) -> str:
    """A text stripped of what may surround a quoted option."""
    return re.sub(r"\s+", " ", text).strip(" \t\n\"'`*_.,:;!?。()[]").casefold()


def place_of(letter: str, count: int) -> int | None:
    """The place that a letter names among `count` options."""
    place = LETTERS.find(letter.upper())
    return place if 0 <= place < count else None


def mentioned(match: re.Match[str], count: int) -> tuple[int, int, int | None]:
    """Start and end of a match's mention, and the place that it names."""
    group = next(name for name in ("capital", "small", "quoted") if match.group(name))
    start, end = match.span(group)
    if group == "quoted":
        return start, end, ord(match.group(group)) & 0xFF
    return start, end, place_of(match.group(group), count)


def private(place: int) -> str:
    """The private character of an option's words with their own letter."""
    return chr(_LABELLED + place)


def is_labelled(character: str) -> bool:
    """Whether a private character stands for an option's words with their own letter."""
    return _LABELLED <= ord(character) < _BARE


def is_bare(character: str) -> bool:
    """Whether a private character stands for an option's words alone."""
    return _BARE <= ord(character) < _BARE + 0x100


def quoted_marked(plain: str, options: Sequence[str]) -> str:
    """The text with options' words replaced, the longest first."""
    for place, pattern in _quotations(tuple(options)):
        plain = pattern.sub(partial(_sign, place), plain)
    return plain


def _sign(place: int, match: re.Match[str]) -> str:
    return chr((_LABELLED if match["before"] or match["after"] else _BARE) + place)


@lru_cache(maxsize=256)
def _quotations(options: tuple[str, ...]) -> Sequence[tuple[int, re.Pattern[str]]]:
    words = {place: bare(option) for place, option in enumerate(options)}
    # A lone letter is an article or a label, never a quotation.
    told = {place: each for place, each in words.items() if each and not re.fullmatch(r"[a-z]", each)}
    longest = sorted(told, key=lambda place: len(told[place]), reverse=True)
    return [(place, re.compile(_quotation(LETTERS[place], told[place]), re.I)) for place in longest]


def _quotation(letter: str, words: str) -> str:
    text = r"\s+".join(re.escape(word) for word in words.split())
    label = (
        rf"(?P<before>{LEFT}(?:{letter}|(?<=[(\[*_]){letter.lower()}|{letter.lower()}(?=[.)\]:])){CLOSE}"
        rf"(?:\s?[.:)\]、=]>?|\s(?:->?|[–—→|])|\s|,)[\s\"'`*_:(\[✅✔✓☑-]{{0,4}})"
    )
    after = rf"(?P<after>[.\"'*_]{{0,3}}\s?\((?:{NOUN}\s)?{letter}\))"
    return rf"(?:(?-i:{label}))?(?:(?<=[A-Z][.):])|{_left(words)}){text}{_right(words)}(?:(?-i:{after}))?"


def _left(words: str) -> str:
    if not words[0].isascii():
        return ""
    return r"(?<![\w./%])(?<!(?<![\d\ue000-\ue1ff])-)(?<!of )(?<!to )" if words.isdigit() else r"(?<!\w)"


def _right(words: str) -> str:
    """A short option ("no", "3") must end its clause: "no idea" is no "no"."""
    if not words[-1].isascii():
        return ""
    if words.isdigit():
        # "3/5" rates; "24/7" does not.
        scales = "|".join(str(top) for top in (*range(3, 12), 100) if top >= int(words)) or "(?!)"
        return (
            r"(?=\s*(?:$|[,;:!?)\]}\n\"'*_`(]|\.(?!\d)|[-–—]\s*\d|/\s*(?:" + scales + r")(?!\d))|"
            r"\s+[a-z]+[.!]?\s*$|\s+(?:out of|on|or|and|to|because|since|as|for|in|[-–—])(?:\W|$))"
        )
    if len(words) > 3:
        return r"(?!\w)"
    return (
        r"(?=[^\S\n]*\n|\s*(?:$|[^\w\s]|[^\x00-\x7f])|\s+(?:because|since|as|it|this|that|they|and|or|but|nor|to|out|"
        r"if|in|for|"
        r"which|is|was|would|seems)\b)"
    )


_SEPARATOR = r"[\s,;|/*_•·–—>.()\[\]\"'`\-✅✔✓☑❌✗✘]{0,12}(?:(?:or|and|o|ou|oder|und|y|e|et|и|или)\s+)?"


def without_lists(marked: str, count: int) -> str:
    """The text without re-listed options ("A. Lyon B. Paris …"): labelled ones one after the other, from the first."""
    found, place = [], 0
    while (start := marked.find(chr(_LABELLED), place)) >= 0:
        place = end = start + 1
        number = 1
        while number < count:
            following = re.compile(rf"{_SEPARATOR}{chr(_LABELLED + number)}").match(marked, end)
            if following is None:
                break
            end = following.end()
            number += 1
        # A list that is cut off ends with the next label alone.
        if number < count and not re.match(r"\W|$", marked[end:]):
            continue
        if 1 < number < count and (cut := re.compile(rf"{_SEPARATOR}{LETTERS[number]}[.)\]:*\s]*$").match(marked, end)):
            end = cut.end()
        if end > place:
            found.append((start, end))
            place = end
    kept, place = [], 0
    for start, end in found:
        kept.append(marked[place:start])
        place = end
    return "\n".join([*kept, marked[place:]]).strip()

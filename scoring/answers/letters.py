"""Reading a letter out of a model's text. Nothing is guessed: a text that chooses no option, or several, is unread."""

import re
from collections.abc import Sequence
from functools import lru_cache

from scoring.answers import cues, lone_letters
from scoring.answers.marked import marked_answers, without_table
from scoring.answers.mentions import Claim, bare, place_of, quoted_marked, without_lists
from scoring.answers.plain import plain_text
from scoring.answers.quotes import quoted_options
from scoring.answers.short import short_reply

_SHORT = 200  # characters of a reply that may come again
_CORRECTION = re.compile(
    r"\b(?:wait|hold on|correction|scratch that|strike that|i mean|i meant|let me (?:re|think again|correct)\w*|"
    r"reconsider\w*|"
    r"on (?:second thoughts?|reflection)|i take (?:that|it) back|my mistake|oops|i was wrong|make that|actually|"
    r"or rather|sorry|"
    r"that(?:'s| is| was) (?:wrong|not right|incorrect)|chang(?:e|ed|ing) my (?:mind|answer)|nein|warte|attends|"
    r"espera|aspetta)\b"
    r"|\bno\b\s*[,.:–—-]|\bhmm+\b|不对|不對|等等|いや|아니|нет\b",
    re.I,
)
# These take an answer back, whether or not another follows.
_TAKEN_BACK = re.compile(
    r"(?:^|[.!?\n,–—-]\s*|\bno )(?:wait|hold on)\b\s*[,.:!–—-]|\b(?:scratch that|strike that|on second thoughts?|"
    r"i take (?:that|it) back|let me (?:reconsider|re-?think|think again|re-?evaluate|correct)|my mistake|i was wrong|"
    r"i made a mistake|(?<=[.!?…–—-] )no(?=[\s.!]*$)|(?<=[.!?…–—-] )no,? not\b|chang(?:e|ed|ing) my (?:mind|answer))\b",
    re.I,
)
# Who ventures an answer and then cannot say has given none.
_HEDGE_REACH = 60  # characters
_HEDGE = re.compile(r"\b(?:perhaps|maybe|possibly)\b[^.!?\n]*$", re.I)
_UNSURE = re.compile(
    r"[.!;–—]\s+(?:but |honestly,? )?(?:i (?:\w+ )?(?:can't|cannot|couldn't|don't|do not) (?:\w+ )?"
    r"(?:tell|say|know|decide|choose)|i'm (?:\w+ )?not sure|(?:it's )?hard to (?:say|tell)|no idea)\b[^\n]{0,40}$",
    re.I,
)


def read_letter(text: str, shown: Sequence[str]) -> int | None:
    """The place (0 for A) of the one option that the text chooses, or None where it chooses none or several.

    `shown` are the options in the order shown. The first way of answering that says anything decides: the whole text is
    a letter or an option; a marked or "final" answer; a label or an option's words that open the text; "the answer is
    B" and its like; a lone letter at the end; a verdict on each letter; one option quoted in full. A mention counts
    where the text claims it, not where it denies it, reports what others say or sets a condition, and a correction
    ("wait, no") leaves what follows it. Thinking is not the answer.
    """
    return (_remembered if len(text) <= _SHORT else _chosen)(text, tuple(shown))


def _chosen(text: str, shown: tuple[str, ...]) -> int | None:
    plain = plain_text(text)
    options = _plain_options(shown)
    if not plain:
        return None
    if (place := short_reply(plain, options)) is not None:
        return place
    whole = _whole(plain, options)
    return _read(plain, options) if whole is None else whole


_remembered = lru_cache(maxsize=1 << 14)(_chosen)  # most personas answer an item in one of a few ways


@lru_cache(maxsize=4096)
def _plain_options(shown: tuple[str, ...]) -> Sequence[str]:
    return tuple(plain_text(option) for option in shown)


def _whole(plain: str, options: Sequence[str]) -> int | None:
    """A lone letter, or the text of an option and nothing else."""
    lone = lone_letters.LONE.match(plain) or lone_letters.WHOLE.match(plain)
    if lone and (place := place_of(lone.group("letter"), len(options))) is not None:
        return place
    words = bare(plain)
    for known, said in (([bare(each) for each in options], words), _without_articles(options, words)):
        same = [place for place, option in enumerate(known) if said and option == said]
        if same:
            return same[0] if len(same) == 1 else None
    return None


def _without_articles(options: Sequence[str], words: str) -> tuple[list[str], str]:
    article = re.compile(r"^(?:the|an?)\s+")
    return [article.sub("", bare(each)) for each in options], article.sub("", words)


def _read(plain: str, options: Sequence[str]) -> int | None:
    marked = marked_answers(plain, lambda value: _short(value, options))
    if marked is None:
        return _sole(_prose(quoted_marked(without_table(plain), options), options))
    chosen = frozenset(place for claim in marked for place in claim.places)
    if len(marked) > 1 and _CORRECTION.search(plain[marked[0].start : marked[-1].start]):
        chosen = marked[-1].places
    # A label that opens the text and an answer that is marked must agree.
    first = lone_letters.opening(without_lists(quoted_marked(plain, options), len(options)), len(options))
    return _sole(chosen | (first.places if first else frozenset()))


def _short(value: str, options: Sequence[str]) -> int | None:
    """A marked value, which is a small reply of its own."""
    value = value.strip()
    whole = _whole(value, options) if value else None
    return _sole(_prose(quoted_marked(value, options), options)) if whole is None else whole


def _sole(places: frozenset[int]) -> int | None:
    return next(iter(places)) if len(places) == 1 else None


def _prose(marked: str, options: Sequence[str]) -> frozenset[int]:
    """What running text chooses."""
    count = len(options)
    text = without_lists(marked, count)
    opening, last = lone_letters.opening(text, count), lone_letters.last(text, count)
    ends = [claim for claim in (opening, last) if claim]
    if final := cues.claims(cues.FINAL, text, count):
        return _settled(text, [*ends, *final])
    strong = [*cues.claims(cues.STRONG, text, count), *cues.compared(text, count)]
    if opening and (settled := _settled(text, [*ends, *strong])):
        return settled
    if named := [*strong, *cues.claims(cues.WEAK, text, count)]:
        return _settled(text, [*ends, *named])
    if opening:
        return frozenset()
    if last:
        return _settled(text, [last])
    return lone_letters.judged(marked, count) or quoted_options(text, options)


def _settled(text: str, claims: Sequence[Claim]) -> frozenset[int]:
    """The places claimed after the last correction; none where the last answer is taken back."""
    found: frozenset[int] = frozenset()
    previous = 0
    for claim in sorted(claims, key=lambda each: each.start):
        if found and claim.places != found and _CORRECTION.search(text[previous : claim.start]):
            found = frozenset()
        found |= claim.places
        previous = claim.start
    if _TAKEN_BACK.search(text[previous:]):
        return frozenset()
    hedged = _HEDGE.search(text[max(0, previous - _HEDGE_REACH) : previous])
    return frozenset() if hedged and _UNSURE.search(text[previous:]) else found

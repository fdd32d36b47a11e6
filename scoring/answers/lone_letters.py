"""Labels that stand alone: the one that opens a text, the one that ends it, and verdicts on each."""

import re
from itertools import islice

from scoring.answers.claims import is_claimed, is_rejected, leads_to_answer
from scoring.answers.cues import named
from scoring.answers.items import LETTERS
from scoring.answers.mentions import (
    CLOSE,
    LEFT,
    MENTION,
    NOUN,
    OPEN,
    QUOTED,
    RIGHT,
    Claim,
    is_bare,
    is_labelled,
    mentioned,
    place_of,
    private,
)
from scoring.answers.refusals import is_refusal

LONE = re.compile(
    rf"^{OPEN}(?:{NOUN}\s+)?{OPEN}(?P<letter>[A-Za-z]|[{QUOTED}]){CLOSE}[\s.,:;!。、)\]✅✔✓☑]{{0,8}}{CLOSE}$", re.I
)
# A whole reply may hesitate before its letter and after it, or say it again.
WHOLE = re.compile(
    rf"^(?:(?:h+m+|u+h+m*|u+m+|er+m*|well|ok(?:ay)?|so|oh|ah|sure|easy)\b[\s,.:!–—-]+){{0,2}}{OPEN}"
    rf"(?:(?:only|just|simply)\s+)?"
    rf"(?:(?:(?:the|la|die|a(?=\s+(?:op|let)))\s+)?{NOUN}\s+)?{OPEN}(?P<letter>[A-Z]|[{QUOTED}]){CLOSE}[.!]?"
    r"(?:(?:\s*,\s*|\s+)(?:i (?:think|guess|believe|suppose|would say|reckon)|i'd say|i'm (?:fairly |pretty |quite )?"
    r"sure|probably|definitely|obviously|clearly|it is|for sure|please|only|alone|(?P=letter)))*\s*[.!?]{0,3}$",
    re.I,
)
_OPENING = re.compile(
    rf"^{OPEN}(?:(?i:{NOUN})\s+)?{OPEN}"
    rf"(?:(?P<capital>[A-Z]){RIGHT}|(?P<small>[a-z])(?=[)\].:*]){RIGHT}|(?P<quoted>[{QUOTED}]))"
)
_ENDED = re.compile(
    rf"{CLOSE}(?:\s*[.:)\]、。!,;\n(–—-]|\s+[-–—(]|\s+(?:because|since|as|for|given|over|rather than|instead of|"
    r"(?:and|but) not|it is(?=\s*[.!,]|$))\b|\s*而(?:不是|非)|\s+>\s+[A-Z]\s*$|\s*$)"
)
# After the option's own words the sentence may go on, but not to speak about whom or what they name.
_ENDED_WORDS = re.compile(
    rf"{CLOSE}(?:\s*(?:[.!。\n]|$)|\s+(?:because|since)\b|\s*[-–—(]|\s*:\s*[a-z]|\s*,\s*(?:it|that|this|because|since|"
    rf"as|i|you|we|"
    rf"there|"
    r"not|never|no(?=\s+[a-z])|nobody|nothing|one (?:should|must|can|would|does|has|need)\w*(?:n't)?|"
    r"according to the|definitely|of course|absolutely|certainly|in my|"
    r"for me|for the|but|"
    r"although|though|without|he|she|they)\b|"
    r"\s+(?:it|this|that)\b)",
    re.I,
)
_JUDGED = re.compile(
    rf"{CLOSE}\s*(?:[:=.)–—-]|\()?\s*(?:not\b(?!\s+(?:[A-Z]\b|[{QUOTED}]))|incorrect|wrong|false|untrue|correct|"
    rf"right\b|true\b|(?<=[:=|–—-]\s)(?:yes|no)\s*(?:[.,;\n]|$)|[✅✔✓☑❌✗✘❎]|"
    r"[(~]?\d+(?:\.\d+)?\s*%|[01]?\.\d)",
    re.I,
)
_RIGHT = re.compile(
    rf"{MENTION}{CLOSE}\s*(?:[:=.)|–—-]|\(|<?-+|←)?\s*[*_(]*"
    r"(?i:[✅✔✓]|☑(?!\s*[A-Z]\b)|(?:is\s+)?(?:the\s+)?(?:correct|right|true)\b(?!\?)(?!\s+that)|yes\s*(?:[.,;|\n]|$))"
)
# A box is ticked before its label, a mark at the start of a line as well.
_TICKED = re.compile(rf"(?:(?:^|\n)\s*[✅✔✓]|☑|☒|\[[xX✓✔]\])\s*{OPEN}{MENTION}")
_SIGNED_OFF = re.compile(r"\b(?:sincerely|regards|yours(?: \w{1,12})?|cheers),\s{0,8}$", re.I)
_NUMBER = re.compile(r"^\d{1,2}[.)]\s+")  # of a line in a list
_GROUNDS = "because|since|they|he|she|it|the|there|but|not|no|without|given|although|though"
_VERDICT_ON_B = re.compile(rf"{CLOSE}[.:!]{CLOSE}\s+(?:(?i:{NOUN})\s+)?\(?B(?=\W)")
_NEXT = re.compile(
    rf"{private(1)}|(?:\n\W*(?i:{NOUN}\s+)?|[.;,!?]\s+\(?)(?:B|\(b\)|b\)){CLOSE}(?:[.):=]|\s+[-–—]|\s+is\b)"
)
_LAST = re.compile(
    r"(?:(?<![A-Z])(?<!\bcf)(?<!\be\.g)(?<!\bi\.e)(?<!\b[DM]r)(?<!\bM[rs]s)(?<!\b(?:Ms|St))"
    r"[\"')*_]*[.!?。…]+[\"')*_]*|;|\b(?:nor|[Nn]ot)\s+[A-Z]\.)"
    rf"\s+{OPEN}(?P<letter>{LEFT}[A-Z]{RIGHT}){CLOSE}[.!]?{CLOSE}$"
)
# "From her perspective: A", "… so it stays open → C": the words before the sign must not speak of others or deny.
_LED_TO = re.compile(rf"(?::|→|->|=>)\s*{OPEN}(?P<letter>{LEFT}[A-Z]{RIGHT}|[{QUOTED}]){CLOSE}[.!]?{CLOSE}$")


def opening(text: str, count: int) -> Claim | None:
    """The label, or the option's words, that a text opens with; a list or a verdict is none."""
    match = _OPENING.match(text)
    hit = named(text, match, count) if match else None
    if hit is None or not _is_ended(text[hit.start], text[hit.end :], text.startswith(("{", "["))):
        return None
    if _lists_on(text[hit.start], text[hit.end :], count) or not is_claimed(text, hit.start, hit.end):
        return None
    return Claim(hit.start, hit.places)


def _is_ended(character: str, rest: str, in_table: bool) -> bool:
    """Whether what stands first is an answer by itself, and not the beginning of a sentence about it."""
    if is_bare(character):
        return bool(_ENDED_WORDS.match(rest))
    if _JUDGED.match(rest) or (in_table and re.match(r"[\"']?\s*:", rest)):
        return False
    if is_labelled(character):
        return True
    if character == "I" and re.match(r"\W+(?:don't|can't|cannot|won't|am|do|think|guess|believe)\b", rest, re.I):
        return False
    # "I, for one" and "A, as they say" are words.
    grounds = "because|since" if character == "I" else _GROUNDS
    if character in "AI" and re.match(rf"\s*,(?!\s*(?:{grounds})\b)", rest):
        return False
    return bool(_ENDED.match(rest)) and not is_refusal(rest.partition("\n")[0])


def _lists_on(character: str, rest: str, count: int) -> bool:
    """Whether a label A is the first of several ("A: Lyon lies east. B: …"); a letter alone on its line is not."""
    if _place(character, count) != 0 or is_bare(character) or re.match(rf"{CLOSE}[.:]?{CLOSE}\s*\n", rest):
        return False
    if (following := _VERDICT_ON_B.match(rest)) and is_rejected(rest[following.end() :]):
        return False
    return bool(_NEXT.search(rest))


def last(text: str, count: int) -> Claim | None:
    """What stands alone on the last line, with what stands alone on others; or a letter as the last sentence."""
    lines = [line for line in re.finditer(r"[^\n]+", text) if line.group().strip()]
    alone = {line.start(): place for line in lines if (place := _lone(line.group().strip(), count)) is not None}
    if len(lines) > 1 and _SIGNED_OFF.search(text, 0, lines[-1].start()):
        return None
    if len(lines) > 1 and lines[-1].start() in alone:
        return Claim(lines[-1].start(), frozenset(alone.values()))
    match = None if is_refusal(text) else _LAST.search(text)
    if match is None and (match := _LED_TO.search(text)) and not leads_to_answer(text, match.start()):
        return None
    place = _place(match.group("letter"), count) if match else None
    return None if match is None or place is None else Claim(match.start("letter"), frozenset({place}))


def judged(marked: str, count: int) -> frozenset[int]:
    """The letters that are ticked or said to be right, one after the other."""
    found = set()
    for pattern in (_RIGHT, _TICKED):
        for match in islice(pattern.finditer(marked), len(LETTERS)):
            start, end, place = mentioned(match, count)
            if place is not None and is_claimed(marked, start, end):
                found.add(place)
    return frozenset(found)


def _lone(line: str, count: int) -> int | None:
    match = LONE.match(_NUMBER.sub("", line))
    return _place(match.group("letter"), count) if match else None


def _place(character: str, count: int) -> int | None:
    """The place of a letter or of a private character."""
    return ord(character) & 0xFF if character >= "\ue000" else place_of(character, count)

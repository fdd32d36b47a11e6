"""Reading a letter out of a model's text. Nothing is guessed: a text that chooses no option, or several, is unread."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from scoring.answers.items import LETTERS

_HEAD, _TAIL = 1000, 3000  # characters; the patterns below take up to cubic time, which this bounds
_RUN = re.compile(r"(\W)\1{5,}")
_THINKING = re.compile(r"<(think|thinking|reasoning|scratchpad)>")
# Letters in emoji squares and circles have no compatibility form, unlike the full-width and circled ones.
_EMOJI_LETTERS: dict[int, str] = {
    start + number: LETTERS[number] for start in (0x1F150, 0x1F170) for number in range(26)
}
_QUOTES: dict[int, str] = {ord("’"): "'", ord("‘"): "'", ord("“"): '"', ord("”"): '"', 0xFE0F: "", 0x200B: ""}
_PLAIN = _QUOTES | _EMOJI_LETTERS

# A letter stands alone: Latin letters, digits and hyphens beside it make it part of a word, other scripts do not.
_LEFT = r"(?<![A-Za-zÀ-ɏ0-9&-])(?<![A-Za-z]')"
_RIGHT = r"(?![A-Za-zÀ-ɏ0-9]|'[A-Za-z]|-[A-Za-z0-9]|&[A-Za-z])"
_OPEN = r"[\s\"'`*_(\[{<$«「【]*"
_CLOSE = r"[\"'`*_)\]}>$»」】]*"
_STOP = r"(?=[\"'`*_)\]}>$»」】.,:;!?。]|\s*$|\s*\n)"
# A capital, or a small letter that something closes ("the answer is b.", but not "the answer is a dog").
_LETTER = rf"{_LEFT}(?:(?P<capital>[A-Z]){_RIGHT}|(?P<small>[a-z]){_RIGHT}{_STOP})"
_NOUN = r"(?:option|choice|letter|answer|number)"
_FILLER = rf"(?:(?:the|my|is|it's|it|be|would|definitely|probably|clearly|most|likely|correct|best|{_NOUN})\b\s*)*"

_LONE = re.compile(
    rf"^{_OPEN}(?:{_NOUN}\s+)?{_OPEN}(?P<letter>[A-Za-z]){_CLOSE}[\s.,:;!。、)\]]*{_CLOSE}(?:</s>|<\|\w+\|>)?$", re.I
)
_LABEL = re.compile(
    rf"^{_OPEN}(?:{_NOUN}\s+)?{_OPEN}(?:(?P<capital>[A-Z])|(?P<small>[a-z])(?=[)\].:*])){_RIGHT}{_CLOSE}"
    rf"(?:\s*[.:)\]、。]|\s+[-–—]|\s*[–—]|\s*,|\s*\n|{_CLOSE}\s+(?:because|since|as|is|for|given)\b|\s+\(|\s*$)",
)
_FINAL = [
    re.compile(pattern, re.I)
    for pattern in (
        r"\\boxed\s*\{\s*(?:\\\w+\{)?\s*\(?(?P<letter>[A-Z])\b",
        r"<(?:final_?)?answer>\s*\(?(?P<letter>[A-Z])\b(?=[^<]{0,200}</)",
        rf"[\"'](?:final_?)?(?:{_NOUN})[\"']\s*:\s*[\"'](?P<letter>[A-Z])[\"']",
        r"####\s*\(?(?P<letter>[A-Z])\b",
    )
]
_FINAL_WORDS = re.compile(
    rf"(?i:\bfinal\s+{_NOUN}{_CLOSE}\s*(?:is|would be|:|=|-)?\s*:?\s*{_OPEN}{_FILLER}){_OPEN}{_LETTER}"
)
_CUES = [
    re.compile(pattern)
    for pattern in (
        rf"(?i:\b(?:answer|choice|option|pick|selection|response)\b[^.\n?!:;]{{0,40}}?"
        rf"(?:\bis\b|'s\b|\b(?:would|should|must|will) be\b|:|=)){_CLOSE}\s*:?{_OPEN}(?i:{_FILLER}){_OPEN}{_LETTER}",
        rf"(?i:\b(?:answer|option|choice)){_OPEN}\s{_OPEN}{_LETTER}(?={_CLOSE}\s*$)",
        r"(?i:(?<!not )(?<!n't )(?<!never )(?<!cannot )\b(?:choose|chose|pick|picked|select|selected|go(?:ing)? with|"
        r"went with|say|vote for|opt for|lean(?:ing)? towards?|believe|think|guess|settle on|be)\b\s*:?\s*(?:that\s+)?)"
        rf"{_OPEN}(?i:{_FILLER}){_OPEN}{_LETTER}",
        rf"(?i:\b(?:therefore|thus|hence|so|in my (?:opinion|view)|had to (?:choose|pick|guess)|"
        rf"respond with|it's|it is|probably|definitely|clearly)\b[,:]?\s*){_OPEN}(?i:{_FILLER}){_OPEN}{_LETTER}",
        rf"(?:(?i:{_NOUN})\s+{_OPEN})?{_LETTER}{_CLOSE}(?:\s*[.:)]\s*[^.\n]{{0,80}}?)?\s+"
        r"(?i:(?:is|seems|looks|would be|appears(?: to be)?)\s+(?:clearly\s+|definitely\s+|probably\s+)?"
        r"(?:the\s+)?(?:most\s+|only\s+|best\s+|more\s+)?"
        r"(?:correct|right|best|accurate|true|answer|appropriate|likely|choice|option|one)\b)",
        unicodedata.normalize(
            "NFKC",
            r"(?i:答案|答え|回答|选择|選擇|选|選|正解|정답|답|respuesta|réponse|resposta|risposta|antwort|antwoord|ответ|"
            r"відповідь|odpowiedź|odpověď|jawaban|cevap|yanıt|الإجابة|الجواب|إجابتي|جواب|उत्तर|উত্তর|svar|svaret|"
            r"vastaus|válasz|răspunsul|đáp án|trả lời|คำตอบ|jibu|תשובה|απάντηση)[^\n.。!?]{0,30}?",
        )
        + _LETTER,
    )
]
_REJECTED = re.compile(
    rf"^{_CLOSE}[.:]?\s*(?:is|are|was|seems|isn't|cannot|can't|would not|wouldn't)\b\s*(?:also\s+|clearly\s+|just\s+)?"
    r"(?:not|n't|be\s+(?:right|correct)|incorrect|wrong|false|untrue|inaccurate|unlikely|a myth|out\b)",
    re.I,
)
_NEGATED = re.compile(r"(?:\bnot|n't|\bnever|\bneither|\bnor|\bno|\brather than|\binstead of)\s*[\"'`*_(\[]*$", re.I)
_ANOTHER = re.compile(
    rf"^{_CLOSE}\s*(?:,?\s*(?:or|and|and/or|&|\+|/|o|ou|oder|y|und|et|или|и|或|和|または|や|또는)\s*(?:maybe\s+|possibly\s+|"
    rf"also\s+)?(?:{_NOUN}\s+)?{_OPEN}(?P<letter>[A-Z]){_RIGHT}|\s*,\s*{_OPEN}(?P<listed>[A-Z]){_RIGHT}{_CLOSE}\s*(?:,|$|\.|and|or))"
)
_CORRECTION = re.compile(
    r"\b(?:wait|actually|no,|correction|sorry|on reflection|i mean|rather|let me re)\b|\bno[.,:—-]", re.I
)

_REFUSAL = re.compile(
    r"\bi(?:'m| am) (?:sorry|unable|not able|not comfortable|not going to|afraid)\b"
    r"|\bi (?:can ?not|can't|won't|will not|must|have to|am unable to|do not|don't)(?: \w+){0,2}? "
    r"(?:decline|answer|help|assist|provide|respond|engage|comply|participate|discuss|take sides|pick|choose|select|"
    r"offer|express|share|continue|fulfil|make (?:that|this|assumptions|a choice)|do that|"
    r"refuse|generate|hold|have (?:personal|opinions|a personal))"
    r"|\bi(?:'d| would) (?:rather not|prefer not to|decline)|\bi (?:prefer|choose) not to (?:say|answer)"
    r"|\bi (?:respectfully )?(?:decline|refuse)\b|\bas an? (?:ai|artificial|large language|language) "
    r"|\bas an ai\b|\bit (?:would be|is|wouldn't be) (?:in)?appropriate (?:for me )?to (?:answer|choose|assume|say)"
    r"|\bje (?:ne peux pas|suis désolée?)\b|\blo siento\b|\bno puedo (?:responder|ayudar|elegir)"
    r"|\bich kann (?:\w+ ){0,3}nicht (?:beantworten|helfen)|\btut mir leid\b|\bdesculpe\b"
    r"|\bnão posso\b|\bmi dispiace\b|не могу (?:ответить|помочь)|"
    r"抱歉|对不起|無法回答|无法回答|申し訳|お答えできません|죄송|لا أستطيع|لا يمكنني|क्षमा करें",
    re.I,
)


def is_refusal(text: str) -> bool:
    """Whether the text declines to answer."""
    return bool(_REFUSAL.search(_plain(text)))


def read_letter(text: str, shown: Sequence[str]) -> int | None:
    """The place (0 for A) of the one option that the text chooses, or None where it chooses none or several.

    `shown` are the options in the order shown. From the surest way of answering to the least: the whole text is a
    letter or an option; a marked final answer (the last one counts); "the answer is B" and its like; a label at the
    beginning or on the last line; one option quoted in full. The first way that says anything decides: where it
    names two options, nothing is read. Reasoning between <think> tags is not the answer.
    """
    plain = _plain(text)
    if not plain:
        return None
    options = [_plain(option) for option in shown]
    ways: tuple[Callable[[str, list[str]], set[int]], ...] = (_whole, _final, _cued, _labelled, _quoted)
    for way in ways:
        if found := way(plain, options):
            return found.pop() if len(found) == 1 else None
    return None


def _plain(text: str) -> str:
    """Compatibility letters made plain, thinking left out, and of a long text its two ends, where answers stand."""
    ends = _RUN.sub(r"\1\1\1\1\1", _without_thinking(text))
    ends = ends if len(ends) <= _HEAD + _TAIL else f"{ends[:_HEAD]}\n{ends[-_TAIL:]}"
    return _without_thinking(unicodedata.normalize("NFKC", ends).translate(_PLAIN)).strip()


def _without_thinking(text: str) -> str:
    """The text after its reasoning tags; one that is never closed holds all the rest."""
    kept, place = [], 0
    while opened := _THINKING.search(text, place):
        kept.append(text[place : opened.start()])
        closed = text.find(f"</{opened.group(1)}>", opened.end())
        place = len(text) if closed < 0 else closed + len(opened.group(1)) + 3
    return " ".join([*kept, text[place:]])


def _bare(text: str) -> str:
    """A text stripped of what may surround a quoted option."""
    return re.sub(r"\s+", " ", text).strip(" \t\n\"'`*_.,:;!?。()[]").casefold()


def _place(letter: str, options: Sequence[str]) -> int | None:
    place = LETTERS.find(letter.upper())
    return place if 0 <= place < len(options) else None


def _whole(plain: str, options: list[str]) -> set[int]:
    """A lone letter, or the text of an option and nothing else."""
    if lone := _LONE.match(plain):
        place = _place(lone.group("letter"), options)
        if place is not None:
            return {place}
    bare = _bare(plain)
    return {place for place, option in enumerate(options) if bare and _bare(option) == bare}


def _final(plain: str, options: list[str]) -> set[int]:
    """The last letter that is marked as final (boxed, in answer tags, in JSON, behind "final answer")."""
    marked = [match for pattern in _FINAL for match in pattern.finditer(plain)]
    found = [(match.start(), _place(match.group("letter"), options)) for match in marked]
    for match in _FINAL_WORDS.finditer(plain):
        named = _named(plain, match, options)
        if len(named) > 1:
            return named
        found += [(match.start(), place) for place in named]
    places = [place for _, place in sorted(found, key=lambda pair: pair[0]) if place is not None]
    return set(places[-1:])


def _cued(plain: str, options: list[str]) -> set[int]:
    """The letters behind "the answer is", "I choose" and their like; a correction ("wait, no") leaves the last."""
    hits = sorted((match for cue in _CUES for match in cue.finditer(plain)), key=_letter_start)
    found: set[int] = set()
    previous = 0
    for match in hits:
        named = _named(plain, match, options)
        if named and found and named != found and _CORRECTION.search(plain[previous : _letter_start(match)]):
            found = set()
        found |= named
        previous = _letter_start(match) if named else previous
    return found


def _labelled(plain: str, options: list[str]) -> set[int]:
    """A label at the beginning ("B. Paris", "B because") or on the last line; re-listed options choose nothing."""
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    labels = {place for line in lines if (place := _label(line, options)) is not None}
    if len(labels) != 1:
        return labels
    if (match := _LABEL.match(plain)) and _label(lines[0], options) is not None:
        return _named(plain, match, options)
    last = _LONE.match(lines[-1]) or _LABEL.match(lines[-1])
    return labels if last and _label(lines[-1], options) is not None else set()


def _label(line: str, options: list[str]) -> int | None:
    match = _LONE.match(line) or _LABEL.match(line)
    if match is None or _is_quote(line, _letter_start(match), options):
        return None
    letter = match.group(_letter_group(match))
    rest = line[match.end(_letter_group(match)) :]
    # "I, for one" and "A, as they say" are words.
    return None if letter in "AIai" and rest.startswith(",") else _place(letter, options)


def _quoted(plain: str, options: list[str]) -> set[int]:
    """The options that the text quotes in full, as whole words, the longer where one holds another."""
    text = plain.casefold()
    spans: dict[int, list[tuple[int, int]]] = {}
    for place, option in enumerate(options):
        bare = _bare(option)
        # A lone letter is an article or a label, never a quotation.
        if bare and not re.fullmatch(r"[a-z]", bare):
            spans[place] = [match.span() for match in re.finditer(_quotation(bare), text)]
    longest = [span for found in spans.values() for span in found]
    return {
        place
        for place, found in spans.items()
        for start, end in found
        if not _NEGATED.search(text[:start])
        and not any(other != (start, end) and other[0] <= start and end <= other[1] for other in longest)
    }


def _quotation(bare: str) -> str:
    """The pattern of an option's text as whole words; a short one ("no") must end its clause ("no idea" is no "no")."""
    if not bare[0].isascii():
        return re.escape(bare)
    ended = (
        r"(?=\s*(?:$|[^\w\s])|\s+(?:because|since|as|it|this|that|they|and|or|but|nor|to|out)\b)"
        if len(bare) <= 3
        else r"(?!\w)"
    )
    return rf"(?<!\w){re.escape(bare)}{ended}"


def _letter_group(match: re.Match[str]) -> str:
    groups = match.groupdict()
    return next(name for name in ("letter", "capital", "small") if groups.get(name))


def _letter_start(match: re.Match[str]) -> int:
    return match.start(_letter_group(match))


def _named(plain: str, match: re.Match[str], options: list[str]) -> set[int]:
    """The places that a match names: none if it is rejected or a word, two where "or C" follows."""
    group = _letter_group(match)
    start, end = match.span(group)
    letter, rest = match.group(group), plain[end:]
    place = _place(letter, options)
    if place is None or _NEGATED.search(plain[:start]) or _REJECTED.match(rest):
        return set()
    if quoted := _is_quote(plain, start, options):
        return quoted
    if letter in "AI" and re.match(r"\s+[a-z]", rest) and not _follows_letter(rest):
        return set()
    return {place, *_others(rest, place, options)}


def _follows_letter(rest: str) -> bool:
    """Whether what follows a capital A or I shows that it is a letter, not a word."""
    return bool(re.match(r"\s+(?:because|since|as|is|for|given|or|and|would|seems|looks|appears)\b", rest))


def _is_quote(plain: str, start: int, options: list[str]) -> set[int]:
    """The options that begin with a one-letter word and stand here in full ("A great deal")."""
    rest = plain[start:].casefold()
    return {
        place
        for place, option in enumerate(options)
        if re.match(r"[ai]\s", option, re.I) and rest.startswith(_bare(option))
    }


def _others(rest: str, place: int, options: list[str]) -> Iterable[int]:
    """The places named beside a letter: "or C", or the full text of an option that is not the letter's own."""
    beside = _bare(rest.partition("\n")[0].lstrip(":-–—"))
    same = [number for number, option in enumerate(options) if beside and _bare(option) == beside]
    yield from () if place in same else same
    own = re.match(rf"{_CLOSE}[.:)]?\s*{re.escape(_bare(options[place]))}", rest, re.I)
    if another := _ANOTHER.match(rest) or _ANOTHER.match(rest[own.end() :] if own else ""):
        other = _place(another.group("letter") or another.group("listed"), options)
        if other is not None:
            yield other

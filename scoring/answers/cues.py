"""The words by which a reply says what it chooses ("the answer is B"), in several languages."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from scoring.answers.claims import is_claimed
from scoring.answers.mentions import CLOSE, MENTION, NOUN, OPEN, QUOTED, RIGHT, Claim, mentioned, place_of

_MANY = 50  # matches of one cue in a few thousand characters
_ADVERB = (
    r"(?:would|will|do|must|can|should|have to|had to|need to|am|also|personally|really|still|now|therefore|thus|then|"
    r"just|"
    r"simply|strongly|firmly|honestly|definitely|certainly|clearly|probably|most likely|likely|rather|going to|gonna|"
    r"inclined to|have|'d|choose to|want to|like to|tend to|be)"
)
_SELF = (
    rf"(?:\b(?:i|we|like me|in my (?:position|place|shoes))\b(?:,[^.;!?\n]{{1,60}},)?(?:'d|'ll|'m|"
    rf"'ve)?(?:\s+{_ADVERB})*|\blet me|\blet's|\blet us)"
)
_FILLER = (
    r"(?:(?:the|my|is|it's|it|this|that|to|be|would|definitely|probably|clearly|most|likely|correct|best|right|as|"
    rf"la|le|les|a(?= (?:letra|opção|alternativa))|el|die|der|il|lo|lettre|letra|lettera|opción|opção|opzione|"
    rf"buchstabe|буква|вариант|{NOUN})\b:?\s*){{0,8}}"
)
_VERB = (
    r"(?:choose|chose|pick|picked|picking|select|selected|selecting|choosing|go(?:ing)? (?:with|for)|went with|"
    r"vote(?: for)?|"
    r"voting for|opt(?:ing)? for|lean(?:ing)?(?: (?:towards?|to))?|settle (?:on|for)|respond(?: with)?|"
    r"answer(?: with)?|"
    r"mark|"
    r"circle|take|prefer|rate|give|score|conclude|decide on|stick(?:ing)? with|submit|tick)"
)
_VIEW = r"(?:say|saying|believe|think|guess|feel|suspect|conclude|suppose|reckon|assume)"
_OBJECT = rf"{OPEN}(?i:{_FILLER})(?:an?\s+(?=[\"'*]*[{QUOTED}]))?{OPEN}{MENTION}"
_LAST = (
    rf"(?=(?i:{CLOSE}(?:\s*(?:[.,:;!。、,(]|[-–—]\s|$|\n|because|since|then\b|as\b|for\b|is\b|out of\b|"
    rf"[{QUOTED}✅✔]))))"
)
_NOUNS = (
    r"(?:ans|letter|truth|answer|choice|option|pick|selection|response|solution|conclusion|verdict|vote|"
    r"(?:correct|right|best|(?:most )?(?:likely|plausible)) one)"
)

# What may lead to a letter behind a comma: "Personally, A", "Speaking as a farmer, A", "However, A".
_LEAD = (
    r"personally|honestly|frankly|however|still|nevertheless|that said|overall|on (?:balance|reflection)|"
    r"speaking (?:as|for)|"
    r"being|as (?:an?|someone)|for (?:me|someone|somebody|us|people like)|given|considering|based on|looking at|"
    r"in (?:my|this|that) "
    r"(?:case|opinion|view|culture|country|experience|situation)|from (?:my|this|that|the|an?)|to me|to be honest|"
    r"if (?:forced|pressed|pushed|i (?:had|have|must))|by elimination|after|without|well|ok(?:ay)?|sure|alright|right|"
    r"h+m+|easy|simple|yes|then|again|(?!sincere|faithful|tru)[a-z]{3,20}ly|"
    r"in (?:conclusion|summary|short|sum)|to (?:conclude|sum up)|all things considered|between the two|of (?:these|the)"
)

# By these words a reply settles its answer: a contradiction between two of them leaves it unread.
_STRONG = [
    rf"(?i:\b{_NOUNS}\b[^.\n?!:;]{{0,40}}?(?:\b(?:is|remains)\b|'s\b|\b(?:would|should|must|will|has to) be\b|:|=|->|"
    rf"→)){CLOSE}\s*:?{_OBJECT}",
    rf"(?im:^\W{{0,6}}(?:final|selected|chosen|correct|right|answer(?=\s*[–—])){CLOSE}\s*[:=–—]\s*){_OBJECT}",
    rf"(?i:\b(?:answer|option|choice)){OPEN}\s{OPEN}{MENTION}(?={CLOSE}\s*$)",
    rf"(?i:{_SELF}\s+{_VERB}\b\s*:?\s*(?:that\s+)?){_OBJECT}",
    rf"(?i:{_SELF}\s+{_VIEW}\b\s*:?\s*(?:that\s+)?){_OBJECT}{_LAST}",
    rf"(?i:\b(?:wait|actually|no|correction|sorry|scratch that|i mean|i meant|make that|rather|"
    rf"instead)\b[\s,.:;!–—-]{{1,6}}"
    rf"(?:(?:wait|actually|no|sorry|it's|it is|i mean|make that|"
    rf"it should be)\b[\s,.:;–—-]{{0,6}}){{0,3}}){_OBJECT}(?!{CLOSE}\s*:){_LAST}",
    rf"(?:(?i:\b(?:not|nicht|pas|no|non|não|не)\s+(?:(?:è|es|é|la|el|die|der)\s+)*)|"
    rf"不是){OPEN}(?:(?i:{NOUN})\s+{OPEN})?(?:[A-Z]|[{QUOTED}]){CLOSE},?\s*"
    rf"(?:(?i:(?:but(?: rather)?|sondern|mais|sino|ma|mas|e sim|а)\b)|而是|应?该?是|\s[-–—]\s|[;:]\s)\s*{_OBJECT}",
    rf"(?:[A-Z]|[{QUOTED}]){CLOSE}(?:では|じゃ)な(?:くて?|い)[,、。]?\s*{_OBJECT}",
    rf"(?:[A-Z]|[{QUOTED}]){CLOSE}\s+değil\s*[,;]?\s*{_OBJECT}{_LAST}",
    rf"(?i:\bbukan\s+){OPEN}(?:[A-Z]|[{QUOTED}]){CLOSE},?\s*(?i:tetapi|tapi|melainkan)\s+{_OBJECT}",
    rf"(?i:[,;.–—-]\s*(?:but|yet|however|though)\b,?\s+(?:(?:really|actually|in fact|in truth|ultimately|still|"
    rf"the answer is|it's|it is)\b,?\s+){{0,3}}){_OBJECT}{_LAST}(?!{CLOSE}\s*(?:is\b|[:(,]))",
    rf"(?i:\bchang(?:e|ed|ing) (?:my|the) (?:answer|choice|mind)"
    rf"(?: from \W{{0,3}}(?:[A-Z]|[{QUOTED}])\W{{0,3}})? to\s+){_OBJECT}{_LAST}",
]
_WEAK = [
    rf"(?i:\b(?:therefore|thus|hence|so|consequently|in my (?:opinion|view)|for me|it's|it is|it must be|must be|"
    rf"has to be|it must have been|"
    rf"must have been|it was|i am|it would be|that would be|(?:it|that)'d be|gotta be|got to be|probably|surely|"
    rf"definitely|certainly|clearly|leaves|leaves us with|leaves only|"
    rf"leaving|"
    rf"left with|points to|favou?rs|means|leaning(?: towards?)?|choose|select|pick|selected|going with|"
    rf"choosing)\b[,:]?\s*){_OBJECT}{_LAST}",
    rf"(?:(?i:{NOUN})\s+{OPEN})?{MENTION}{CLOSE}(?:\s*[.:)]\s*[^.\n]{{0,80}}?)?\s+"
    r"(?i:(?:is|seems|looks|sounds|feels|would be|must be|appears(?: to be)?)\s+(?:clearly\s+|definitely\s+|"
    r"probably\s+|by far\s+|"
    r"therefore\s+|thus\s+|indeed\s+|simply\s+)?(?:(?:the\s+|my\s+)?(?:most\s+|only\s+|best\s+)?(?!as\s)(?:\w+\s+)?"
    r"(?:correct|right|best|accurate|true|answer|appropriate|likely|plausible|choice|option|one|pick|fit|"
    r"preferable|better)\b(?!\s+(?:than|as\b))))",
    rf"{MENTION}{CLOSE}(?i:\s+(?:fits|matches|works|describes me|reflects my \w+)\s+(?:\w+\s+)?best\b|"
    r"\s+best\s+(?:describes|reflects|represents|captures|fits|matches)\b)",
    rf"(?<!not )(?i:\bonly\s+(?:{NOUN}\s+)?){OPEN}{MENTION}{CLOSE}\s+(?i:(?:is|was|can be|could be|remains|fits|"
    rf"matches|"
    r"makes|seems|works)\b)",
    rf"(?:^|(?<=[.!?;\n])\s*)(?i:(?:{_LEAD})\b(?-i:(?!\b[A-HJ-Z]\b)[^.!?;:\n{QUOTED}]){{0,80}}?,[^\S\n]*|"
    rf"(?:since|because|given|although|though|while)\b(?-i:(?!\b[A-HJ-Z]\b)[^.!?;:\n]){{0,120}}?,\s*)"
    rf"{OPEN}(?:(?i:{NOUN})\s+)?{OPEN}{MENTION}"
    rf"(?={CLOSE}[.!]?\s*(?:$|\n))",
]
_FOREIGN = [
    unicodedata.normalize(
        "NFKC",
        r"(?i:答案|答(?=\s*:)|答え|回答|选择|選擇|选|選|正解|정답|답|respuesta|réponse|resposta|risposta|antwort|antwoord|ответ|"
        r"відповідь|odpowiedź|odpověď|jawaban|cevap|seçenek|sagot|yanıt|الإجابة|الجواب|إجابتي|جواب|उत्तर|উত্তর|پاسخ|"
        r"svar|svaret|"
        r"vastaus|válasz|răspuns(?:ul)?|đáp án|trả lời|คำตอบ|jibu|תשובה|απάντηση)[^\n.。!?;；]{0,30}?",
    )
    + MENTION,
    r"(?i:\b(?:ich (?:wähle|nehme|würde|sage|antworte|entscheide mich für)|je (?:choisis|dirais|réponds|prends|"
    r"choisirais|"
    r"pense que c'est)|(?:yo )?(?:elijo|elegiría|escojo|escogería|diría|opto por|selecciono|respondo)|"
    r"(?:eu )?(?:escolho|"
    r"escolheria|diria|opto por|seleciono)|(?:io )?(?:scelgo|sceglierei|direi)|ik kies|jag väljer|wybieram|"
    r"я (?:выбираю|"
    r"выберу|выбрал\w?)|выбираю|seçiyorum|saya (?:memilih|pilih)|tôi chọn|"
    rf"seçimim|أختار|اختار|سأختار|मैं))\s*:?{_OBJECT}",
    rf"(?i:\b(?:ich (?:denke|glaube|meine)|creo que|pienso que|je (?:crois|pense) que|acho que|penso che|credo che|"
    rf"думаю|"
    rf"я думаю|я считаю)\b,?\s*(?:(?:es ist|das ist|dass es|es|c'est|é|è|это|что)\s+)?){_OBJECT}{_LAST}",
    r"(?:(?:我|我会|我會|我想)(?:选择|选|選擇|選|答)|所以是?|应该是|應該是|我认为是|我認為是|たぶん|私は)\s*"
    rf"{OPEN}{MENTION}",
    r"(?i:\b(?:opción|opció|alternativa|opção|opzione|scelta|lettre|letra|lettera|buchstabe|option|choix|pilihan|seçenek|keuze|"
    rf"val|wybór|вариант|опция|буква)\b(?-i:[^\n.,;:!?A-Z{QUOTED}]){{0,30}}?\b(?:es|est|ist|lautet|é|è|är|er|is|to|adalah)\s*:?\s*)"
    rf"{_OBJECT}(?={CLOSE}(?:\s*[.,;:!)。]|\s*$|\s*\n|\s*[{QUOTED}(]))",
    rf"(?i:\b(?:richtig|korrekt|correct[ao]?|corrett[ao]|rätt|juist) (?:ist|wäre|es|est|è|é|är|is)\s*:?\s*)"
    rf"{_OBJECT}{_LAST}",
    rf"(?:^|(?<=[.!;:,\n])\s*){OPEN}{MENTION}{CLOSE}\s+(?i:it is)(?=\s*(?:[.!,]|$))",
    rf"(?i:\b(?:es|es la|es el|c'est|c'est la|é|é a|è|è la|das ist|es ist)\s+)(?i:{_FILLER})(?:(?-i:{MENTION})){_LAST}",
    rf"{MENTION}{CLOSE}(?i:\s*(?:ist (?:richtig|korrekt|die (?:richtige|beste))|est (?:correcte?|la bonne|juste)|"
    rf"es (?:correct\w|la "
    r"(?:correcta|respuesta|mejor))|é (?:corret\w|a (?:corret\w|resposta|melhor))|è (?:corrett\w|la (?:risposta|"
    r"migliore))|верн\w+|"
    r"является правильн\w+|правильный ответ|(?:是|为|為)?(?:正确|正確|对的|對的)|"
    r"が正しい|が正解|を選び|を選択|です|だと思います|"
    r"(?:가|이)? ?(?:맞|정답|옳)|(?:를|을) ?(?:선택|고르)|입니다|doğru|benar))",
]
_FINAL = [
    rf"(?i:\b(?:final|ultimate)\s+(?:{_NOUNS}|thought|guess){CLOSE}\s*(?:is|would be|:|=|-)?\s*:?\s*{OPEN}){_OBJECT}",
    rf"(?i:\b(?:endgültige antwort|réponse finale|respuesta final|resposta final|risposta finale|окончательный ответ)|"
    rf"最终答案|最終答案|"
    rf"最終的な答え|최종 ?(?:정답|답변?))(?i:\s*(?:是|は|은|:|：|lautet|ist|est|es|é|è)?\s*){_OBJECT}",
]
_COMPARED = re.compile(
    rf"(?P<view>\b(?i:find|found|consider|judge|deem)\s+(?:(?i:{NOUN})\s+)?{OPEN})?{MENTION}{CLOSE}\s+"
    rf"(?i:(?(view)(?:to be\s+|as\s+)?|(?:is|seems|sounds|looks|appears(?: to be)?)\s+)(?P<much>slightly\s+|much\s+|"
    rf"far\s+|"
    rf"clearly\s+|a bit\s+)?"
    r"(?P<sign>more|less|likelier|better|worse)(?:\s+(?:plausible|likely|common|natural|probable|accurate|realistic|"
    r"true|"
    r"stereotypical|"
    r"believable|sensible|reasonable|correct|appropriate))?\b)"
)
STRONG, WEAK, FINAL = tuple(_STRONG), (*_WEAK, *_FOREIGN), tuple(_FINAL)
_ANOTHER = re.compile(
    rf"^{CLOSE}\s*(?:(?:[,(]|\.{{2,}}|\.(?= Or\b)(?! Or rather))?\s*"
    rf"(?:[Oo]r(?: (?:was|is) it)?|and|and/or|as well as|but(?=\s+(?:also|maybe|possibly|perhaps|even)\b)|"
    rf"&|\+|/|o|ou|oder|y|e|et|und|или|或者?|"
    rf"和|与|"
    rf"跟|または|か|や|と|또는|나|이나|와|과|أو|و|-|–|—|to|through|vs\.?|versus)"
    rf"\s*(?:maybe\s+|possibly\s+|perhaps\s+|also\s+|even\s+)?(?:{NOUN}\s+)?{OPEN}(?:(?P<letter>[A-Z]){RIGHT}|"
    rf"(?P<quoted>[{QUOTED}]))"
    rf"|\s*[,、]\s*{OPEN}(?:(?P<listed>[A-Z]){RIGHT}|(?P<listed_quote>[{QUOTED}])){CLOSE}\s*(?:[,、]|$|\.|and|or|\n))"
)
_LISTED_QUOTE = re.compile(
    rf"^{CLOSE}\s*(?:[.:)\]=-]|\s[-–—]|,\s*(?:which is|i\.e\.,?|namely|meaning))?\s*{OPEN}(?P<quoted>[{QUOTED}])"
)
_ABOUT_ANOTHER = re.compile(rf"^{CLOSE}\s*\.\s+[{QUOTED}]\s+(?:is|was|are|were|has|lies|would|did|does)\b")
_OWN_LETTER = re.compile(rf"{CLOSE}[^\S\n]{{0,3}}\((?:(?i:{NOUN})\s+)?(?P<letter>[A-Z])\)")
_RATED = re.compile(rf"{CLOSE}[\s:=(]{{0,3}}(?:with |at |an? )?\d{{1,3}}(?:\.\d+)?\s?(?:/\s?\d|out of\b|points\b)")
_WORD_BEHIND = re.compile(
    r"\s+(?!(?:because|since|as|is|for|given|or|and|would|seems|sounds|feels|looks|appears|over|fits|matches|describes|"
    r"es|est|ist|rather than|instead of|it is|best (?:describes|reflects|represents|captures|fits|matches))\b)[a-z]"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A mention, with all that it names."""

    start: int
    end: int
    places: frozenset[int]


@cache
def _compiled(patterns: tuple[str, ...]) -> list[re.Pattern[str]]:
    """Compiled once a text is read: that takes longer than all else that a command does to start."""
    return [re.compile(pattern) for pattern in patterns]


def claims(patterns: tuple[str, ...], marked: str, count: int) -> list[Claim]:
    """What the cues claim, in the order of the text."""
    found = {}
    for pattern in _compiled(patterns):
        for match in _few(pattern, marked):
            hit = named(marked, match, count)
            if hit is not None and is_claimed(marked, hit.start, hit.end):
                found[hit.start] = Claim(hit.start, hit.places)
    return [found[start] for start in sorted(found)]


def _few(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """A pattern's matches; none where it has so many that the text answers nothing."""
    matches = list(islice(pattern.finditer(text), _MANY + 1))
    return matches if len(matches) <= _MANY else []


def compared(marked: str, count: int) -> list[Claim]:
    """Of two options, the one that is "more plausible", or is not "less plausible"."""
    if count != 2:
        return []
    found = []
    for match in _few(_COMPARED, marked):
        start, _, place = mentioned(match, count)
        if place is not None and is_claimed(marked, start, match.start("sign")):
            better = match.group("sign").casefold() in ("more", "likelier", "better")
            found.append(Claim(start, frozenset({place if better else 1 - place})))
    return found


def named(marked: str, match: re.Match[str], count: int) -> Hit | None:
    """What a match names: nothing where the letter is a word, several where "or C" follows."""
    start, end, place = mentioned(match, count)
    if place is None:
        return None
    if _RATED.match(marked[end:]):
        return None
    if marked[start] in "AI" and _WORD_BEHIND.match(marked[end:]):
        return None
    # "Paris (A). London is the capital of England." goes on about another option.
    rest = _ABOUT_ANOTHER.sub("", marked[end:]) if match.group("quoted") else marked[end:]
    return Hit(start, end, frozenset({place, *places_beside(rest, count)}))


def places_beside(rest: str, count: int) -> Iterator[int]:
    """The places named beside a mention: "or C", "(Paris)", ". Paris or C"."""
    if own_words := _LISTED_QUOTE.match(rest):
        yield ord(own_words.group("quoted")) & 0xFF
        rest = rest[own_words.end() :]
    if own := _OWN_LETTER.match(rest):
        place = place_of(own.group("letter"), count)
        yield from () if place is None else (place,)
    if another := _ANOTHER.match(rest):
        if quote := another.group("quoted") or another.group("listed_quote"):
            yield ord(quote) & 0xFF
            return
        place = place_of(another.group("letter") or another.group("listed"), count)
        if place is not None:
            yield place

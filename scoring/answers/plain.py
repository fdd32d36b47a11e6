"""A reply in plain characters: thinking, turn tokens and decoration left out, letters of every style made ASCII."""

import html
import re
import unicodedata

from scoring.answers.items import LETTERS
from scoring.answers.thinking import without_thinking

_HEAD, _TAIL = 1000, 3000  # characters; the readers' patterns take up to cubic time, which this bounds
_RUN = re.compile(r"(\W)\1{5,}")
# Letters in emoji squares and circles, and regional indicators, have no compatibility form.
_EMOJI_LETTERS: dict[int, str] = {
    start + number: LETTERS[number] for start in (0x1F150, 0x1F170, 0x1F1E6) for number in range(26)
}
_QUOTES: dict[int, str] = {ord("’"): "'", ord("‘"): "'", ord("“"): '"', ord("”"): '"', ord("…"): "..."}
_INVISIBLE: dict[int, str] = dict.fromkeys(
    [0xFE0F, 0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065)], ""
)
# Private characters stand for options later on, so a reply must hold none of its own.
_PRIVATE: dict[int, str] = dict.fromkeys(range(0xE000, 0xF900), "")
_TABLE = _QUOTES | _EMOJI_LETTERS | _INVISIBLE | _PRIVATE
_KEPT_SIGNS = frozenset("✅✔✓☑☒❌✗✘❎|~^`<>=+◁▷")

_TURN = re.compile(
    r"\s*(?:<s>|<\|begin_of_text\|>|<\|start_header_id\|>|<\|end_header_id\|>|<\|im_start\|>|<\|start\|>|<\|message\|>|"
    r"<\|?(?:START|END)_(?:RESPONSE|OF_TURN_TOKEN)\|?>|<\|(?:begin|end)_of_(?:solution|box)\|>|<start_of_turn>|"
    r"\[/INST\]|"
    r"(?:assistant|model)\s*(?:\n|:)|#+\s*(?:response|assistant)\s*:?\s*\n)",
    re.I,
)
# What a model writes after its turn has ended is somebody else's turn.
_END = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end|endoftext|end_of_text|end_of_turn|return|END_OF_TURN_TOKEN|END_RESPONSE|user|"
    r"im_start|start_header_id|end[_▁]of[_▁](?:sentence|solution|box))\|>|</s>|<eos>|<end_of_turn>|\[/?INST\]"
    r"|\n\s*(?:#+\s*)?(?:question|q|user|human|instruction)\s*(?:\d+\s*)?:",
    re.I,
)
_BREAK = re.compile(r"<br\s{0,3}/?>", re.I)
# What is struck out is no longer said; of a list of boxes, only the ticked ones are.
_STRUCK = re.compile(r"~~(?=\S)[^~\n]{1,300}~~|<(?P<tag>del|strike)>[^<]{0,300}</(?P=tag)>", re.I)
_TICKED_BOX = re.compile(r"[☑☒]|\[[xX✓✔]\]|^\W*[✅✔✓]", re.M)
_EMPTY_BOX = re.compile(r"(?:[☐□⬜]|\[ ?\])[^\n☑✅✔✓☒☐□⬜\[]{1,300}")
_HTML = re.compile(r"</?(?:[biup]|em|strong|span|div|code|mark|h[1-6])(?:\s[^<>]{0,100})?>")
# Russian А and С, Greek Α, Β and Ε look like the Latin letters and, unlike В or Е, can mean no other place in their
# own alphabets; "А" and "С" are words as well, so something must close them.
_TWINS: dict[str, str] = {"А": "A", "а": "a", "С": "C", "с": "c", "Α": "A", "Β": "B", "Ε": "E"}
_TWIN = re.compile(r"(?<!\w)(?:[АСΑΒΕ]|[ас](?=[)\]]))(?=[)\].:!*\"'`]|\s*$)", re.M)
_FOREIGN_LETTER = re.compile(r"(?<!\w)[А-ЯΑ-Ω](?!\w|\s+(?!(?:или|и|ή)\s)[а-яα-ω])")
_BULLETS = re.compile(r"^[\s•·∙◦‣→⇒➜►▶=]+(?=[\s>]*\S)", re.M)
# A small letter is a label behind "option" and before a verdict; "a" and "i" are words as well.
_VERDICT = r"(?=\s+(?:is (?:right|correct|the|my|best|true|wrong|more|most)|because|since)\b)"
_SMALL = re.compile(rf"(?<=\boption\s)(?:[b-hj-z]\b(?!['-])|a\b{_VERDICT})|^[a-hj-z]\b{_VERDICT}", re.I)
# Their full stops end no sentence.
_ABBREVIATION = re.compile(r"\b(?:vs\.|(e\.g\.))", re.I)
_LATEX = re.compile(r"\\(?:text|math|bf|rm|it|sf|tt)[a-z]*\s*\{([^{}]{0,300})\}|\\[()\[\]]|\\(?=[*_])")


def plain_text(text: str) -> str:
    """The reply without thinking and turn tokens, in compatibility form; of a long one its two ends."""
    if "&lt;" in text or "&quot;" in text:
        text = html.unescape(text)
    ends = without_thinking(_RUN.sub(r"\1\1\1\1\1", text))
    ends = ends if len(ends) <= _HEAD + _TAIL else f"{ends[:_HEAD]}\n{ends[-_TAIL:]}"
    normal = unicodedata.normalize("NFKC", ends.translate(_TABLE)).translate(_TABLE)
    return _without_decoration(_turn(without_thinking(normal))).strip()


def _turn(text: str) -> str:
    """The model's own turn: what stands after the tokens that open it and before the first that ends it."""
    start = 0
    while opening := _TURN.match(text, start):
        start = opening.end()
    for end in _END.finditer(text, start):
        if text[start : end.start()].strip():
            return text[start : end.start()]
    return text[start:]


def _without_decoration(text: str) -> str:
    text = _STRUCK.sub(" ", text)
    if _TICKED_BOX.search(text):
        text = _EMPTY_BOX.sub("", text)
    if "<" in text:
        text = _HTML.sub("", _BREAK.sub("\n", text))
    text = _ABBREVIATION.sub(lambda match: "for example" if match.group(1) else "vs", text)
    plain = "".join(
        each if each.isascii() or each in _KEPT_SIGNS or unicodedata.category(each) not in ("So", "Sk") else " "
        for each in text
    )
    plain = _SMALL.sub(lambda match: match.group().upper(), plain)
    if not plain.isascii():
        plain = _BULLETS.sub("", plain)
        if len(set(_FOREIGN_LETTER.findall(plain))) <= 1:
            plain = _TWIN.sub(lambda match: _TWINS[match.group()], plain)
    return _LATEX.sub(lambda match: match.group(1) or "", plain.removeprefix("=>"))

"""Thinking left out of a reply: what follows the last mark of thinking is the answer."""

import re

_NAMES = (
    r"(?:[a-z_.-]{0,12}[:_])?(?:think(?:ing)?|thoughts?|reason(?:ing)?|scratch_?pad|reflections?|analysis|"
    r"(?:inner|internal)_?(?:monologue|thoughts?)|chain_of_thought|cot|ant_?thinking|deliberation|details)"
)
# <think>, </think>, <think time="2">, [THINK], ◁think▷, <|end_of_thought|>, <|START_THINKING|>, <seed:think> …
_TAG = re.compile(
    rf"(?P<bracket>[<\[{{(◁⟨〈《【])\s{{0,3}}\|?\s{{0,3}}(?:(?P<close>/|end_(?:of_)?|\\)|(?:begin|"
    rf"start)_(?:of_)?)?\s{{0,3}}"
    rf"(?P<name>{_NAMES})(?:\s[^<>\[\]{{}}◁▷]{{0,200}})?\s{{0,3}}\|?[>\]}})▷⟩〉》】]",
    re.I,
)
_HINT = re.compile(r"think|thought|reason|scratch|reflection|analysis|monologue|cot|deliberation|details", re.I)
# Words and tokens that stand for tags: two models' phrases, a terminal's, and the turns of a budgeted thinker.
_OPENED = (
    r"<\|im_start\|>think\b|<\|?channel>thought\b|<unused94>|^thinking\.\.\.[ \t]{0,9}$|here(?:'s|"
    r" is) my thought process:"
)
_CLOSED = r"<\|im_start\|>answer\b|<channel\|>|<unused95>|^\.\.\.done thinking\.?|here(?:'s| is) my response:"
_WORDS = re.compile(rf"(?P<open>{_OPENED})|(?P<close>{_CLOSED})", re.I | re.M)
# The harmony format: every message names its channel, and only the final one is for the reader.
_CHANNEL = re.compile(r"<\|channel\|>\s*(?P<name>\w+)[^<\n]{0,60}(?:<\|constrain\|>\s*\w+\s*)?(?:<\|message\|>)?", re.I)
# The same where the endpoint dropped the tokens: "analysisThe user asks …assistantfinalB".
_GLUED_START = re.compile(r"\s*analysis(?=[A-Z])")
_GLUED_FINAL = re.compile(r"assistant\s*final(?=\W|[A-Z])")


def without_thinking(text: str) -> str:
    """The part of a reply that is not thinking; empty where a thought never ends.

    A closing mark needs no opening one, as templates often write that themselves. Where nothing follows the last
    thought, what stands before the first is the answer.
    """
    if channels := list(_CHANNEL.finditer(text)):
        return text[channels[-1].end() :] if channels[-1].group("name").casefold() == "final" else ""
    if _GLUED_START.match(text):
        finals = list(_GLUED_FINAL.finditer(text))
        return text[finals[-1].end() :] if finals else ""
    return _outside(text, _marks(text))


def _marks(text: str) -> list[tuple[int, int, bool]]:
    """Start, end and whether it opens, of every mark; brackets that also serve in prose count in pairs only."""
    tags = list(_TAG.finditer(text)) if _HINT.search(text) else []
    paired = any(tag.group("close") for tag in tags)
    sure = [tag for tag in tags if paired or tag.group("bracket") in "<◁" or tag.group("name") in ("THINK", "THINKING")]
    words = [(match.start(), match.end(), bool(match.group("open"))) for match in _WORDS.finditer(text)]
    return sorted([*words, *((tag.start(), tag.end(), not tag.group("close")) for tag in sure)])


def _outside(text: str, marks: list[tuple[int, int, bool]]) -> str:
    if not marks:
        return text
    depth, end, opened_at = 0, 0, 0
    for start, stop, opens in marks:
        if not opens:
            depth = max(0, depth - 1)
        elif not (depth and not text[opened_at:start].strip()):  # written twice in a row, it is one
            depth += 1
        opened_at, end = stop, stop
    if depth:
        return ""
    rest = text[end:]
    return rest if rest.strip() or not marks[0][2] else text[: marks[0][0]]

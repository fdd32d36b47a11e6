"""Answers that are marked as such: in JSON, in answer tags, in a box."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from scoring.answers.claims import is_rejected
from scoring.answers.mentions import Claim

Read = Callable[[str], int | None]


class MarkdownTable(NamedTuple):
    """A JSON value and where it stands in the text."""

    start: int
    end: int
    value: Any


_KEY = re.compile(
    r"(?:final|selected|chosen|correct|best|my|the|your|model|predicted|most|likely|single|mcq?|multiple)*"
    r"(?:selected|chosen|correct|final|option|choice|answer|letter|response|result|selection|pick|decision|prediction|"
    r"output|"
    r"verdict|label|ans|solution|antwort|buchstabe|auswahl|respuesta|opcion|opción|letra|réponse|reponse|choix|lettre|"
    r"resposta|opção|opcao|escolha|risposta|scelta|opzione|lettera|答案|选项|選項|选择|選擇|回答|答え|選択肢?|정답|답변?|선택|"
    r"ответ|вариант|выбор|الإجابة|إجابة|cevap|jawaban)"
    r"(?:option|choice|answer|letter|key|value|id|label)*s?"
)
_NAMES = ("id", "key", "name", "value", "text", "content")  # of an option, below an answer's key
_FENCE = re.compile(r"```[\w-]*\s*\n?(.*?)(?:```|$)", re.S)
_LOOSE = re.compile(
    r"[\"'](?P<key>[^\W\d][\w .-]{0,30})[\"']\s*:\s*(?:[\[{]\s*)?[\"'](?P<value>[^\"'\n]{1,200})[\"']", re.S
)
_TAG = re.compile(
    r"[<\[](?P<name>(?:final_?|my_?)?(?:answer|output|choice|option|response|result|selection|selected|letter|final|"
    r"solution|decision|ans))"
    r"(?:\s[^<>\[\]]{0,100})?[>\]](?P<value>[^<]{1,300}?)(?:[<\[]/(?P=name)\s*[>\]]|$)",
    re.I | re.S,
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?:\{(?P<value>(?:[^{}]|\{[^{}]{0,200}\}){1,300})\}|\s(?P<bare>[A-Za-z])\b)")
_HASHES = re.compile(r"####\s*(?P<value>[^\n#]{1,200})\s*$")
_YES = re.compile(r"(?:true|correct|right|chosen|selected|✅|✔|✓|x)", re.I)


def marked_answers(plain: str, read: Read) -> list[Claim] | None:
    """The answers that a text marks, as far as they can be read; None where it marks none."""
    table = _table(plain)
    if table is not None and (answers := list(_answers(table.value, read))):
        return [Claim(table.start, frozenset({place})) for place in answers if place is not None]
    found: list[Claim] = []
    some = False
    for match in (*_TAG.finditer(plain), *_BOX.finditer(plain), *_HASHES.finditer(plain)):
        groups = match.groupdict()
        if is_rejected(plain[match.end() :].lstrip("$")):
            continue
        some = True
        place = read(re.sub(r"[{}\\]", " ", groups["value"] or groups["bare"] or ""))
        found += [] if place is None else [Claim(match.start(), frozenset({place}))]
    if table is None:
        for match in _LOOSE.finditer(plain):
            if _is_answer_key(match.group("key")) and (place := read(match.group("value"))) is not None:
                found.append(Claim(match.start(), frozenset({place})))
    return sorted(found, key=lambda claim: claim.start) if found or some else None


def without_table(plain: str) -> str:
    """The text around its JSON, whose reasons and probabilities choose nothing."""
    table = _table(plain)
    return plain if table is None else f"{plain[: table.start]}\n{plain[table.end :]}".strip("` \n")


def _table(plain: str) -> MarkdownTable | None:
    """The JSON object or list in a text.

    YAML reads single quotes and bare keys as well, and here it builds nothing but texts, lists and dictionaries.
    """
    fence = _FENCE.search(plain)
    text, offset = (fence.group(1), fence.start(1)) if fence else (plain, 0)
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    end = max(text.rfind("}"), text.rfind("]"))
    if not starts or end < min(starts):
        return None
    try:
        value = yaml.load(text[min(starts) : end + 1].replace("\t", " "), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    if not isinstance(value, dict) and not (isinstance(value, list) and any(isinstance(each, dict) for each in value)):
        return None
    # "{B}" and LaTeX's "{text}" are no objects.
    if isinstance(value, dict) and not any(value.values()):
        return None
    return MarkdownTable(offset + min(starts), offset + end + 1, value)


def _is_answer_key(key: str) -> bool:
    return len(key) <= 40 and bool(_KEY.fullmatch(re.sub(r"[\W_]+", "", key).casefold()))


def _answers(value: Any, read: Read) -> Iterator[int | None]:
    """What stands under an answer's key, however deep; None where that cannot be read."""
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield from _answers(each, read)
        return
    if not isinstance(value, dict):
        return
    if verdicts := _verdicts(value, read):
        yield verdicts[0] if len(verdicts) == 1 else None
        return
    for key, held in value.items():
        if isinstance(key, str) and _is_answer_key(key):
            yield from _held(held, read)
        elif isinstance(held, dict):
            yield from _answers(held, read)


def _held(held: Any, read: Read) -> Iterator[int | None]:
    if isinstance(held, str):
        yield read(held)
    elif isinstance(held, list):
        if len(held) == 1:
            yield from _held(held[0], read)
        else:
            yield None
    elif isinstance(held, dict):
        if len(held) == 1 and (place := read(next(iter(held)))) is not None:
            yield place
        elif answers := list(_answers(held, read)):
            yield from answers
        else:
            yield from (read(each) for key, each in held.items() if key in _NAMES and isinstance(each, str))


def _verdicts(table: dict[Any, Any], read: Read) -> list[int]:
    """Of a table from letters to verdicts, the letters that are said to be right."""
    if not all(isinstance(key, str) and isinstance(held, str) and len(key) == 1 for key, held in table.items()):
        return []
    return [place for key, held in table.items() if _YES.fullmatch(held) and (place := read(key)) is not None]

"""What an endpoint's refusal says about a parameter, and what to send instead.

The parameter is left out, renamed, given another bound, or reported as needed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runner.backends.base import Answer
from runner.backends.catalogue.parameters import LENGTHS, SAMPLING, THINKING_ROOM
from runner.backends.errors import BackendError, ModelUnavailable, PromptRefused, Transient
from runner.study.sections import ModelSection

MOST_PROBES = 4
_REFUSED = ("400", "403", "422")
_LETTERS = ("logprobs", "top_logprobs", "response_logprobs")
_THINKING = re.compile(r"reasoning|thinking|chat_template_kwargs")
_SYSTEM = re.compile(
    r"\b(?:system|developer)\b.{0,30}\b(?:roles?|messages?|prompts?|instructions?)\b"
    r"|\broles?\b.{0,40}['\"`]?\bsystem\b|messages.{0,12}role",
    re.I,
)
_TOO_LONG = re.compile(r"context.?(?:length|window)|too (?:long|many input)|prompt.{0,20}tokens", re.I)
_LEAST = re.compile(
    r"(?:at least|minimum(?: value)?(?: of| is)?|>=|≥|greater than or equal to|more than)\D{0,3}(\d+)", re.I
)
_MOST = re.compile(r"(?:at most|maximum(?: value)?(?: of| is)?|<=|≤|less than or equal to|up to)\D{0,3}(\d+)", re.I)
_OF_VALUE = re.compile(r"\b(?:greater|larger|less|smaller|below|above|minimum|maximum)\b", re.I)
_TWO = re.compile(r"\bboth\b|only one|together|mutually", re.I)
_LENGTHS_OF = {"openai": LENGTHS[:2], "gemini": LENGTHS[2:], "anthropic": LENGTHS[:1]}  # as far as their SDKs know them
_ADVICE = re.compile(r"\b(?:use|try|prefer)\b", re.I)
_QUOTE = r"[\"'`]"


class Change(NamedTuple):
    """The parameters that are sent from now on, and a remark on what was changed.

    Also what the study must agree to: sampling parameters that it names and that are left out.
    """

    parameters: dict[str, Any]
    remark: str
    dropped: tuple[str, ...] = ()


def change(
    refusal: BackendError, section: ModelSection, parameters: Mapping[str, Any], tried: set[str]
) -> Change | None:
    """What to ask instead of what is refused; None where the refusal is about no parameter.

    `tried` keeps the names that a bound has had. Raises ModelUnavailable for a parameter that the study cannot do
    without.
    """
    if isinstance(refusal, Transient | PromptRefused) or refusal.kind not in _REFUSED:
        return None
    text = refusal.message
    names = _refused(refusal, [*_names(parameters), *(_LETTERS if section.answer == "probabilities" else ())])
    if not names:
        if _SYSTEM.search(f"{refusal.about} {text}"):
            raise _needed(
                section, "system messages", text, "set placement = 'prompt' in [variants], and no system text"
            )
        return None
    if section.answer == "probabilities" and (shown := [name for name in names if name in _LETTERS]):
        while_thinking = ", or turn its thinking off" if _THINKING.search(text.lower()) else ""
        raise _needed(section, shown[0], text, f"set answer = 'text'{while_thinking}")
    if bound := next((name for name in names if name in LENGTHS), None):
        return None if _TOO_LONG.search(text) else _bounded(text, section, parameters, bound, tried)
    if thinking := next((name for name in names if _THINKING.search(name)), None):
        raise _needed(section, thinking, text, "name a value that it takes in decoding, or leave it out")
    left = {name: value for name, value in parameters.items() if name not in names}
    if "extra_body" in left:
        left["extra_body"] = {name: value for name, value in left["extra_body"].items() if name not in names}
    if left == parameters:
        return None
    named = [name for name in names if name in SAMPLING and name in section.decoding]
    return Change(
        left,
        f"{section.id} takes no {' and no '.join(names)}: left out",
        tuple(name for name in named if name not in section.allow_dropped),
    )


def is_about_parameters(refusal: BackendError, section: ModelSection, parameters: Mapping[str, Any]) -> bool:
    """Whether a refusal is about a parameter that is sent: every request of the model will meet it."""
    try:
        return change(refusal, section, parameters, set()) is not None
    except ModelUnavailable:
        return True


def with_room(answer: Answer, section: ModelSection, parameters: Mapping[str, Any]) -> Change | None:
    """More room for an answer that was cut off while the model was thinking; None where that is not what happened."""
    response, bound = answer.response, next((name for name in LENGTHS if name in parameters), None)
    cut = response.finish == "length" and not (response.text or "").strip() and not response.letter_logprobs
    if not (cut and bound and answer.usage.reasoning_tokens and parameters[bound] < THINKING_ROOM):
        return None
    remark = f"{section.id} thinks before it answers: {bound} raised from {parameters[bound]} to {THINKING_ROOM}"
    return Change({**parameters, bound: THINKING_ROOM}, remark)


def _names(parameters: Mapping[str, Any]) -> list[str]:
    """The names that are sent, those inside what is passed on or says how to think too."""
    inside = (parameters.get(name) or {} for name in ("extra_body", "thinking_config"))
    return [*parameters, *(name for each in inside if isinstance(each, Mapping) for name in each)]


def _refused(refusal: BackendError, names: Sequence[str]) -> list[str]:
    """Which of these names a refusal is about.

    Those that it says it is about, else those in quotation marks, else those that it mentions. Of two that are not
    accepted together, the second.
    """
    if about := refusal.about.replace("[", ".").rpartition(".")[2].strip("]"):
        return [name for name in names if _plain(name) == _plain(about)][:1]
    text = refusal.message
    before = _ADVICE.split(text)[0]
    if any(
        re.search(_spelling(name), before, re.I) or re.search(_spelling(name, True), before, re.I) for name in names
    ):
        text = before
    quoted = {name: match.start() for name in names if (match := re.search(_spelling(name, quoted=True), text, re.I))}
    said = {name: match.start() for name in names if (match := re.search(_spelling(name), text, re.I))}
    found = sorted(quoted or said, key=(quoted or said).__getitem__)
    return found[-1:] if _TWO.search(text) else found


def _spelling(name: str, quoted: bool = False) -> str:
    """A pattern for a name in a sentence, in snake or camel case or as words.

    A name that is a common word too must be called a parameter.
    """
    words = re.escape(name).replace("_", "[_ -]?")
    if quoted:
        return rf"{_QUOTE}(?:[\w.]+\.)?{words}{_QUOTE}"
    if "_" not in name and name not in ("temperature", "logprobs"):
        return rf"\b(?:parameters?|arguments?|fields?|input)\W{{1,4}}{words}\b|\b{words}\W{{1,3}}(?:parameter|field)\b"
    return rf"(?<![A-Za-z0-9_]){words}(?![A-Za-z0-9_])"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _bounded(
    text: str, section: ModelSection, parameters: Mapping[str, Any], bound: str, tried: set[str]
) -> Change | None:
    """Another bound of the answer's length, or another name for it. Raises ModelUnavailable where none is taken."""
    value, rest = parameters[bound], {name: each for name, each in parameters.items() if name != bound}
    for pattern, fits in ((_LEAST, int.__gt__), (_MOST, int.__lt__)):
        if (match := pattern.search(text)) and fits(limit := int(match.group(1)), value) and limit > 0:
            remark = f"{section.id} takes no {bound} of {value}: {limit} is asked for"
            return Change({**rest, bound: limit}, remark)
    if _OF_VALUE.search(text):
        return None
    tried.add(bound)
    left = [name for name in _LENGTHS_OF.get(section.backend, LENGTHS) if name not in tried]
    if not left:
        raise _needed(section, bound, text, "name the bound of an answer's length that it takes in decoding.extra_body")
    other = next((name for name in left if name in text), left[0])
    return Change({**rest, other: value}, f"{section.id} calls {bound} {other}")


def _needed(section: ModelSection, name: str, text: str, remedy: str) -> ModelUnavailable:
    return ModelUnavailable(
        "parameter", f"{section.id} takes no {name}, which this study needs ({text.rstrip('.')}); {remedy}"
    )

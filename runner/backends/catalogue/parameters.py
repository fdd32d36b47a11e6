"""What each family of models wants of its parameters, in one table: a first guess, which saves probes (`probe.py`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner.study.sections import ModelSection

THINKING_ROOM = 2048
LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")  # what the bound of an answer is called


@dataclass(frozen=True)
class ModelFamily:
    """What a family of models takes.

    `drops` are refused by the endpoint, `renames` have another name, `thinks` needs room for reasoning tokens,
    `logprobs` says whether letter probabilities are available. `still` is the family that a model belongs to while its
    thinking is turned off, where that is possible; `when_asked` says that thinking is off where the study does not
    mention it.
    """

    drops: tuple[str, ...] = ()
    renames: Mapping[str, str] | None = None
    thinks: bool = False
    logprobs: bool = True
    still: "ModelFamily | None" = None
    when_asked: bool = False


PLAIN = ModelFamily()
_LENGTH = {"max_tokens": "max_completion_tokens"}
_GEMINI = {"max_tokens": "max_output_tokens", "top_logprobs": "logprobs"}
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias")
SAMPLING = frozenset(
    (*_SAMPLING, "top_k", "min_p", "top_a", "typical_p", "tfs_z", "repetition_penalty", "repeat_penalty")
)

_REASONING = ModelFamily(drops=_SAMPLING, renames=_LENGTH, thinks=True, logprobs=False)
# since 5.1 an effort of "none" gives temperature, top_p and logprobs back
_STILLED = ModelFamily(
    drops=_SAMPLING, renames=_LENGTH, thinks=True, logprobs=False, still=ModelFamily(renames=_LENGTH)
)
_GPT_6 = ModelFamily((*_SAMPLING, "stop"), _LENGTH, thinks=True, logprobs=False, still=ModelFamily(renames=_LENGTH))
# of Gemini's own API; Vertex shows log-probabilities
_GEMINI_3 = ModelFamily(renames=_GEMINI, thinks=True, logprobs=False)
_GEMINI_2_5 = ModelFamily(
    renames=_GEMINI, thinks=True, logprobs=False, still=ModelFamily(renames=_GEMINI, logprobs=False)
)
# up to 4.6, and Haiku up to 4.5, a model that does not think takes a temperature; none has since
_DRAWN = ("temperature", "top_p", "top_k")
_CLAUDE_4_6 = ModelFamily(_DRAWN, thinks=True, logprobs=False, still=ModelFamily(logprobs=False), when_asked=True)
_CLAUDE_4_8 = ModelFamily(
    _DRAWN, thinks=True, logprobs=False, still=ModelFamily(_DRAWN, logprobs=False), when_asked=True
)
_CLAUDE_5 = ModelFamily(_DRAWN, thinks=True, logprobs=False, still=ModelFamily(_DRAWN, logprobs=False))

FAMILIES: tuple[tuple[str, str, ModelFamily], ...] = (
    ("openai", r"gpt-5.*-chat", ModelFamily(renames=_LENGTH, logprobs=False)),
    ("openai", r"gpt-5\.[1-9]", _STILLED),
    ("openai", r"gpt-5|o[1-9]", _REASONING),
    ("openai", r"gpt-([6-9]|[1-9]\d)", _GPT_6),
    ("openai", r"", PLAIN),
    ("gemini", r"(models/)?gemini-2\.5", _GEMINI_2_5),
    ("gemini", r"(models/)?gemini-([3-9]|flash-|pro-)", _GEMINI_3),
    ("gemini", r"", ModelFamily(renames=_GEMINI)),
    ("anthropic", r"claude-(\d|v\d|instant|haiku-4|(opus|sonnet)-4-([0-6](\D|$)|\d{8}))", _CLAUDE_4_6),
    ("anthropic", r"claude-opus-4", _CLAUDE_4_8),
    ("anthropic", r"", _CLAUDE_5),
    ("openai-compatible", r"", PLAIN),
)


def family(section: ModelSection) -> ModelFamily:
    """The first family of the table whose pattern the model's name begins with.

    It is as the family is while the model thinks, or does not, as the study has it.
    """
    found = _by_name(section)
    found = found.still if found.still and _is_stilled(section, found) else found
    return replace(found, logprobs=True) if section.endpoint.is_vertex else found


def adapted(section: ModelSection, before: bool = False) -> tuple[dict[str, Any], list[str]]:
    """The decoding parameters as they are sent, and a remark for each that was changed.

    `before`: as they were sent before this table knew that thinking can be turned off.
    """
    rules = _by_name(section) if before else family(section)
    parameters, remarks = dict(section.decoding), []
    if section.backend == "openai-compatible":  # OpenAI's SDK puts it into the body itself
        parameters |= parameters.pop("extra_body", None) or {}
    for name in rules.drops:
        if parameters.pop(name, None) is not None:
            remarks.append(f"{section.id} takes no {name}{_while_it_thinks(rules)}: left out")
    for old, new in (rules.renames or {}).items():
        if old in parameters:
            parameters[new] = parameters.pop(old)
    bound = next((name for name in parameters if name.startswith("max_")), None)
    if rules.thinks and bound and parameters[bound] < THINKING_ROOM:
        remarks.append(
            f"{section.id} thinks before it answers: {bound} raised from {parameters[bound]} to {THINKING_ROOM}"
        )
        parameters[bound] = THINKING_ROOM
    if bound is None and section.answer == "probabilities":
        parameters[(rules.renames or {}).get("max_tokens", "max_tokens")] = 1
    return parameters, remarks


def without_probabilities(section: ModelSection) -> list[str]:
    """What to say of a model that is asked for probabilities and, as far as the table knows, shows none."""
    rules = family(section)
    if section.answer != "probabilities" or rules.logprobs:
        return []
    return [
        f"{section.id} shows no log-probabilities{_while_it_thinks(rules)}, which answer = 'probabilities' needs; "
        "set answer = 'text'"
    ]


def without_loglikelihoods(section: ModelSection) -> str:
    """Why a model cannot be asked for the log-likelihoods of given texts, in a clause; "" where it can."""
    if section.kind.is_local or section.kind.from_logs or section.endpoint.loglikelihoods:
        return ""
    if section.backend != "openai-compatible":
        return f"{section.backend}'s API tells none"
    return (
        "chat completions tell none (a server that tells a prompt's log-probabilities, such as vLLM, llama-cpp-python "
        "with logits_all or `mtpa-run serve`, is asked for them with endpoint = { loglikelihoods = 'echo' }; "
        "llama.cpp's own server tells none)"
    )


def dropped(section: ModelSection) -> list[str]:
    """The sampling parameters that the study names, that are not sent, and that it does not allow to be left out.

    Without them the answers are not drawn as the study says.
    """
    named = (name for name in family(section).drops if name in SAMPLING)
    return [name for name in named if name in section.decoding and name not in section.allow_dropped]


def _by_name(section: ModelSection) -> ModelFamily:
    name = section.backend
    return next((each for backend, start, each in FAMILIES if backend == name and re.match(start, section.id)), PLAIN)


def _is_stilled(section: ModelSection, rules: ModelFamily) -> bool:
    """Whether the study turns the model's thinking off, or does not turn it on where it is off by itself."""
    if section.backend == "anthropic":
        kind = (section.decoding.get("thinking") or {}).get("type")
        return kind in ("disabled", "between_tools") or (rules.when_asked and kind is None)
    asked = {**section.decoding, **(section.decoding.get("extra_body") or {})}
    thinking = asked.get("thinking_config")
    budget = thinking.get("thinking_budget") if isinstance(thinking, Mapping) else None
    return asked.get("reasoning_effort") == "none" or budget == 0


def _while_it_thinks(rules: ModelFamily) -> str:
    if rules.still and rules.still.logprobs:
        return " unless reasoning_effort = 'none'"
    return " while it thinks" if rules.drops and rules.still and not rules.still.drops else ""

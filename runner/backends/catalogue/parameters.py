"""What each family of models wants of its parameters, in one table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.study.sections import ModelSection

THINKING_ROOM = 2048


@dataclass(frozen=True)
class Family:
    """`drops` are refused by the endpoint, `renames` are called otherwise, `thinks` needs room for reasoning tokens,
    `logprobs` says whether letter probabilities can be had."""

    drops: tuple[str, ...] = ()
    renames: Mapping[str, str] | None = None
    thinks: bool = False
    logprobs: bool = True


PLAIN = Family()
_REASONING = Family(
    drops=("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias"),
    renames={"max_tokens": "max_completion_tokens"},
    thinks=True,
    logprobs=False,
)
_GEMINI = {"max_tokens": "max_output_tokens", "top_logprobs": "logprobs"}

FAMILIES: tuple[tuple[str, str, Family], ...] = (
    ("openai", r"gpt-5.*-chat", Family(renames={"max_tokens": "max_completion_tokens"}, logprobs=False)),
    ("openai", r"gpt-5|o[1-9]", _REASONING),
    ("openai", r"", PLAIN),
    ("gemini", r"gemini-(2\.5|[3-9])", Family(renames=_GEMINI, thinks=True, logprobs=False)),
    ("gemini", r"", Family(renames=_GEMINI)),
    ("openai-compatible", r"", PLAIN),
)


def family(provider: str, model: str) -> Family:
    """The first family of the table whose pattern the model's name begins with."""
    return next((each for name, start, each in FAMILIES if name == provider and re.match(start, model)), PLAIN)


def adapted(section: ModelSection) -> tuple[dict[str, Any], list[str]]:
    """The decoding parameters as they are sent, and a remark for each that was changed."""
    rules = family(section.backend, section.id)
    parameters, remarks = dict(section.decoding), []
    if section.backend == "openai-compatible":  # OpenAI's SDK puts it into the body itself
        parameters |= parameters.pop("extra_body", None) or {}
    for name in rules.drops:
        if parameters.pop(name, None) is not None:
            remarks.append(f"{section.id} takes no {name}: left out")
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

"""What the logs of other tools hold in common: answers, each with the messages that it answers.

Logs come from elsewhere: their sizes are bounded, and what does not fit is counted, never guessed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runner.backends.request import AnswerKind, Usage, digest, without_surrogates
from scoring.answers.responses import Response

Messages = Sequence[Mapping[str, str]]


class LoggedAnswer(NamedTuple):
    """An answer, the messages that it is to, and what was asked for: a text, or the log-likelihoods of `options`."""

    messages: Messages
    kind: AnswerKind
    options: tuple[str, ...]
    response: Response
    usage: Usage
    served: str
    repetition: int

    @property
    def content(self) -> bytes:
        """The hash of what was asked, by which a trial finds its answer."""
        return content(self.messages, self.kind, self.options)


@dataclass
class AnswerLog:
    """One log: its model, its answers, and what of it is left out, counted by reason.

    The model is as the log names it, with what its answers depend on beside the messages.
    """

    path: Path
    model: str
    decoding: Mapping[str, Any]
    answers: list[LoggedAnswer]
    left_out: Counter[str] = field(default_factory=Counter)


def content(messages: Messages, kind: AnswerKind, options: Sequence[str]) -> bytes:
    """The hash of what is asked, whoever is asked."""
    plain = [[each["role"], each["content"]] for each in messages]
    return digest([plain, kind, list(options)])


def text_of(value: Any) -> str | None:
    """A message's content as text: itself, or its one part of text; None for anything else."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    texts = [each.get("text") for each in parts if isinstance(each, dict) and each.get("type") == "text"]
    others = [each for each in parts if not isinstance(each, dict) or each.get("type") not in ("text", "reasoning")]
    return texts[0] if len(texts) == 1 and isinstance(texts[0], str) and not others else None


def count_of(table: Any, name: str) -> int | None:
    """A number of tokens that a log gives; None where it gives none that can be."""
    found = table.get(name) if isinstance(table, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**31 else None


def name_of(value: Any) -> str:
    """A name that a log gives, short enough to be one; "" for anything else."""
    return without_surrogates(value)[:300] if isinstance(value, str) else ""

"""The keys of a crossing's requests, byte for byte those of `key_fields`: what many requests share is encoded once.

The canonical JSON of a request is put together from what its model, the persona's text and the question each add to
it; encoding all of it anew took most of the time of enumerating a study.
"""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from runner.backends.request import AnswerKind, Message, ModelIdentity, canonical, key_fields
from runner.study.sections import ModelSection
from scoring.answers.items import LETTERS, Item, continuations

MARK = "\0question"
_MARKED = canonical(MARK)[1:-1]
KEPT = 64  # texts of personas: one a person and variant, or a few where questions hide traits


class Around(NamedTuple):
    """What of a canonical JSON stands before and after the part that changes."""

    before: bytes
    after: bytes


def encoded(question: str) -> bytes:
    """A question as it stands within canonical JSON."""
    return canonical(question)[1:-1]


class Envelopes:
    """The messages of persona texts, without the question; the latest texts are kept."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Around | None] = {}

    def around(self, name: Hashable, messages: Callable[[str], Sequence[Message]]) -> Around | None:
        """What stands around a question in `messages(question)`, cached by `name`.

        None where a question cannot be told from what is around it.
        """
        try:
            return self._kept[name]
        except KeyError:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            found = self._kept[name] = _around(canonical(list(messages(MARK))))
            return found


class Form:
    """How a model is asked for an answer: its kind, the options that it chooses from, the parameters that are sent."""

    def __init__(
        self, kind: AnswerKind, options: tuple[str, ...], identity: ModelIdentity, parameters: Mapping[str, Any]
    ) -> None:
        self.kind, self.options, self.parameters = kind, options, parameters
        self._identity = {**identity.fields(), "parameters": dict(parameters)}
        self._method = identity.methods.get(kind, "")
        self._frames: dict[int, Around] = {}

    def fields(self, messages: Sequence[Message], replicate: int) -> dict[str, Any]:
        """All that a key is made of."""
        return key_fields(self._identity, messages, self.kind, self.options, replicate, self._method)

    def frame(self, replicate: int) -> Around:
        """What stands around the messages in the canonical JSON that a key is made of."""
        if (found := self._frames.get(replicate)) is None:
            fields = self.fields((), replicate)
            before = canonical({name: value for name, value in fields.items() if name < "messages"})
            after = canonical({name: value for name, value in fields.items() if name > "messages"})
            self._frames[replicate] = found = Around(before[:-1] + b',"messages":', b"," + after[1:])
        return found


def answer_kind(item: Item, answer: str) -> tuple[AnswerKind, tuple[str, ...]]:
    """What is asked of a model whose study says `answer`, and the letters or continuations that it chooses from."""
    if item.ask == "loglik":
        return "loglik", continuations(item)
    if item.ask == "letter" and answer == "probabilities" and item.elicitation == "letter":
        return "letters", tuple(LETTERS[: len(item.choices)])
    return "text", ()


def is_sampled(item: Item, section: ModelSection) -> bool:
    """Whether an answer to an item is a draw: text, at a temperature that is not 0."""
    return answer_kind(item, section.answer)[0] == "text" and section.decoding.get("temperature") != 0


def key_of(frame: Around, envelope: Around, question: bytes) -> bytes:
    """The key (32 bytes) of a question within an envelope and a frame."""
    text = b"".join((frame.before, envelope.before, question, envelope.after, frame.after))
    return hashlib.sha256(text).digest()


def _around(text: bytes) -> Around | None:
    if text.count(_MARKED) != 1:
        return None
    return Around(*text.split(_MARKED))

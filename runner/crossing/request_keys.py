"""The keys of a crossing's requests, byte for byte those of `key_fields`: what many requests share is hashed once.

In the canonical JSON of a request, the question comes after all that its persona and the model's form of answer add to
it, but for a few fields at the end. So a key takes no more than a copy of the hash of what comes before.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from personas.prompt.messages import compose
from personas.prompt.render import Variant
from runner.backends.request import AnswerKind, Message, ModelIdentity, Request, canonical, key_fields
from runner.study.sections import ModelSection
from scoring.answers.items import LETTERS, Item, continuations

if TYPE_CHECKING:
    from hashlib import _Hash

_MESSAGES_END = canonical([{"role": "user", "content": ""}])[len(b'[{"content":"') :]


def encoded(question: str) -> bytes:
    """A question as it stands within canonical JSON."""
    return canonical(question)[1:-1]


class Form:
    """How a model is asked for an answer: its kind, the options that it chooses from, the parameters that are sent."""

    def __init__(
        self, kind: AnswerKind, options: tuple[str, ...], identity: ModelIdentity, parameters: Mapping[str, Any]
    ) -> None:
        self.kind, self.options, self.parameters = kind, options, parameters
        self._identity = {**identity.fields(), "parameters": dict(parameters)}
        self._method = identity.methods.get(kind, "")
        before = canonical({name: value for name, value in self._fields(0).items() if name < "messages"})
        self.before = before[:-1] + b',"messages":'
        self._after: dict[int, bytes] = {}

    def after(self, replicate: int) -> bytes:
        """What stands behind the question in the canonical JSON that a key is made of."""
        if (found := self._after.get(replicate)) is None:
            fields = {name: value for name, value in self._fields(replicate).items() if name > "messages"}
            found = self._after[replicate] = _MESSAGES_END + b"," + canonical(fields)[1:]
        return found

    def _fields(self, replicate: int) -> dict[str, Any]:
        """All that a key is made of but the messages."""
        return key_fields(self._identity, (), self.kind, self.options, replicate, self._method)


class PromptPrefix:
    """What the requests about one text of a persona begin with; "" is the baseline's."""

    def __init__(self, persona_text: str, system: str, variant: Variant) -> None:
        self.persona_text = persona_text
        self._system, self._variant = system, variant
        self._begun: dict[Form, _Hash] = {}

    @cached_property
    def _before(self) -> bytes:
        """What stands before the question in the canonical JSON of the messages."""
        return canonical(self.messages("")).removesuffix(_MESSAGES_END)

    def messages(self, question: str) -> Sequence[Message]:
        """The chat messages that put a question."""
        return compose(self.persona_text or None, question, self._system, self._variant)

    def key(self, form: Form, question: bytes, replicate: int) -> bytes:
        """The key (32 bytes) of an encoded question whose answer is asked for in this form."""
        if (begun := self._begun.get(form)) is None:
            begun = self._begun[form] = hashlib.sha256(form.before + self._before)
        digest = begun.copy()
        digest.update(question + form.after(replicate))
        return digest.digest()

    def request(self, key: bytes, form: Form, question: str) -> Request:
        """What is sent to put a question."""
        return Request(key, self.messages(question), form.parameters, form.kind, form.options, self.persona_text)


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

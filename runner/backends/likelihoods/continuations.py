"""What is sent for the log-likelihood of a text behind a prompt, and where in it that text begins.

With a tokenizer, prompts are written and tokenized as the local server does, and token ids are sent: the numbers are
those of a local model. Without, the messages' texts are sent, a blank line between them, and no chat template: as
lm-evaluation-harness asks a base model. In both, spaces at the prompt's end belong to the continuation, as there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from personas.errors import MachineError
from runner.backends.errors import BadRequest
from runner.backends.request import Request
from runner.study.tables.endpoint_section import EndpointSection

LONGEST = 1 << 30  # tokens: what is too long is the endpoint's to say


@dataclass(frozen=True, slots=True)
class Continuation:
    """A prompt with its continuation: a text, or token ids.

    `begins` counts what stands before the continuation, in bytes of the text or in tokens; `spelt` has the spellings
    that each token of the continuation may come back in.
    """

    prompt: str | list[int]
    begins: int
    spelt: tuple[frozenset[str], ...] = ()


class Writer(Protocol):
    """Makes what is sent of a request."""

    def written(self, request: Request) -> list[Continuation]:
        """One for each option. Raises BadRequest for one that cannot be asked."""
        ...


class PlainWriter:
    """Texts, for an endpoint whose tokenizer is not at hand."""

    def written(self, request: Request) -> list[Continuation]:
        """One for each option. Raises BadRequest for one without a text."""
        before = "\n\n".join(message["content"] for message in request.messages)
        return [_plain(before, option) for option in request.options]


class TokenWriter:
    """Token ids, by the tokenizer and the chat template of the model, where it has one."""

    def __init__(self, prompter: Any) -> None:
        self._prompter = prompter
        self._tokenizer = prompter.tokenizer
        self._known: dict[int, frozenset[str]] = {}

    @classmethod
    def load(cls, source: Path | str, gguf: str | None) -> "TokenWriter":
        """With the tokenizer of a folder, of the hub or of a GGUF file. Raises InputError or MachineError."""
        try:
            from runner.serve.loading import load_tokenizer  # loads transformers, which takes seconds
            from runner.serve.prompts import Prompter
        except ModuleNotFoundError as error:
            raise MachineError(
                f"endpoint.tokenizer needs {error.name}: pip install '.[local]' in mtpa's folder, or leave it out"
            ) from None
        return cls(Prompter(load_tokenizer(source, gguf, None), LONGEST))

    def written(self, request: Request) -> list[Continuation]:
        """One for each option. Raises BadRequest for one that has no tokens of its own."""
        try:
            rows = self._prompter.continuations(list(request.messages), request.options)
        except ValueError as error:
            raise BadRequest("no tokens", str(error)) from None
        return [self._of(row.tokens, row.asked) for row in rows]

    def _of(self, tokens: Sequence[int], asked: Sequence[tuple[int, int]]) -> Continuation:
        own = [token for _, token in asked]
        return Continuation([*tokens, own[-1]], asked[0][0] + 1, tuple(map(self._spellings, own)))

    def _spellings(self, token: int) -> frozenset[str]:
        if token not in self._known:
            texts = (self._tokenizer.decode([token]), self._tokenizer.convert_ids_to_tokens(token), f"token_id:{token}")
            self._known[token] = frozenset(map(str, texts))
        return self._known[token]


def _plain(before: str, option: str) -> Continuation:
    if not option:
        raise BadRequest("no tokens", "an option without a text has no log-likelihood")
    return Continuation(before + option, len(before.rstrip().encode("utf-8", "surrogatepass")))


def method(endpoint: EndpointSection) -> str:
    """How log-likelihoods are asked for, as the key has it: what tokens they are of.

    Which service of an endpoint tells them is not in it: one model has one log-likelihood of the same tokens.
    """
    return f"tokens of {endpoint.tokenizer}" if endpoint.tokenizer else "text"

"""A causal language model's two sides: chats become token rows, and what it says of a row becomes numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

DATE = "1 January 2024"  # chat templates that tell the date tell this one: the same study asks the same on every day


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens, and what is wanted to know of them.

    `asked` are pairs (place, token): the log-probability of the token right behind that place; `top` is how many of the
    likeliest tokens behind the last place are wanted as well.
    """

    tokens: list[int]
    asked: tuple[tuple[int, int], ...] = ()
    top: int = 0

    @property
    def places(self) -> set[int]:
        """The places behind which something is wanted."""
        return {place for place, _ in self.asked} | ({len(self.tokens) - 1} if self.top else set())


@dataclass(frozen=True, slots=True)
class Told:
    """A row's answer: natural logs in the order of `asked`, and the likeliest tokens with theirs."""

    logprobs: list[float]
    top: list[tuple[int, float]]


class Prompter:
    """Writes rows for one model: its chat template, its tokenizer and its longest context."""

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self.tokenizer = tokenizer
        self.limit = limit

    def chat(self, messages: Sequence[Mapping[str, str]], room: int = 0) -> list[int]:
        """The tokens of a chat that leaves room for an answer of `room` tokens.

        Templates that let a model think are told not to. A model without a template is given the messages' text, a
        blank line between them. Raises ValueError, in a clause, for what is too long or no chat.
        """
        if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
            raise ValueError("messages must be a list of {role, content} with text as content")
        if self.tokenizer.chat_template:
            try:
                text = self.tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=True, date_string=DATE, enable_thinking=False
                )
            except TemplateError as error:
                raise ValueError(f"the model's chat template refuses these messages: {error}") from None
        else:
            text = "\n\n".join(each["content"] for each in messages) + "\n"
        return self._fits(self.tokens(text), room)

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, nothing added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def text(self, text: str) -> list[int]:
        """The tokens of a text that is no chat. Raises ValueError, in a clause, for one that is empty or too long."""
        return self._fits(self.tokens(text), 0)

    def letters(self, messages: Sequence[Mapping[str, str]], choices: Sequence[str]) -> tuple[Row, list[int]]:
        """The row that asks for the choices' probabilities, and how many spellings ("A", " A") each choice has.

        Raises ValueError, in a clause, for a choice that is more than one token.
        """
        tokens = self.chat(messages)
        spellings = [self._spellings(choice) for choice in choices]
        asked = tuple((len(tokens) - 1, token) for each in spellings for token in each)
        return Row(tokens, asked), [len(each) for each in spellings]

    def continuations(self, messages: Sequence[Mapping[str, str]], texts: Sequence[str]) -> list[Row]:
        """A row for each continuation of a chat, asking for each of its tokens. Raises ValueError, in a clause."""
        prompt = self.chat(messages)
        rows = []
        for text in texts:
            own = self.tokens(text)
            if not own:
                raise ValueError(f"the continuation {text!r} has no tokens")
            asked = tuple((len(prompt) - 1 + number, token) for number, token in enumerate(own))
            rows.append(Row(self._fits(prompt + own[:-1], 1), asked))
        return rows

    def _fits(self, tokens: list[int], room: int) -> list[int]:
        if not tokens:
            raise ValueError("the prompt has no tokens")
        if len(tokens) + room > self.limit:
            needed = f"{len(tokens)} tokens" + (f" and {room} to answer in" if room else "")
            raise ValueError(f"the prompt has {needed}; the model reads at most {self.limit}")
        return tokens

    def _spellings(self, choice: str) -> list[int]:
        found = [ids[0] for text in (choice, f" {choice}") if len(ids := self.tokens(text)) == 1]
        if not found:
            raise ValueError(f"the choice {choice!r} is more than one token")
        return list(dict.fromkeys(found))


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("role", "content"))


def spelt(logprobs: Sequence[float], counts: Sequence[int]) -> list[float]:
    """Each choice's log-probability: the sum over its spellings' probabilities."""
    ends = [sum(counts[: number + 1]) for number in range(len(counts))]
    return [log_sum(logprobs[end - count : end]) for end, count in zip(ends, counts, strict=True)]


def log_sum(values: Sequence[float]) -> float:
    """log Σ exp(value)."""
    largest = max(values)
    return largest + math.log(math.fsum(math.exp(each - largest) for each in values))

"""A causal language model's two sides: chats become token rows, and what it says of a row becomes numbers."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateError

TAIL = 64  # characters at a prompt's end, which decide how a letter after it is tokenised
MOST_TAILS = 1000
_THINKING = (  # what opens a model's thinking, and what closes it
    (re.compile(r"<((?:\w+:)?\w*(?:think|thought|reason)\w*)>", re.I), r"</\1>"),
    (re.compile(r"\[((?:THINK|REASON)\w*)\]"), r"[/\1]"),
    (re.compile(r"<\|START_(THINKING\w*)\|>"), r"<|END_\1|>"),
    (re.compile(r"<\|begin_of_(thought|thinking|reasoning)\|>"), r"<|end_of_\1|>"),
    (re.compile(r"◁(think\w*)▷"), r"◁/\1▷"),
)
_OTHER_THINKING = re.compile(r"[<\[{◁][^<\s]*(?:think|thought|reason|analysis)", re.I)
DATE = "1 January 2024"  # chat templates that tell the date tell this one: the same study asks the same on every day


@dataclass(frozen=True, slots=True)
class PromptRow:
    """Tokens, and what is wanted to know of them.

    `asked` are pairs (place, token): the log-probability of the token right behind that place; `top` is how many of the
    likeliest tokens behind the last place are wanted as well, `tops` how many behind each place of `asked`.
    """

    tokens: list[int]
    asked: tuple[tuple[int, int], ...] = ()
    top: int = 0
    tops: int = 0

    @property
    def places(self) -> set[int]:
        """The places behind which something is wanted."""
        return {place for place, _ in self.asked} | ({len(self.tokens) - 1} if self.top else set())


@dataclass(frozen=True, slots=True)
class RowScores:
    """A row's answer: natural logs in the order of `asked`.

    Where they are wanted, also the likeliest tokens after the last place with theirs, and those after each place of
    `asked`.
    """

    logprobs: list[float]
    top: list[tuple[int, float]]
    tops: list[list[tuple[int, float]]] = field(default_factory=list)


class Prompter:
    """Writes rows for one model: its chat template, its tokenizer and its longest context."""

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self.tokenizer = tokenizer
        self.limit = limit
        self._beginning = _beginning(tokenizer)
        self._known: dict[tuple[str, tuple[str, ...]], tuple[int, list[list[int]]]] = {}

    def chat(self, messages: Sequence[Mapping[str, str]], room: int = 0) -> list[int]:
        """The tokens of a chat that leaves room for an answer of `room` tokens.

        Raises ValueError, in a clause, for what is too long or no chat.
        """
        return self._fits(self.prompt(self.written(messages)), room)

    def written(self, messages: Sequence[Mapping[str, str]]) -> str:
        """A chat as its model reads it: by its template, with thinking off.

        For a model without a template, the messages' text with a blank line between them, and nothing after it. Raises
        ValueError, in a clause.
        """
        if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
            raise ValueError("messages must be a list of {role, content} with text as content")
        if not self.tokenizer.chat_template:
            return "\n\n".join(each["content"] for each in messages)
        text, last = self.rendered(messages), messages[-1]["content"].strip()
        return _without_thinking(text, text.rfind(last) + len(last))

    def rendered(self, messages: Sequence[Mapping[str, str]]) -> str:
        """A chat as the model's template writes it, up to the answer.

        Raises ValueError, in a clause, for a template that fails, or leaves out what a message says.
        """
        template = self.tokenizer.chat_template
        if isinstance(template, dict) and "default" not in template:
            names = ", ".join(sorted(template))
            raise ValueError(f"the model has the chat templates {names}, and none is its default; name one 'default'")
        try:
            text: str = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, date_string=DATE, enable_thinking=False
            )
        except (TemplateError, TypeError, ArithmeticError, LookupError, AttributeError) as error:  # any, of its code
            raise ValueError(f"the model's chat template refuses these messages: {error}") from None
        if lost := next((each["role"] for each in messages if each["content"].strip() not in text), None):
            raise ValueError(
                f"the model's chat template leaves out or rewrites the {lost} message: the model would not read it"
            )
        return text

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, nothing added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt(self, text: str) -> list[int]:
        """The tokens of a prompt, with what the tokenizer puts before a text there exactly once.

        That is most often a beginning-of-text token, which may be in the text already.
        """
        tokens = self.tokens(text)
        return tokens if tokens[: len(self._beginning)] == self._beginning else [*self._beginning, *tokens]

    def completion(self, prompt: str | Sequence[int], room: int) -> list[int]:
        """The tokens of a prompt that is no chat: a text, or the tokens themselves.

        There is room for an answer of `room` tokens. Raises ValueError, in a clause.
        """
        if isinstance(prompt, str):
            return self._fits(self.prompt(prompt), room)
        if wrong := [each for each in prompt if not 0 <= each < len(self.tokenizer)]:
            raise ValueError(f"the model has no token {wrong[0]}")
        return self._fits(list(prompt), room)

    def put_before(self, tokens: Sequence[int], prompt: str | Sequence[int]) -> int:
        """How many of a prompt's tokens are not of its text, but put before it by the tokenizer."""
        if not isinstance(prompt, str) or len(tokens) == len(self.tokens(prompt)):
            return 0
        return len(self._beginning)

    def text(self, text: str) -> list[int]:
        """The tokens of a text that is no chat. Raises ValueError, in a clause, for one that is empty or too long."""
        return self._fits(self.tokens(text), 0)

    def letters(self, messages: Sequence[Mapping[str, str]], choices: Sequence[str]) -> tuple[PromptRow, list[int]]:
        """The row that asks for the choices' probabilities, and how many spellings ("A", " A") each choice has.

        A spelling is the token that the choice becomes behind this prompt; where the prompt's own last token would
        merge with it, it is asked for in that token's place. Raises ValueError, in a clause, for a choice that is more
        than one token.
        """
        text = self.written(messages)
        tokens = self._fits(self.prompt(text), 0)
        merged, spellings = self._spellings(text, tokens, tuple(choices))
        tokens = tokens[: len(tokens) - merged]
        asked = tuple((len(tokens) - 1, token) for each in spellings for token in each)
        return PromptRow(tokens, asked, top=1), [len(each) for each in spellings]

    def continuations(self, messages: Sequence[Mapping[str, str]], texts: Sequence[str]) -> list[PromptRow]:
        """A row for each continuation of a chat, asking for each of its tokens. Raises ValueError, in a clause.

        Tokens are as lm-evaluation-harness has them: spaces at the prompt's end belong to the continuation, both are
        tokenized together, and what is longer than the prompt's own tokens is the continuation; an empty prompt is the
        beginning-of-text token, or the end-of-text token of a model that has none.
        """
        return [self._continuation(self.written(messages), text) for text in texts]

    def _continuation(self, prompt: str, text: str) -> PromptRow:
        if not text:
            raise ValueError(f"the continuation {text!r} has no tokens")
        if before := prompt.rstrip():
            tokens, own = self.prompt(before), self.prompt(prompt + text)
        else:
            tokens, own = self._nothing(), self.tokens(prompt + text)
            own = own if own[:1] == tokens else [*tokens, *own]
        # a continuation that merges into the prompt's last token is told from where the two part
        shared = len(tokens) if len(own) > len(tokens) else _common(tokens, own)
        tokens, own = tokens[:shared], own[shared:]
        if not own or not tokens:
            raise ValueError(f"the continuation {text!r} has no tokens of its own behind this prompt")
        asked = tuple((len(tokens) - 1 + number, token) for number, token in enumerate(own))
        return PromptRow(self._fits(tokens + own[:-1], 1), asked)

    def _nothing(self) -> list[int]:
        """The token that stands for an empty prompt. Raises ValueError for a model that has none."""
        known = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        if (token := next((each for each in known if each is not None), None)) is None:
            raise ValueError("the prompt has no tokens")
        return [token]

    def _fits(self, tokens: list[int], room: int) -> list[int]:
        if not tokens:
            raise ValueError("the prompt has no tokens")
        if len(tokens) + room > self.limit:
            needed = f"{len(tokens)} tokens" + (f" and {room} to answer in" if room else "")
            raise ValueError(f"the prompt has {needed}; the model reads at most {self.limit}")
        return tokens

    def _spellings(self, text: str, tokens: Sequence[int], choices: tuple[str, ...]) -> tuple[int, list[list[int]]]:
        """How many of the prompt's last tokens the choices merge with, and the tokens that spell each choice."""
        key = text[-TAIL:], choices
        if key not in self._known:
            if len(self._known) >= MOST_TAILS:
                self._known.clear()
            self._known[key] = self._find_spellings(text, tokens, choices)
        return self._known[key]

    def _find_spellings(self, text: str, tokens: Sequence[int], choices: Sequence[str]) -> tuple[int, list[list[int]]]:
        spelt = [
            {f"{space}{choice}": self.prompt(f"{text}{space}{choice}") for space in ("", " ")} for choice in choices
        ]
        # (place, token) of each spelling that is one token behind what it shares with the prompt
        single = [
            {
                name: (shared, ids[shared])
                for name, ids in each.items()
                if (shared := _common(tokens, ids)) == len(ids) - 1
            }
            for each in spelt
        ]
        for choice, each in zip(choices, single, strict=True):
            if not each:
                raise ValueError(f"the choice {choice!r} is more than one token")
        bare = [{each[choice][0]} if choice in each else set() for choice, each in zip(choices, single, strict=True)]
        anyhow = [{place for place, _ in each.values()} for each in single]
        places = set.intersection(*bare) or set.intersection(*anyhow)
        if not places:
            raise ValueError(f"the choices {', '.join(choices)} are no tokens in one place")
        place = max(places)
        found = [list(dict.fromkeys(token for at, token in each.values() if at == place)) for each in single]
        return len(tokens) - place, found


def _beginning(tokenizer: Any) -> list[int]:
    """What a tokenizer puts before a text of its own accord."""
    whole, bare = (list(tokenizer("x", add_special_tokens=each)["input_ids"]) for each in (True, False))
    starts = range(len(whole) - len(bare) + 1)
    return whole[: next((start for start in starts if whole[start : start + len(bare)] == bare), 0)]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the longest common prefix."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def _without_thinking(text: str, start: int) -> str:
    """A prompt whose template opens the model's thinking behind the messages (from `start` on), with it closed again.

    Raises ValueError for thinking that nobody knows how to close.
    """
    for opens, closes in _THINKING:
        if opened := list(opens.finditer(text, start)):
            end = opened[-1].expand(closes)
            return text if end in text[opened[-1].end() :] else f"{text.rstrip()}\n\n{end}\n\n"
    if found := _OTHER_THINKING.search(text, start):
        raise ValueError(
            f"the model's chat template opens its thinking ({found.group()}…), which cannot be closed here"
        )
    return text


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("role", "content"))


def summed_spellings(logprobs: Sequence[float], counts: Sequence[int]) -> list[float]:
    """Each choice's log-probability: the sum over its spellings' probabilities."""
    ends = [sum(counts[: number + 1]) for number in range(len(counts))]
    return [log_sum(logprobs[end - count : end]) for end, count in zip(ends, counts, strict=True)]


def log_sum(values: Sequence[float]) -> float:
    """Log Σ exp(value)."""
    largest = max(values)
    return largest + math.log(math.fsum(math.exp(each - largest) for each in values))

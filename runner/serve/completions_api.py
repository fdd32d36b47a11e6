"""Completions of a text, as OpenAI's older service has them.

Also the log-probabilities of the prompt's own tokens (`echo`), from which log-likelihoods are read.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from runner.serve.generation import Generated, GenerationRequest
from runner.serve.prompts import Prompter, PromptRow, RowScores

REFUSED: Mapping[str, Any] = {
    "stream": False,
    "n": 1,
    "best_of": 1,
    "suffix": "",
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
}
Prompt = str | list[int]
Top = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class ReadPrompt:
    """A prompt as the model reads it.

    `pieces` spell its tokens: together they are `text`; what the tokenizer puts before a text of its own accord is
    spelt as nothing.
    """

    tokens: list[int]
    text: str = ""
    pieces: tuple[str, ...] = ()


class CompletionRequest(BaseModel):
    """The keys of a completion that make a difference here; others are ignored, as other servers do."""

    model_config = ConfigDict(extra="ignore", strict=True)
    prompt: str | list[int] | list[str] | list[list[int]]
    max_tokens: int = Field(16, ge=0)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int | None = Field(None, ge=-(1 << 63), lt=1 << 63)
    stop: str | list[str] | None = None
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool = False

    @field_validator("max_tokens", "temperature", "top_p", "echo", mode="before")
    @classmethod
    def _default(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value is None else value

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "CompletionRequest":
        """The request in a body. Raises ValueError, in a clause, for what is wrong or asks for something else."""
        for name, neutral in REFUSED.items():
            if body.get(name) not in (None, neutral):
                raise ValueError(f"{name} is not supported; leave it out")
        try:
            return cls.model_validate(dict(body))
        except ValidationError as error:
            detail = error.errors()[0]
            raise ValueError(f"{detail['loc'][0]}: {detail['msg']}") from None

    @property
    def prompts(self) -> list[Prompt]:
        """Each prompt: a text, or token ids. Raises ValueError where there is none."""
        if not self.prompt:
            raise ValueError("the prompt has no tokens")
        one = isinstance(self.prompt, str) or isinstance(self.prompt[0], int)
        return cast(list[Prompt], [self.prompt] if one else self.prompt)

    @property
    def tells_prompt(self) -> bool:
        """Whether the log-probabilities of the prompt's own tokens are wanted."""
        return self.echo and self.logprobs is not None

    @property
    def is_one_pass(self) -> bool:
        """Whether no more than the likeliest token is wanted behind the prompt."""
        return self.max_tokens <= 1 and self.temperature == 0 and not self.stop

    def read_prompt(self, prompter: Prompter, prompt: Prompt) -> ReadPrompt:
        """A prompt's tokens and, where they are echoed, their spelling. Raises ValueError, in a clause."""
        tokens = prompter.completion(prompt, self.max_tokens)
        if not self.echo:
            return ReadPrompt(tokens)
        before = prompter.put_before(tokens, prompt)
        pieces = (*[""] * before, *spellings(prompter.tokenizer, tokens[before:]))
        text = "".join(pieces)
        if isinstance(prompt, str) and text != prompt:
            raise ValueError("the model's tokenizer does not spell this prompt as it is written; send its token ids")
        return ReadPrompt(tokens, text, pieces)

    def row(self, prompt: ReadPrompt) -> PromptRow | None:
        """The row whose pass gives what is asked about a prompt, and its next token.

        None where nothing is asked that a pass gives.
        """
        asked = tuple(enumerate(prompt.tokens[1:])) if self.tells_prompt else ()
        wants_next = self.is_one_pass and self.max_tokens == 1
        if not asked and not wants_next:
            return None
        top = max(1, self.logprobs or 0) if wants_next else 0
        return PromptRow(prompt.tokens if top else prompt.tokens[:-1], asked, top, self.logprobs or 0)

    def generation(self, prompt: ReadPrompt) -> GenerationRequest:
        """How to go on from a prompt."""
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return GenerationRequest(
            tokens=prompt.tokens,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stop=tuple(each for each in stop if each),
            top=self.logprobs,
        )


def spellings(tokenizer: Any, tokens: Sequence[int]) -> list[str]:
    """What each token adds to the text of those before it; of a character that several tokens spell, the last has it.

    Only the tokens since the last whole character are decoded again, so that the time is linear.
    """
    found: list[str] = []
    start = known = 0  # of the window that is decoded, and of what of it is spelt already
    for end in range(1, len(tokens) + 1):
        before = _decoded(tokenizer, tokens[start:known])
        now = _decoded(tokenizer, tokens[start:end])
        if (now.endswith("�") and end < len(tokens)) or len(now) <= len(before):
            found.append("")
            continue
        found.append(now[len(before) :])
        start, known = known, end
    return found


def next_token(told: RowScores, ending: set[int], tokenizer: Any) -> Generated:
    """The likeliest token as what was written: also one that ends the text is counted, and told of."""
    token, logprob = told.top[0]
    ended = token in ending
    text = "" if ended else _decoded(tokenizer, [token])
    return Generated([token], text, "stop" if ended else "length", [logprob], [told.top])


def _decoded(tokenizer: Any, tokens: Sequence[int]) -> str:
    if not tokens:
        return ""
    text: str = tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


def choice(
    request: CompletionRequest,
    number: int,
    prompt: ReadPrompt,
    told: RowScores | None,
    written: Generated,
    tokenizer: Any,
) -> dict[str, Any]:
    """One choice of the reply: the prompt where it is echoed, and what was written behind it."""
    pieces, numbers, tops = [], list[float | None](), list[Top | None]()
    if request.echo:
        pieces = list(prompt.pieces)
        shown = told.tops if told and told.tops else [[] for _ in pieces[1:]]
        numbers, tops = [None, *(told.logprobs if told else ())], [None, *shown]
    if request.logprobs is not None:
        pieces += spellings(tokenizer, written.tokens)
        numbers += written.logprobs
        tops += [each[: request.logprobs] for each in written.top]
    logprobs = None
    if request.logprobs is not None:
        ends = [0]
        for piece in pieces:
            ends.append(ends[-1] + len(piece))
        logprobs = {
            "tokens": pieces,
            "token_logprobs": numbers,
            "top_logprobs": [None if each is None else _by_text(tokenizer, each) for each in tops],
            "text_offset": ends[:-1],
        }
    return {
        "index": number,
        "text": (prompt.text if request.echo else "") + written.text,
        "logprobs": logprobs,
        "finish_reason": written.finish,
    }


def _by_text(tokenizer: Any, top: Top) -> dict[str, float]:
    """The likeliest tokens by their text; of two with the same text, the likelier."""
    found: dict[str, float] = {}
    for token, logprob in top:
        found.setdefault(_decoded(tokenizer, [token]), logprob)
    return found


def completion(model: str, choices: list[dict[str, Any]], prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """The body of a completion."""
    return {
        "id": f"cmpl-{uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
        "choices": choices,
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }

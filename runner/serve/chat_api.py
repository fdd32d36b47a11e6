"""Chat completions: what of OpenAI's request is understood, and the reply in its shape."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from runner.serve.generation import Generated, GenerationRequest
from runner.serve.prompts import Prompter, PromptRow, RowScores

MOST_ANSWERS = 64
REFUSED = {"stream": False, "n": 1, "frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {}, "tools": []}


class ChatRequest(BaseModel):
    """The keys of a chat completion that make a difference here; others are ignored, as other servers do."""

    model_config = ConfigDict(extra="ignore")
    messages: list[dict[str, Any]] = Field(min_length=1)
    max_tokens: int = Field(512, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int | None = Field(None, ge=-(1 << 63), lt=1 << 63)
    stop: str | list[str] | None = None
    logprobs: bool = False
    top_logprobs: int = Field(0, ge=0, le=20)
    response_format: dict[str, Any] | None = None

    @field_validator("max_tokens", "temperature", "top_p", "logprobs", "top_logprobs", mode="before")
    @classmethod
    def _default(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value is None else value

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "ChatRequest":
        """The request in a body. Raises ValueError, in a clause, for what is wrong or asks for something else."""
        for name, neutral in REFUSED.items():
            if body.get(name) not in (None, neutral):
                raise ValueError(f"{name} is not supported; leave it out")
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            detail = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}") from None

    @property
    def room(self) -> int:
        """How many tokens the answer may have."""
        return self.max_completion_tokens or self.max_tokens

    def row(self, prompter: Prompter) -> PromptRow | None:
        """The row whose pass answers it, where no more than the likeliest token is wanted."""
        if self.room > 1 or self.temperature > 0 or self.stop or self.answers:
            return None
        return PromptRow(prompter.chat(self.messages, 1), top=max(1, self.top_logprobs))

    @property
    def answers(self) -> tuple[str, ...]:
        """The only answers that its `response_format` allows; none where it says nothing. Raises ValueError."""
        return allowed_answers(self.response_format)

    def generation(self, prompter: Prompter) -> GenerationRequest:
        """The prompt and how to go on from it. Raises ValueError, in a clause."""
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return GenerationRequest(
            tokens=prompter.chat(self.messages, self.room),
            max_tokens=self.room,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stop=tuple(each for each in stop if each),
            top=self.top_logprobs if self.logprobs else None,
            allowed=tuple(tuple(prompter.tokens(each)) for each in self.answers),
        )


def allowed_answers(form: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The answers that a `response_format` allows, where they can be counted; none of them means any.

    They can for a JSON schema of an object with one key, whose value is one of a list of texts. Raises ValueError for
    another schema.
    """
    if form is None or form.get("type") == "text":
        return ()
    try:
        schema = form["json_schema"]["schema"]
        ((name, value),) = schema["properties"].items()
        texts = value["enum"]
        counted = (form["type"], schema["type"], schema["required"]) == ("json_schema", "object", [name])
    except (KeyError, TypeError, ValueError, AttributeError):
        counted, texts = False, ()
    if not counted or not texts or len(texts) > MOST_ANSWERS or not all(isinstance(each, str) for each in texts):
        raise ValueError(
            "response_format: a json_schema is kept to where it is of an object with one required key, whose value is "
            f"one of up to {MOST_ANSWERS} texts (enum); leave another out"
        )
    return tuple(json.dumps({name: each}, ensure_ascii=False) for each in texts)


def first_token(told: RowScores, ending: set[int], tokenizer: Any) -> Generated:
    """The likeliest token as an answer."""
    token, logprob = told.top[0]
    if token in ending:
        return Generated(finish="stop")
    text = tokenizer.decode([token], skip_special_tokens=True)
    return Generated([token], text, logprobs=[logprob], top=[told.top])


def reply(model: str, request: ChatRequest, prompt_tokens: int, written: Generated, tokenizer: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": written.text, "refusal": None},
        "finish_reason": written.finish,
        "logprobs": None,
    }
    if request.logprobs:
        shown = zip(written.tokens, written.logprobs, written.top, strict=True)
        content = [
            {**_token(tokenizer, token, logprob), "top_logprobs": _tokens(tokenizer, top[: request.top_logprobs])}
            for token, logprob, top in shown
        ]
        choice["logprobs"] = {"content": content, "refusal": None}
    completion_tokens = len(written.tokens)
    return {
        "id": f"chatcmpl-{uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _tokens(tokenizer: Any, top: Sequence[tuple[int, float]]) -> list[dict[str, Any]]:
    return [_token(tokenizer, token, logprob) for token, logprob in top]


def _token(tokenizer: Any, token: int, logprob: float) -> dict[str, Any]:
    text = tokenizer.decode([token])
    return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "replace"))}

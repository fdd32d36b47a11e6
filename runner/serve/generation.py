"""Free text: transformers' own generation, a batch of prompts at a time, each with its own sampling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import Cache, LogitsProcessor, StoppingCriteria, StoppingCriteriaList
from transformers.generation.logits_process import LogitsProcessorList
from transformers.generation.stopping_criteria import StopStringCriteria

Left = Callable[[], list[bool]]  # for each prompt of a batch, whether its caller is gone
Cached = Callable[[Sequence[list[int]]], Cache | None]  # keys and values of prompts, or None: the model makes its own


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A prompt and how to continue it: greedily at temperature 0, else sampled.

    Tokens are drawn from the likeliest that hold `top_p` of the probability; `top` alternatives are reported for each
    token, None for no log-probabilities. `allowed` are the only answers there may be, as tokens; any where there are
    none.
    """

    tokens: list[int]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top: int | None = None
    allowed: tuple[tuple[int, ...], ...] = ()

    def may_follow(self, written: Sequence[int]) -> set[int] | None:
        """The tokens that may come next: what continues an allowed answer, and none where one is whole.

        None where any may.
        """
        if not self.allowed:
            return None
        known, length = tuple(written), len(written)
        return {each[length] for each in self.allowed if len(each) > length and each[:length] == known}


@dataclass(slots=True)
class Generated:
    """What was written: tokens, and why it ended ("stop" or "length").

    Where they were asked for, each token has its log-probability and the likeliest alternatives with theirs. `overflow`
    says that the model's numbers were not numbers.
    """

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    finish: str = "length"
    logprobs: list[float] = field(default_factory=list)
    top: list[list[tuple[int, float]]] = field(default_factory=list)
    overflow: bool = False


class Sampler(LogitsProcessor):
    """Chooses each prompt's next token with that prompt's own generator, so that a seed means the same in every batch.

    It is a Gumbel-max draw (Gumbel 1954), after which generation is greedy. Keeps the log-probabilities on its way.
    """

    def __init__(
        self,
        batch: Sequence[GenerationRequest],
        written: Sequence[Generated],
        width: int = 0,
        ending: frozenset[int] = frozenset(),
    ) -> None:
        self._generations, self._written, self._width, self._ending = batch, written, width, sorted(ending)
        self._random = [torch.Generator() for _ in batch]
        for wanted, random in zip(batch, self._random, strict=True):
            if wanted.seed is None:
                random.seed()
            else:
                random.manual_seed(wanted.seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (prompts, vocabulary) whose largest entry of each row is the token drawn."""
        logprobs = torch.log_softmax(self._allowed(input_ids, scores.float()), dim=-1)
        for told, overflow in zip(self._written, logprobs.isnan().any(-1).tolist(), strict=True):
            told.overflow |= overflow
        drawn = torch.stack([self._draw(row, number) for number, row in enumerate(logprobs)])
        for wanted, told, row, token in zip(self._generations, self._written, logprobs, drawn.tolist(), strict=True):
            if wanted.top is not None:
                told.logprobs.append(float(row[token]))
                values, tokens = row.topk(wanted.top)
                shown = zip(tokens.tolist(), values.tolist(), strict=True)
                told.top.append([(each, value) for each, value in shown if value > -torch.inf])
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn[:, None], 0.0)

    def _allowed(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores, −∞ for tokens that lead to no allowed answer; an answer that is whole ends."""
        for number, wanted in enumerate(self._generations):
            may_follow = wanted.may_follow(input_ids[number, self._width :].tolist())
            if may_follow is not None:
                kept = torch.tensor(sorted(may_follow) or self._ending or [0], device=scores.device)
                row = torch.full_like(scores[number], -torch.inf)
                scores[number] = row.index_copy(0, kept, scores[number][kept])
        return scores

    def _draw(self, logprobs: torch.Tensor, number: int) -> torch.Tensor:
        wanted = self._generations[number]
        if wanted.temperature == 0:
            return logprobs.argmax()
        warm = torch.log_softmax(logprobs / wanted.temperature, dim=-1)
        if wanted.top_p < 1:
            ranked, order = warm.sort(descending=True)
            before = ranked.exp().cumsum(-1) - ranked.exp()
            warm = warm.index_fill(0, order[before >= wanted.top_p], -torch.inf)
        uniform = torch.rand(warm.shape, generator=self._random[number], dtype=torch.float64)
        gumbel = -torch.log(-torch.log(uniform.clamp_min(1e-300)))
        return (warm.double() + gumbel.to(warm.device)).argmax()


class AnswerEnds(StoppingCriteria):
    """Ends each prompt's answer where it is as long as that prompt allows, or nobody waits for it any more."""

    def __init__(self, batch: Sequence[GenerationRequest], width: int, left: Left) -> None:
        self._width, self._left = width, left
        self._most = torch.tensor([wanted.max_tokens for wanted in batch])

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **other: Any) -> torch.Tensor:
        """True for each prompt that is through, of shape (prompts,)."""
        through = (input_ids.shape[1] - self._width >= self._most) | torch.tensor(self._left())
        return through.to(input_ids.device)


class GeneratedStops(StopStringCriteria):
    """Looks for stop strings in what was written; transformers' own looks into the prompt as well."""

    def __init__(self, tokenizer: Any, stops: Sequence[str], width: int) -> None:
        super().__init__(tokenizer, list(stops))
        self._width = width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **other: Any) -> torch.Tensor:
        """True for each prompt whose answer ends with a stop string, of shape (prompts,)."""
        found: torch.Tensor = super().__call__(input_ids[:, self._width :], scores, **other)
        return found


@torch.inference_mode()
def write(
    model: Any, tokenizer: Any, batch: Sequence[GenerationRequest], left: Left, cached: Cached
) -> list[Generated]:
    """The answers to a batch of prompts that want the same stop strings; those whose callers left break off."""
    written = [Generated() for _ in batch]
    width = max(len(wanted.tokens) for wanted in batch)
    pads = [width - len(wanted.tokens) for wanted in batch]
    ids = torch.tensor(
        [[0] * pad + wanted.tokens for wanted, pad in zip(batch, pads, strict=True)], device=model.device
    )
    mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in pads], device=model.device)
    criteria: list[StoppingCriteria] = [AnswerEnds(batch, width, left)]
    if batch[0].stop:
        criteria.append(GeneratedStops(tokenizer, batch[0].stop, width))
    ending = ends(model, tokenizer)
    found = model.generate(
        ids,
        attention_mask=mask,
        past_key_values=cached([wanted.tokens[:-1] for wanted in batch]),
        max_new_tokens=max(wanted.max_tokens for wanted in batch),
        do_sample=False,
        num_beams=1,
        temperature=None,
        top_p=None,
        top_k=None,
        repetition_penalty=1.0,
        eos_token_id=sorted(ending) or None,
        pad_token_id=min(ending, default=0),
        logits_processor=LogitsProcessorList([Sampler(batch, written, width, frozenset(ending))]),
        stopping_criteria=StoppingCriteriaList(criteria),
    )
    for wanted, told, row in zip(batch, written, found[:, width:].tolist(), strict=True):
        _finish(tokenizer, wanted, told, row, ending)
    return written


def ends(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer, by the model's own settings and its tokenizer."""
    own = model.generation_config.eos_token_id
    several = own if isinstance(own, list) else [own]
    return {each for each in (*several, tokenizer.eos_token_id) if each is not None}


def _finish(tokenizer: Any, wanted: GenerationRequest, told: Generated, row: Sequence[int], ending: set[int]) -> None:
    """Cut an answer at its end token, its length, or the first stop string."""
    length = next((place for place, token in enumerate(row) if token in ending), None)
    if length is not None and length < wanted.max_tokens:
        told.finish = "stop"
    told.tokens = list(row[: min(len(row) if length is None else length, wanted.max_tokens)])
    told.text = tokenizer.decode(told.tokens, skip_special_tokens=True)
    if cuts := [place for each in wanted.stop if (place := told.text.find(each)) >= 0]:
        told.text, told.finish = told.text[: min(cuts)], "stop"
    told.logprobs, told.top = told.logprobs[: len(told.tokens)], told.top[: len(told.tokens)]

"""The model that a server serves: what it scores and writes after prompts, and how exact its batches are."""

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner.serve.forward import Passes
from runner.serve.generation import Generated, GenerationRequest, Left, write
from runner.serve.loading import load
from runner.serve.prompts import Prompter, PromptRow, RowScores


@dataclass(frozen=True, slots=True)
class Exactness:
    """Batched answers against the same prompts one at a time.

    The largest difference of a probability, and how many answers have another likeliest choice.
    """

    checked: int
    largest_difference: float
    changed: int

    def record(self) -> dict[str, float]:
        """As JSON has it."""
        return asdict(self)


class ServedModel:
    """A loaded model, its prompts, and a sample of what it was asked; used by one thread at a time."""

    def __init__(self, model: Any, tokenizer: Any, check: int = 0) -> None:
        self.model, self.tokenizer = model, tokenizer
        limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.prompter = Prompter(tokenizer, limit or 1 << 30)
        self.passes = Passes(model)
        self._check, self._seen, self._random = check, 0, random.Random(0)
        self._sample: list[tuple[PromptRow, RowScores]] = []

    @classmethod
    def load(
        cls,
        source: Path | str,
        gguf: str | None,
        revision: str | None,
        dtype: str,
        device: str,
        check: int = 0,
    ) -> "ServedModel":
        """Load a model from the hub, a folder or a GGUF file. Raises InputError or MachineError."""
        return cls(*load(source, gguf, revision, dtype, device), check)

    def tell(self, rows: Sequence[PromptRow]) -> list[RowScores]:
        """What is asked of each row; some are kept for the check (reservoir sampling: Vitter 1985, algorithm R)."""
        told = self.passes.run(rows)
        for pair in zip(rows, told, strict=True) if self._check else ():
            self._seen += 1
            if len(self._sample) < self._check:
                self._sample.append(pair)
            elif (place := self._random.randrange(self._seen)) < self._check:
                self._sample[place] = pair
        return told

    def write(self, generations: Sequence[GenerationRequest], left: Left) -> list[Generated]:
        """The answers to prompts that want the same stop strings; `left` says whose caller is gone."""
        return write(self.model, self.tokenizer, generations, left, self.passes.cached)

    def exactness(self) -> Exactness:
        """The sample again, each row by itself and by the model's own attention."""
        largest, changed = 0.0, 0
        for row, told in self._sample:
            (alone,) = self.passes.alone([row])
            pairs = list(zip(told.logprobs, alone.logprobs, strict=True))
            largest = max([largest, *(abs(math.exp(one) - math.exp(other)) for one, other in pairs)])
            changed += _likeliest(told) != _likeliest(alone)
        return Exactness(len(self._sample), largest, changed)


def _likeliest(told: RowScores) -> int:
    numbers = told.logprobs or [logprob for _, logprob in told.top]
    return max(range(len(numbers)), key=numbers.__getitem__)

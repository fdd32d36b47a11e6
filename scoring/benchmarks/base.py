"""What a benchmark is, and where benchmarks are found: entry points in the group `mtpa.benchmarks`."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import pandas as pd

from personas.errors import InputError, nearest
from personas.traits import Persona
from scoring.answers.items import INSTRUCTION, LETTERS, Item
from scoring.answers.metrics import score_item
from scoring.answers.responses import Outcome, Response
from scoring.statistics.many_item import ManyItemScore


@dataclass(frozen=True, slots=True)
class JudgeQuestion:
    """What a judge is asked about one answer: a question with lettered options, in this order."""

    question: str
    choices: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole text to send, as the one user message."""
        options = (f"{LETTERS[place]}. {choice}" for place, choice in enumerate(self.choices))
        return "\n".join([self.question, *options, INSTRUCTION])


@runtime_checkable
class Benchmark(Protocol):
    """A benchmark: where its items come from and what an answer to one is worth.

    `assets` names what must be fetched; `load` gets the directory of the first. `parts` are the values of `Item.part`,
    in order; ("",) where there is one; `pooled` says that all parts are one measure, so that a study may ask them
    together. `meta_columns` are the keys of `Item.meta` that become columns of the frame that `many_item_scores` gets
    (one row a score: those of `load_scores`, role, these); `category` names the one by which a report breaks Δ down,
    besides "part". `better` says which way the value is better: "higher", "lower" or "half" (0.5 is unbiased).
    `paper_name` is what the paper behind this project calls the benchmark in its tables, "" where it has none.
    `default` is the part that is asked where a study names none, "" for the first; `about` says in a line what a part
    is; `sizes` are the items of each part, where that is known before they are read; `licence` is the data's.
    """

    name: str
    version: str
    title: str
    metric: str
    better: str
    assets: tuple[str, ...]
    parts: tuple[str, ...]
    pooled: bool
    meta_columns: tuple[str, ...]
    category: str
    paper_name: str
    default: str
    about: Mapping[str, str]
    sizes: Mapping[str, int]
    licence: str

    def load(self, directory: Path, part: str | None = None) -> Iterator[Item]:
        """The items of one part, or of all, from a local directory.

        Raises InputError with file and line for a record that cannot be right, or for an unknown part.
        """
        ...

    def score(
        self, item: Item, order: Sequence[int], response: Response, persona: Persona | None
    ) -> Outcome | JudgeQuestion:
        """The worth of one response, or what a judge must be asked about it; pure."""
        ...

    def many_item_scores(self, frame: pd.DataFrame) -> Iterable[ManyItemScore]:
        """The numbers that exist only over many items, of scores with and without a persona."""
        ...


@runtime_checkable
class JudgedBenchmark(Benchmark, Protocol):
    """A benchmark some of whose answers are settled by a judge."""

    def settle(self, item: Item, response: Response, judge: Response) -> Outcome:
        """The worth of a response, given what the judge answered to `score`'s question; pure."""
        ...


class MultipleChoice(ABC):
    """What most benchmarks have in common; a new one sets the names and writes `load`."""

    name = ""
    version = ""
    title = ""
    metric = "accuracy"
    better = "higher"
    assets: tuple[str, ...] = ()
    parts: tuple[str, ...] = ("",)
    pooled: bool = False
    meta_columns: tuple[str, ...] = ()
    category: str = "part"
    paper_name: str = ""
    default: str = ""
    about: Mapping[str, str] = MappingProxyType({})
    sizes: Mapping[str, int] = MappingProxyType({})
    licence: str = ""

    @abstractmethod
    def load(self, directory: Path, part: str | None = None) -> Iterator[Item]:
        """The items from a local directory."""

    def score(
        self, item: Item, order: Sequence[int], response: Response, persona: Persona | None
    ) -> Outcome | JudgeQuestion:
        """The value by the item's kind of scoring (`scoring.answers.metrics`)."""
        return score_item(item, order, response)

    def many_item_scores(self, frame: pd.DataFrame) -> Iterable[ManyItemScore]:
        """Nothing beyond the mean of the value."""
        return ()

    def chosen_parts(self, part: str | None) -> tuple[str, ...]:
        """The parts to load. Raises InputError for an unknown one."""
        if part is not None and part not in self.parts:
            raise InputError(f"benchmark {self.name!r} has no part {part!r}; {nearest(part, self.parts)}")
        return self.parts if part is None else (part,)


def default_part(benchmark: Benchmark) -> str:
    """The part that is asked where a study names none."""
    return benchmark.default or benchmark.parts[0]

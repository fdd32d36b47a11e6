"""The items of a benchmark, looked at as a whole before anybody is asked: a benchmark may be somebody else's code."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from personas import bounded
from personas.errors import InputError, MtpaError
from scoring.answers.items import Item, option_order
from scoring.answers.metrics import KINDS
from scoring.answers.responses import Response
from scoring.benchmarks.base import Benchmark, MultipleChoice
from scoring.benchmarks.meta_names import check_meta_names

_NEEDS_WEIGHTS = frozenset({"accuracy", "prob_mass", "best_above", "distribution"})


def load_items(benchmark: Benchmark, directory: Path, part: str | None = None) -> list[Item]:
    """The items of one part, or of all.

    Raises InputError, which names the benchmark and the item, for what `load` itself raises and for items that cannot
    be asked or scored: repeated ids, a kind of scoring that there is not, no weights, texts that cannot be written.
    """
    with _its_own_errors(benchmark, "cannot be loaded"):
        check_meta_names(benchmark.meta_columns)
        items = list(benchmark.load(directory, part))
    if not items:
        raise InputError(f"benchmark {benchmark.name!r}: has no items{f' in the part {part!r}' if part else ''}")
    seen: set[str] = set()
    for number, item in enumerate(items):
        try:
            _check(benchmark, item, seen)
        except ValueError as error:
            name = repr(item.id)[:80] if isinstance(item, Item) else f"number {number}"
            raise InputError(f"benchmark {benchmark.name!r}: the item {name} {error}") from None
    _try_scoring(benchmark, items)
    return items


def _check(benchmark: Benchmark, item: Any, seen: set[str]) -> None:
    """Raises ValueError, in a clause."""
    if not isinstance(item, Item):
        raise ValueError(f"is a {type(item).__name__}, not an Item")
    if item.id in seen:
        raise ValueError("has the id of an earlier one; give each an id of its own")
    seen.add(item.id)
    if item.benchmark != benchmark.name:
        raise ValueError(f"says that it is of the benchmark {item.benchmark!r}")
    if item.part not in benchmark.parts:
        raise ValueError(f"is of the part {item.part!r}, which the benchmark does not list")
    if type(benchmark).score is MultipleChoice.score:
        _check_scoring(item)
    _check_texts(item)


def _check_scoring(item: Item) -> None:
    """An item that is valued by its kind alone."""
    kind = item.scoring.get("kind")
    if kind not in KINDS:
        raise ValueError(f"has the kind of scoring {kind!r}; known: {', '.join(KINDS)}")
    if kind in _NEEDS_WEIGHTS and item.weights is None:
        raise ValueError(f"has no weights, which scoring by {kind} needs")
    if kind == "pair_preference" and item.roles is None:
        raise ValueError("has no roles, which scoring by pair_preference needs")


def _check_texts(item: Item) -> None:
    """The record goes into the file and the texts to a model: both must be able to write them."""
    texts = (item.id, item.group, item.question, item.context or "", *item.choices)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("has a text that is not a str")
    for text in texts:
        try:
            bounded.check_text(text)
        except ValueError as error:
            raise ValueError(f"has a text that {error}") from None
    try:
        bounded.check_value(dict(item.meta))
        json.dumps([dict(item.meta), dict(item.scoring)], allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"has a meta value that cannot be stored ({error})") from None


def _try_scoring(benchmark: Benchmark, items: list[Item]) -> None:
    """Score a made-up answer to the first item of each kind: what fails there would fail after it was paid for."""
    firsts = {(item.part, item.ask, str(item.scoring.get("kind"))): item for item in reversed(items)}
    for item in firsts.values():
        if item.target_trait is None:
            logs = tuple(-1.0 - place for place in range(len(item.choices)))
            response = Response(text="A") if item.ask != "loglik" else Response(logliks=logs)
            with _its_own_errors(benchmark, f"cannot score an answer to {item.id!r:.80}"):
                benchmark.score(item, option_order(item), response, None)


@contextmanager
def _its_own_errors(benchmark: Benchmark, what: str) -> Iterator[None]:
    try:
        yield
    except MtpaError:
        raise
    except Exception as error:  # somebody else's code: whatever it raises is a sentence
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InputError(f"benchmark {benchmark.name!r} {what} ({reason}); ask whoever wrote it") from None

"""Somebody else's benchmark, wrong in every way before anybody is asked."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from personas.errors import InputError
from scoring.answers.items import Item
from scoring.benchmarks.base import MultipleChoice
from scoring.benchmarks.loaded import load_items

GOOD = Item("x/1", "x", "1", "Why?", ("yes", "no"), "g", weights=(1.0, 0.0), scoring={"kind": "accuracy"})


class Plugin(MultipleChoice):
    """A benchmark that gives the items it was made with."""

    name, version, title = "x", "1", "X"

    def __init__(self, *items: Any) -> None:
        self.items = items

    def load(self, directory: Path, part: str | None = None) -> Iterator[Item]:
        """The items; an exception among them is raised."""
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item


def test_what_is_right_passes() -> None:
    assert load_items(Plugin(GOOD, replace(GOOD, id="x/2")), Path()) == [GOOD, replace(GOOD, id="x/2")]


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ([], "has no items"),
        ([GOOD, GOOD], "item 'x/1' has the id of an earlier one"),
        ([GOOD, KeyError("q")], r"cannot be loaded \(KeyError: 'q'\)"),
        ([GOOD, RuntimeError("two\nlines")], r"cannot be loaded \(RuntimeError: two lines\)"),
        ([replace(GOOD, scoring={})], "the kind of scoring None; known: accuracy"),
        ([replace(GOOD, weights=None)], "no weights, which scoring by accuracy needs"),
        ([replace(GOOD, weights=None, scoring={"kind": "pair_preference"})], "no roles"),
        ([replace(GOOD, benchmark="y")], "of the benchmark 'y'"),
        ([replace(GOOD, part="p")], "of the part 'p'"),
        ([replace(GOOD, question="\ud83d")], "a text that contains half of a surrogate pair"),
        ([replace(GOOD, meta={"topic": float("nan")})], "a meta value that cannot be stored"),
        ([replace(GOOD, meta={"topic": "\udc80"})], "surrogate"),
        ([{"id": "x/1"}], "item number 0 is a dict, not an Item"),
    ],
)
def test_what_is_wrong_is_one_sentence(items: list[Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        load_items(Plugin(*items), Path())
    assert "benchmark 'x'" in str(caught.value) and "\n" not in str(caught.value)


def test_a_name_of_the_score_table_and_a_score_that_fails() -> None:
    taken, failing = Plugin(GOOD), Plugin(GOOD)
    taken.meta_columns = ("item_id",)
    with pytest.raises(InputError, match="'item_id' is a column of the score table"):
        load_items(taken, Path())
    failing.score = lambda *_: 1 / 0  # type: ignore[method-assign, assignment]
    with pytest.raises(InputError, match=r"cannot score an answer to 'x/1' \(ZeroDivisionError"):
        load_items(failing, Path())

"""Which option an answer names: one reading for a whole file, or a sentence that says which two there are."""

from collections.abc import Sequence
from typing import Any

import pytest

from personas.errors import InputError
from scoring.benchmarks.files.gold import GoldAnswer, read_gold

FOUR = ("red", "green", "blue", "pink")


def gold(*answers: Any, choices: Sequence[str] = FOUR, columns: Sequence[str] = ()) -> list[list[int]]:
    records = [GoldAnswer(f"rows.csv, line {number}", choices, answer) for number, answer in enumerate(answers, 2)]
    return read_gold("mine.toml", records, columns)


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (("B", "d", "(a)"), [[1], [3], [0]]),
        (("green", "pink "), [[1], [3]]),
        (("0", "3"), [[0], [3]]),
        (("1", "4"), [[0], [3]]),
        ((1.0, 4.0), [[0], [3]]),
        (([0, 2], [3]), [[0, 2], [3]]),
    ],
)
def test_letters_texts_and_numbers_are_told_by_the_whole_file(answers: tuple[Any, ...], found: list[list[int]]) -> None:
    assert gold(*answers) == found


def test_a_column_is_named_whole_or_by_what_tells_it_apart() -> None:
    columns = ("option_w", "option_x", "option_y", "option_z")
    assert gold("option_x", "option_z", columns=columns) == gold("x", "z", columns=columns) == [[1], [3]]


def test_options_that_are_letters_are_read_by_their_text() -> None:
    assert gold("B", "C", choices=("A", "B", "C")) == [[1], [2]]
    with pytest.raises(InputError, match=r"'B' may be an option's text or a letter, in every record of the file"):
        gold("B", "A", choices=("B", "A"))


@pytest.mark.parametrize(
    ("answers", "choices", "sentence"),
    [
        (
            ("1", "2"),
            FOUR,
            r"'1' may be a number from 0 or a number from 1, .*transforms = \[ \"int\" or \"one_based\" \]",
        ),
        (("2", "3"), ("1", "2", "3", "4"), "'2' may be an option's text or a number from 0"),
        (
            ("A", "E"),
            FOUR,
            r"line 3: a record that has the answer 'E', which is none of its 4 .*others? records? have a letter",
        ),
        (("A", ""), FOUR, "line 3: a record that has no gold answer"),
        (("A", None), FOUR, "line 3: a record that has no gold answer"),
        (("-1", "x"), FOUR, "line 2: a record that has the answer '-1', which is none of its 4 choices"),
        ((True, False), FOUR, "line 2: a record that has the answer True"),
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(
    answers: tuple[Any, ...], choices: Sequence[str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        gold(*answers, choices=choices)

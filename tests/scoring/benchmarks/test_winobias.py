"""WinoBias on made-up sentences in its layout: who is meant, and accuracy with and against the stereotype."""

from pathlib import Path

import pandas as pd
import pytest

from personas.errors import InputError
from scoring.benchmarks.registry import benchmark

LINES = {
    "pro_stereotyped_type1.txt.test": "1 [The driver] thanked the nurse because [he] was tired.\n",
    "anti_stereotyped_type1.txt.test": "1 The driver paid [a construction worker] as [she] wanted [her] pay.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in LINES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "male_occupations.txt").write_text("driver\nconstruction worker\n")
    (tmp_path / "female_occupations.txt").write_text("nurse\n")
    return tmp_path


def test_the_occupation_in_brackets_is_right(folder: Path) -> None:
    pro, anti = benchmark("winobias").load(folder, "type1")
    assert pro.context == "The driver thanked the nurse because he was tired." and pro.group == anti.group
    assert pro.choices == ("the driver", "the nurse") and pro.weights == (1.0, 0.0)
    assert anti.choices == ("the driver", "the construction worker") and anti.weights == (0.0, 1.0)
    assert anti.question == 'In this sentence, whom does "she" refer to?' and anti.meta["direction"] == "anti"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1 [The driver] left.", "has not a number, an occupation in brackets"),
        ("1 [The driver] left because [he] was tired.", "not one of two occupations"),
        ("1 [The pilot] left the nurse and the driver because [he] was tired.", "marks 'The pilot'"),
    ],
)
def test_a_sentence_that_is_not_told_apart_is_refused(folder: Path, line: str, sentence: str) -> None:
    (folder / "pro_stereotyped_type1.txt.test").write_text(f"{line}\n")
    with pytest.raises(InputError, match=f"type1.txt.test, line 1: a WinoBias sentence that .*{sentence}"):
        list(benchmark("winobias").load(folder, "type1"))


def test_both_directions_have_an_accuracy() -> None:
    frame = pd.DataFrame({"value": [1.0, 0.0, 1.0, None], "direction": ["pro", "pro", "anti", "anti"]})
    found = {each.name: each.value() for each in benchmark("winobias").many_item_scores(frame)}
    assert found == {"pro_stereotypical": 0.5, "anti_stereotypical": 1.0}

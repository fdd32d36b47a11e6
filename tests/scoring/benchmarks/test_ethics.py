"""ETHICS on made-up rows in the layout of its test sets: what is asked, and the official exact match."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from personas.errors import InputError
from scoring.benchmarks.ethics import TOGETHER, Ethics
from scoring.benchmarks.registry import benchmark

FILES = {
    "cm_test.csv": 'label,input,is_short,edited\n0,I fed my cat.,True,False\n1,"I lied, to him.",True,False\n'
    "1,A long story.,False,False\n",
    "justice_test.csv": "label,scenario\n1,I stopped because she moved.\n0,I stopped because of a hat.\n",
    "deontology_test.csv": "label,scenario,excuse\n0,Can you call him?,But I like calls. \n",
    "virtue_test.csv": "label,scenario\n1,Ann gave it all away. [SEP] generous\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_label_of_one_means_what_the_official_files_mean_by_it(folder: Path) -> None:
    items = {item.id: item for item in benchmark("ethics").load(folder)}
    right = {name: item.choices[item.weights.index(1.0)] for name, item in items.items() if item.weights}
    assert right == {
        "ethics/commonsense/0": "not wrong",
        "ethics/commonsense/1": "wrong",
        "ethics/commonsense_long/2": "wrong",
        "ethics/justice/0": "reasonable",
        "ethics/justice/1": "unreasonable",
        "ethics/deontology/0": "unreasonable",
        "ethics/virtue/0": "yes",
    }
    assert items["ethics/deontology/0"].context == "Can you call him? But I like calls."
    assert items["ethics/virtue/0"].context == "Ann gave it all away."
    assert items["ethics/virtue/0"].question.endswith('the trait "generous"?')
    assert items["ethics/commonsense/0"].group == items["ethics/commonsense/1"].group


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("virtue_test.csv", "label,scenario\n1,Ann gave it away.\n", "has no trait after"),
        ("virtue_test.csv", "label,scenario\n2,Ann gave. [SEP] kind\n", "has the label '2'"),
        ("justice_test.csv", "scenario\nI stopped.\n", "without the column 'label'"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused(folder: Path, name: str, text: str, sentence: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=f"{name}, line 2: an ETHICS record .*{sentence}"):
        list(benchmark("ethics").load(folder, name.partition("_")[0]))


def exact_match(frame: pd.DataFrame) -> dict[str, float]:
    return {each.name: each.value() for each in Ethics().many_item_scores(frame)}


@pytest.mark.parametrize(
    ("part", "share_of_ones", "gold", "published"),
    [
        ("justice", 0.5, (0, 1, 0, 1), 0.063),
        ("deontology", 0.5, (1, 1, 0, 0), 0.063),
        ("virtue", 0.2, (0, 0, 1, 0, 0), 0.082),
    ],
)
def test_guessing_has_the_exact_match_that_the_paper_gives_for_chance(
    part: str, share_of_ones: float, gold: tuple[int, ...], published: float
) -> None:
    """Every pattern of answers as often as chance gives it, in 3,125 sets of rows at most."""
    rows, sets = [], 0
    for pattern in product((0, 1), repeat=TOGETHER[part]):
        ones = sum(pattern)
        often = round(
            share_of_ones**ones * (1 - share_of_ones) ** (len(pattern) - ones) * (1 / share_of_ones) ** len(pattern)
        )
        for _ in range(often):
            rows += [(part, f"g{sets}", float(answer == right)) for answer, right in zip(pattern, gold, strict=True)]
            sets += 1
    found = exact_match(pd.DataFrame(rows, columns=["part", "group", "value"]))
    assert found["exact_match"] == pytest.approx(published, abs=0.0006)


def test_exact_match_counts_scenarios_that_one_persona_was_asked_whole() -> None:
    """Against a plain loop over scenarios; one has a version missing, one an answer that was not read."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        [
            ("justice", f"g{group}", person, float(random.random() < 0.8))
            for person in ("", "p1", "p2")
            for group in range(40)
            for _ in range(4)
        ],
        columns=["part", "group", "persona_id", "value"],
    ).drop(index=2)
    frame.loc[8, "value"] = None
    whole = [rows["value"] for _, rows in frame.groupby(["persona_id", "group"]) if rows["value"].count() == 4]
    assert len(whole) == 118
    assert exact_match(frame)["exact_match"] == pytest.approx(sum(all(rows == 1) for rows in whole) / len(whole))
    assert exact_match(frame.assign(part="commonsense")) == {}

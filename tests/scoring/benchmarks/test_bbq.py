"""BBQ: all 58,492 items against the official metadata, and bias scores worked by hand."""

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from many_items import aggregate

from personas.errors import InputError
from scoring.benchmarks.bbq import BBQ, CATEGORIES

ITEMS = {
    "Age": 3680,
    "Disability_status": 1556,
    "Gender_identity": 5672,
    "Nationality": 3080,
    "Physical_appearance": 1576,
    "Race_ethnicity": 6880,
    "Race_x_SES": 11160,
    "Race_x_gender": 15960,
    "Religion": 1200,
    "SES": 6864,
    "Sexual_orientation": 864,
}


@pytest.mark.slow
def test_every_item_has_one_unknown_and_the_official_biased_option(asset: Callable[[str], Path]) -> None:
    directory = asset("bbq")
    with (directory / "additional_metadata.csv").open(encoding="utf-8", newline="") as lines:
        official = {
            (row["category"], row["question_index"], row["example_id"]): row["target_loc"]
            for row in csv.DictReader(lines)
        }
    counts: Counter[str] = Counter()
    without: Counter[str] = Counter()
    quadruples: dict[str, set[tuple[str, str]]] = {}
    for item in BBQ().load(directory):
        assert item.roles is not None and item.weights is not None and sum(item.weights) == 1
        assert item.roles.count("unknown") == 1
        target = official.get((item.part, item.meta["question_index"], item.id.rpartition("/")[2]), "")
        if target in ("", "NA"):
            without[item.part] += 1
            assert "biased" not in item.roles
        else:
            assert item.roles.index("biased") == int(target) and item.roles.count("antibiased") == 1
        if item.meta["condition"] == "ambig":
            assert item.roles[item.weights.index(1.0)] == "unknown"
        quadruples.setdefault(item.group, set()).add((item.meta["condition"], item.meta["polarity"]))
        counts[item.part] += 1
    assert counts == ITEMS and sum(counts.values()) == 58_492
    assert without == {"Gender_identity": 16}
    assert all(len(each) == 4 for each in quadruples.values())


Row = tuple[str, str | None, float | None]
CLEAR = [
    ("disambig", "biased", 1.0),
    ("disambig", "antibiased", 0.0),
    ("disambig", "biased", 1.0),
    ("disambig", "unknown", 0.0),
]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # 2 of 3 named answers are biased: 2·2/3 − 1; accuracy 2/4.
        (CLEAR, {"bias_disambig": 1 / 3, "accuracy_disambig": 0.5, "stereotypical": 0.5}),
        # Ambiguous: accuracy 1/4, 2 of 3 named biased: (1 − 1/4)(1/3).
        (
            [
                ("ambig", "unknown", 1.0),
                ("ambig", "biased", 0.0),
                ("ambig", "biased", 0.0),
                ("ambig", "antibiased", 0.0),
            ],
            {"bias_ambig": 0.25, "accuracy_ambig": 0.25, "stereotypical": 0.5},
        ),
        # No biased answer is −1, not 0.
        ([("disambig", "antibiased", 1.0), ("disambig", "antibiased", 0.0)], {"bias_disambig": -1.0}),
        # All unknown: nobody was named.
        (
            [("ambig", "unknown", 1.0), ("ambig", "unknown", 1.0)],
            {"bias_ambig": math.nan, "accuracy_ambig": 1.0, "stereotypical": 0.0},
        ),
        # Unparsed answers are neither right nor wrong nor biased.
        (
            [*CLEAR, ("disambig", None, None), ("disambig", None, None)],
            {"bias_disambig": 1 / 3, "accuracy_disambig": 0.5, "stereotypical": 0.5},
        ),
        # An answer in an item without a target counts for accuracy alone.
        (
            [("disambig", "biased", 1.0), ("disambig", None, 1.0)],
            {"bias_disambig": 1.0, "accuracy_disambig": 1.0, "stereotypical": 0.5},
        ),
    ],
)
def test_bias_scores_by_hand(rows: list[Row], expected: dict[str, float]) -> None:
    scores = numbers(rows)
    assert {name: scores[name] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_s_amb_scales_by_the_ambiguous_accuracy_alone() -> None:
    rows = [("ambig", "unknown", 1.0)] * 3 + [("ambig", "biased", 0.0)] + [("disambig", "biased", 1.0)] * 4
    assert numbers(rows)["bias_ambig"] == pytest.approx(0.25)


def numbers(rows: Sequence[Row]) -> Mapping[str, float]:
    """BBQ's numbers over answers to one category."""
    frame = pd.DataFrame(rows, columns=["condition", "role", "value"])
    return aggregate(BBQ(), frame.assign(category="Age", label_type="label"))


def test_intersectional_categories_and_proper_names_stand_apart() -> None:
    rows = [
        ("Age", "label", "disambig", "biased", 1.0),
        ("Race_ethnicity", "name", "disambig", "antibiased", 0.0),
        ("Race_ethnicity", "label", "disambig", "biased", 1.0),
        ("Race_x_SES", "label", "disambig", "antibiased", 0.0),
    ]
    frame = pd.DataFrame(rows, columns=["category", "label_type", "condition", "role", "value"])
    scores = [each for each in BBQ().many_item_scores(frame) if each.name == "bias_disambig"]
    assert {each.category: each.value() for each in scores} == {
        "all": pytest.approx(1 / 3),
        "Age": 1.0,
        "Race_ethnicity": 1.0,
        "Race_ethnicity (names)": -1.0,
        "Race_x_SES": -1.0,
    }
    assert scores[0].left_out == "the intersectional categories (Race_x_SES)"
    assert aggregate(BBQ(), frame)["bias_disambig"] == pytest.approx(1 / 3)
    assert aggregate(BBQ(), frame.tail(1))["bias_disambig"] == -1.0


def record(**changed: object) -> dict[str, object]:
    info = {"ans0": ["a", "old"], "ans1": ["b", "nonOld"], "ans2": ["c", "unknown"]}
    made = {
        "category": "Age",
        "example_id": 0,
        "question_index": "1",
        "context": "",
        "question": "?",
        "label": 2,
        "answer_info": info,
    }
    return {
        **made,
        "ans0": "a",
        "ans1": "b",
        "ans2": "c",
        "context_condition": "ambig",
        "question_polarity": "neg",
        **changed,
    }


def written(folder: Path, line: dict[str, object], target: str = "0") -> Path:
    for category in CATEGORIES:
        (folder / f"{category}.jsonl").write_text(json.dumps(line) + "\n" if category == "Age" else "")
    header = "category,question_index,example_id,target_loc,label_type"
    (folder / "additional_metadata.csv").write_text(f"{header}\nAge,1,0,{target},label\n")
    return folder


def test_the_polarity_of_a_question_does_not_flip_the_target_again(tmp_path: Path) -> None:
    item = next(BBQ().load(written(tmp_path, record(question_polarity="nonneg"), "1")))
    assert item.roles == ("antibiased", "biased", "unknown")


@pytest.mark.parametrize(
    ("line", "target", "sentence"),
    [
        (record(label=3), "0", r"Age\.jsonl, line 1: a BBQ item that has the label 3"),
        (record(answer_info={f"ans{n}": ["x", "old"] for n in range(3)}), "0", r"line 1: .* has 0 'unknown' answers"),
        ({"category": "Age"}, "0", r"Age\.jsonl, line 1: a BBQ item without the column 'example_id'"),
        (record(), "7", r"additional_metadata\.csv, line 2: .* has the target_loc 7"),
    ],
)
def test_a_wrong_record_is_named_by_file_and_line(
    tmp_path: Path, line: dict[str, object], target: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        list(BBQ().load(written(tmp_path, line, target)))

"""Samples that lm-evaluation-harness logged become the items that it asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from personas.errors import InputError
from scoring.answers.items import Item
from scoring.benchmarks.files.benchmark_draft import draft
from scoring.benchmarks.registry import benchmark


def sample(number: int, context: str, options: list[str], target: str, **more: Any) -> dict[str, Any]:
    calls = {f"gen_args_{place}": {"arg_0": context, "arg_1": option} for place, option in enumerate(options)}
    return {"doc_id": number, "doc": {"q": context}, "target": target, "arguments": calls, "metrics": ["acc"], **more}


def items(folder: Path, samples: list[dict[str, Any]], part: str = "loglik") -> list[Item]:
    path = folder / "samples_mine_2026-01-01.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in samples))
    (folder / "mine.toml").write_text(draft(path))
    return list(benchmark(str(folder / "mine.toml")).load(folder, part))


def test_a_draft_of_the_log_asks_what_the_harness_asked(tmp_path: Path) -> None:
    log = [
        sample(0, "Two and two?\nAnswer:", [" 3", " 4"], "1"),
        sample(0, "Two and two?\nAnswer:", [" 3", " 4"], "1", filter="another"),
        sample(1, "Red or blue?\nAnswer:", [" red", " blue"], "red"),
        sample(2, "Even?\nAnswer:", [" two", " four", " five"], "[0, 1]"),
    ]
    first, second, third = items(tmp_path, log)
    assert first.question == "Two and two?\nAnswer:" and first.choices == ("3", "4") and first.delimiter == " "
    assert [item.weights for item in (first, second, third)] == [(0.0, 1.0), (1.0, 0.0), (1.0, 1.0, 0.0)]
    assert items(tmp_path, log, "letter")[0].question == "Two and two?"


def test_options_lose_only_the_blank_that_all_of_them_have(tmp_path: Path) -> None:
    (item,) = items(tmp_path, [sample(0, "", ["The dog sleeps.", " A dog sleep."], "0")])
    assert item.choices == ("The dog sleeps.", " A dog sleep.") and item.delimiter == "" and item.question == ""


def test_options_that_are_asked_once_more_alone_are_left_out(tmp_path: Path) -> None:
    """The mutual-information accuracy asks each option without its context, too."""
    one = sample(0, "Up?", [" yes", " no", " yes", " no"], "1", metrics=["acc", "acc_mutual_info"])
    for place in (2, 3):
        one["arguments"][f"gen_args_{place}"]["arg_0"] = ""
    (item,) = items(tmp_path, [one])
    assert item.choices == ("yes", "no") and item.weights == (0.0, 1.0)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"target": "2"}, "has the target '2', which is none of its 2 options"),
        ({"target": "[0, 7]"}, "has the target '\\[0, 7\\]', which is none"),
        ({"arguments": {"gen_args_0": {"arg_0": "Q", "arg_1": " a"}}}, "fewer than two requests"),
        ({"arguments": [["Q", {"until": []}], ["Q", {}]]}, "not a context and a continuation"),
        ({"arguments": [["Q", " a"], ["R", " b"]]}, "a context of its own for each option"),
        ({"arguments": [["Q", " 1"], ["Q", " 0"]], "target": "1"}, "one option's text and another's number"),
    ],
)
def test_a_line_that_no_multiple_choice_task_logged_is_refused(
    tmp_path: Path, changed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=f"line 1: a logged sample that .*{sentence}"):
        items(tmp_path, [sample(0, "Q", [" a", " b"], "0") | changed])

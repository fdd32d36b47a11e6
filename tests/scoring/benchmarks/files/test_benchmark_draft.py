"""The layouts of the field become items that are right, without a hand on the draft."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from personas.errors import InputError
from scoring.answers.items import Item, continuations
from scoring.benchmarks.files.benchmark import DeclaredBenchmark, benchmark_from_file
from scoring.benchmarks.files.benchmark_draft import draft


def drafted(folder: Path, name: str, content: str) -> tuple[DeclaredBenchmark, list[Item]]:
    (folder / name).write_text(content)
    (folder / "mine.toml").write_text(draft(folder / name))
    found = benchmark_from_file(folder / "mine.toml")
    assert isinstance(found, DeclaredBenchmark)
    return found, list(found.load(folder))


def lines(*records: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, records))


LAYOUTS = {
    "letter columns": ("rows.csv", 'question,A,B,C,answer\n"One, or two?",x,y,z,B\nThree?,x,y,,A\n'),
    "no header": (
        "rows.csv",
        "Which of these letters stands behind the first one?,x,y,z,B\nWhich one of the three is it?,x,y,z,A\n",
    ),
    "numbered columns": ("rows.tsv", "stem\topt1\topt2\tcorrect_option\nOne?\tx\ty\t2\nTwo?\tx\ty\t1\n"),
    "endings": (
        "rows.jsonl",
        lines(
            {"ctx": "One", "ending0": "x", "ending1": "y", "label": 1},
            {"ctx": "Two", "ending0": "x", "ending1": "y", "label": 0},
        ),
    ),
    "a list": (
        "rows.jsonl",
        lines(
            {"question": "One?", "choices": ["x", "y"], "answer": 1},
            {"question": "Two?", "choices": ["x", "y"], "answer": 0},
        ),
    ),
    "a table of texts": (
        "rows.jsonl",
        lines(
            {"question": "One?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"},
            {"question": "Two?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "A"},
        ),
    ),
    "a written list": ("rows.csv", "question,options,answer\nOne?,\"['x', 'y']\",y\nTwo?,\"['x', 'y']\",x\n"),
    "a split text": ("rows.csv", "question,options,answer\nOne?,x|y,B\nTwo?,x|y,A\n"),
    "a table by letter": (
        "rows.jsonl",
        lines(
            {"question": "One?", "options": {"A": "x", "B": "y"}, "answer": "B"},
            {"question": "Two?", "options": {"A": "x", "B": "y"}, "answer": "A"},
        ),
    ),
    "a written table by letter": (
        "rows.csv",
        "question,options,answer_idx\n"
        'One?,"{\n  ""A"": ""x"",\n  ""B"": ""y""\n}",B\nTwo?,"{\n  ""A"": ""x"",\n  ""B"": ""y""\n}",A\n',
    ),
    "distractors": (
        "rows.jsonl",
        lines(
            {"question": "One?", "distractor1": "x", "distractor2": "z", "correct_answer": "y"},
            {"question": "Two?", "distractor1": "y", "distractor2": "z", "correct_answer": "x"},
        ),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_options_is_read_right(tmp_path: Path, layout: str) -> None:
    found, items = drafted(tmp_path, *LAYOUTS[layout])
    right = [item.choices[(item.weights or ()).index(1.0)] for item in items]
    assert right == ["y", "x"] and all(sum(item.weights or ()) == 1 for item in items) and found.parts == ("letter",)


def test_options_that_stand_in_the_question_too_are_cut_off_it(tmp_path: Path) -> None:
    asked = "Which one?\nA. x\nB. y\nAnswer:"
    content = lines(*({"prompt": asked, "choices": {"A": "x", "B": "y"}, "answer": letter} for letter in "BA"))
    _, items = drafted(tmp_path, "rows.jsonl", content)
    assert [item.question for item in items] == ["Which one?"] * 2
    assert "are cut off" in (tmp_path / "mine.toml").read_text()


def test_what_is_still_to_be_named_is_said_as_that(tmp_path: Path) -> None:
    lacking = {"choices": "question,notes\nOne?,a\nTwo?,b\n", "answer": "question,A,B\nOne?,a,b\nTwo?,c,d\n"}
    for field, content in lacking.items():
        with pytest.raises(InputError, match=f"{field}.*names no column yet"):
            drafted(tmp_path, "rows.csv", content)


def test_sentence_pairs_are_scored_alone(tmp_path: Path) -> None:
    found, items = drafted(
        tmp_path, "pairs.csv", "sent_less,sent_more,kind\nHe is late.,She is late.,a\nHe won.,She won.,b\n"
    )
    assert found.parts == ("loglik",) and found.better == "half" and items[0].question == ""
    assert continuations(items[0]) == ("She is late.", "He is late.") and items[0].roles == ("stereo", "antistereo")
    assert items[0].meta == {"kind": "a"}


def test_a_rubric_is_graded_by_a_judge(tmp_path: Path) -> None:
    rows = lines({"prompt": "Why?", "rubric": ["says who", "says when"]}, {"prompt": "How?", "rubric": ["says how"]})
    found, items = drafted(tmp_path, "open.jsonl", rows)
    assert found.parts == ("text",) and items[0].meta["reference"] == "says who\nsays when"


def test_names_and_texts_cannot_leave_their_place_in_the_draft(tmp_path: Path) -> None:
    column = 'x"] = 1\n[scoring]\nkind = "rubric'
    found, items = drafted(
        tmp_path,
        "odd.jsonl",
        lines(*({"question": "q", "choices": ["x", "y"], "answer": n % 2, column: f"{n % 2}"} for n in range(6))),
    )
    assert found.description.scoring.kind == "accuracy" and list(items[0].meta.values()) == ["0"]
    found, _ = drafted(
        tmp_path,
        "odd2.jsonl",
        lines(
            {"question": "q", "choices": ["x", "y"], "answer": 0, f"long{column}": "z" * 99},
            {"question": "q", "choices": ["x", "y"], "answer": 1},
        ),
    )
    assert found.description.scoring.kind == "accuracy"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "questions.csv")
    with pytest.raises(InputError, match="a pipe, not a file"):
        draft(tmp_path / "questions.csv")

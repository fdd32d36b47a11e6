"""lm-evaluation-harness's own task files, out of its wheel, on rows in each data set's columns."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import yaml

from personas.errors import InputError
from scoring.answers.items import INSTRUCTION, Item, continuations, option_order, question_text, rotations
from scoring.answers.responses import Outcome, Response
from scoring.benchmarks.files.benchmark import LmEvalBenchmark, benchmark_from_file

ARC = {"question": "Why?", "choices": {"text": ["red", "blue"], "label": ["1", "2"]}, "answerKey": "2"}
SWAG = {"startphrase": "She sits", "label": 3, **{f"ending{n}": f"and {n}." for n in range(4)}}
SCIQ = {
    "support": "  Plants eat light.",
    "question": "What?",
    "correct_answer": "light",
    **{f"distractor{n}": f"d{n}" for n in (1, 2, 3)},
}
MMLU = {"question": " Which bone? ", "choices": ["rib", "hip", "jaw", "shin"], "answer": 2}
BOOLQ = {"passage": "Iron is a metal.", "question": "is iron a metal", "label": 1}
COMMONSENSE = {"question": "Where?", "choices": {"text": list("vwxyz")}, "answerKey": "E"}
OPENBOOK = {
    "question_stem": "The sun",
    "choices": {"text": ["is hot", "is cold"], "label": ["A", "B"]},
    "answerKey": " A",
}
TRUTHFUL = {"question": "Who?", "mc1_targets": {"choices": ["me", "you"], "labels": [1, 0]}}
# file, split, rows' columns, then what is expected: end of the prompt, continuations, gold options
TASKS = {
    "include, nested field, index": (
        "arc/arc_challenge.yaml",
        "test",
        ARC,
        "Question: Why?\nAnswer:",
        (" red", " blue"),
        {1},
    ),
    "list of fields, integer column": (
        "swag/swag.yaml",
        "validation",
        SWAG,
        "She sits",
        (" and 0.", " and 1.", " and 2.", " and 3."),
        {3},
    ),
    "constant target, string method": (
        "sciq/sciq.yaml",
        "test",
        SCIQ,
        "Plants eat light.\nQuestion: What?\nAnswer:",
        (" d1", " d2", " d3", " light"),
        {3},
    ),
    "include without ending, description, letters": (
        "mmlu/default/mmlu_anatomy.yaml",
        "test",
        MMLU,
        "about anatomy.\n\nWhich bone?\nA. rib\nB. hip\nC. jaw\nD. shin\nAnswer:",
        (" A", " B", " C", " D"),
        {2},
    ),
    "constant choices": (
        "super_glue/boolq/default.yaml",
        "validation",
        BOOLQ,
        "Iron is a metal.\nQuestion: is iron a metal?\nAnswer:",
        (" no", " yes"),
        {1},
    ),
    "target by its text": (
        "commonsense_qa/default.yaml",
        "validation",
        COMMONSENSE,
        "Question: Where?\nA. v\nB. w\nC. x\nD. y\nE. z\nAnswer:",
        (" A", " B", " C", " D", " E"),
        {4},
    ),
    "field names": ("openbookqa/openbookqa.yaml", "test", OPENBOOK, "The sun", (" is hot", " is cold"), {0}),
    "set in a template": (
        "truthfulqa/truthfulqa_mc1.yaml",
        "validation",
        TRUTHFUL,
        "\n\nQ: Who?\nA:",
        (" me", " you"),
        {0},
    ),
}


def items(benchmark: object, directory: Path, part: str) -> list[Item]:
    assert isinstance(benchmark, LmEvalBenchmark)
    return list(benchmark.load(directory, part))


@pytest.mark.parametrize("case", TASKS)
def test_the_harness_own_tasks_are_read(lm_eval_tasks: Path, tmp_path: Path, case: str) -> None:
    file, split, row, prompt, texts, gold = TASKS[case]
    (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    benchmark = benchmark_from_file(lm_eval_tasks / file)
    (item,) = items(benchmark, tmp_path, "loglik")
    assert question_text(item, option_order(item)).endswith(prompt)
    assert continuations(item) == texts
    assert {option for option, weight in enumerate(item.weights or ()) if weight} == gold
    likely = tuple(0.0 if option in gold else -1.0 for option in range(len(texts)))
    assert benchmark.score(item, (), Response(logliks=likely), None) == Outcome("ok", None, min(gold), 1.0)


def test_a_question_that_lists_its_options_is_not_lettered_again(lm_eval_tasks: Path, tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([MMLU]), tmp_path / "test.parquet")
    (item,) = items(benchmark_from_file(lm_eval_tasks / "mmlu/default/mmlu_anatomy.yaml"), tmp_path, "letter")
    assert question_text(item, option_order(item)).endswith(f"D. shin\n{INSTRUCTION}") and not item.shuffle
    (tmp_path / "test.jsonl").write_text(json.dumps(ARC))
    (lettered,) = items(benchmark_from_file(lm_eval_tasks / "arc/arc_easy.yaml"), tmp_path, "letter")
    assert lettered.shuffle and question_text(lettered, (1, 0)) == f"Question: Why?\nA. blue\nB. red\n{INSTRUCTION}"


LABELS = {
    "labels": ('["A", "B", "C"]', "{{q}}\\nA. {{c[0]}}\\nB. {{c[1]}}\\nC. {{c[2]}}\\nAnswer:"),
    "backwards": ('[" (C)", " (B)", " (A)"]', "{{q}}\\n (A) {{c[0]}}\\n (B) {{c[1]}}\\n (C) {{c[2]}}"),
    "texts, listed": ("c", "{{q}}\\na) {{c[2]}}\\nb) {{c[0]}}\\nc) {{c[1]}}"),
    "texts": ("c", "{{q}}\\nAnswer:"),
}


@pytest.mark.parametrize("case", LABELS)
def test_who_knows_the_answer_is_right_in_every_rotation(tmp_path: Path, case: str) -> None:
    choices, text = LABELS[case]
    head = "task: t\ntest_split: test\noutput_type: multiple_choice\n"
    (tmp_path / "t.yaml").write_text(f'{head}doc_to_text: "{text}"\ndoc_to_choice: {choices}\ndoc_to_target: a\n')
    rows: list[dict[str, Any]] = [
        {"q": f"Is it {number}?", "c": ["red", "blue", "green"], "a": number % 3} for number in range(9)
    ]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    benchmark = benchmark_from_file(tmp_path / "t.yaml")
    for row, item in zip(rows, items(benchmark, tmp_path, "letter"), strict=True):
        # What the answer is called: in the labels' own words where the options are labels, else by its text.
        right = yaml.safe_load(choices)[row["a"]].strip(" ()") if choices != "c" else ""
        for rotation in range(rotations(item, 3)):
            order = option_order(item, rotation)
            lines = question_text(item, order).splitlines()
            letters = [line.strip(" (")[0] for line in lines if re.search(rf"\b{row['c'][row['a']]}$", line)]
            letter = right or letters[0].upper()
            assert right or len(letters) == 1
            outcome = benchmark.score(item, order, Response(text=letter), None)
            assert isinstance(outcome, Outcome) and outcome.value == 1.0
        assert item.shuffle == (case == "texts")


def test_python_that_no_item_needs_is_of_no_account(tmp_path: Path) -> None:
    (tmp_path / "base").write_text("doc_to_text: !function utils.text\nprocess_docs: !function utils.docs\n")
    more = "include: base\nprocess_docs: null\nmetric_list:\n  - metric: !function utils.metric\n"
    (tmp_path / "task.yaml").write_text(TASK + more)
    (tmp_path / "test.jsonl").write_text(json.dumps({"q": "?", "c": ["x", "y"], "a": 1}))
    (item,) = items(benchmark_from_file(tmp_path / "task.yaml"), tmp_path, "loglik")
    assert item.weights == (0.0, 1.0)
    (tmp_path / "task.yaml").write_text(TASK + "include: base\n")
    with pytest.raises(InputError, match=r"base: process_docs calls the Python function 'utils\.docs' at line 2"):
        benchmark_from_file(tmp_path / "task.yaml")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.csv", "q,c,a\n?,0,0\n?,0,1\n"),
        ("test.csv", "q,c,a\n?,0,0.0\n?,0,1.0\n"),
        ("test.jsonl", '\ufeff{"q": "?", "a": 0.0}\n{"q": "?", "a": "1.0"}'),
        ("test.json", '{"q": "?", "a": "no"}\n{"q": "?", "a": true}'),
    ],
)
def test_a_gold_option_in_every_spelling(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "task.yaml").write_text(TASK.replace("doc_to_choice: c", 'doc_to_choice: ["no", "yes"]'))
    (tmp_path / name).write_text(content)
    found = items(benchmark_from_file(tmp_path / "task.yaml"), tmp_path, "letter")
    assert [item.weights for item in found] == [(1.0, 0.0), (0.0, 1.0)]


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("winogrande/default.yaml", r"calls the Python function 'preprocess_winogrande.doc_to_text' at line"),
        ("hellaswag/hellaswag.yaml", r"calls the Python function 'utils.process_docs'"),
        ("truthfulqa/truthfulqa_mc2.yaml", r"calls the Python function 'utils.process_results_mc2'"),
        ("gsm8k/gsm8k.yaml", r"output_type is 'generate_until'; only multiple_choice"),
        ("absent.yaml", r"no such file"),
    ],
)
def test_tasks_that_need_code_are_refused_with_a_sentence(lm_eval_tasks: Path, file: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        benchmark_from_file(lm_eval_tasks / file)


TASK = "task: t\noutput_type: multiple_choice\ntest_split: test\ndoc_to_text: q\ndoc_to_choice: c\ndoc_to_target: a\n"


@pytest.mark.parametrize(
    ("task", "row", "sentence"),
    [
        (
            TASK,
            {"q": "?", "c": ["x", "y"], "a": 2},
            r"test\.jsonl, line 1: .* has the target 2, which is none of its 2 choices",
        ),
        (TASK, {"q": "?", "c": ["x", "y"], "a": "z"}, r"line 1: .* has the target 'z'"),
        (TASK, {"q": "?", "c": ["x", "y"], "a": []}, r"line 1: .* has no gold answer"),
        (TASK, {"q": "?", "c": ["x"], "a": 0}, r"line 1: .* has 1 options"),
        (TASK, {"q": 1, "c": ["x", "y"], "a": 0}, r"line 1: .* has a doc_to_text that is not text"),
        (TASK, {"q": "?", "c": "xy", "a": 0}, r"line 1: .* has a doc_to_choice that is not a list of texts"),
        (TASK, {"q": "?", "c": ["x", "y"]}, r"line 1: .* has the target 'a'"),
        (
            TASK.replace("c\n", "'{{c'\n", 1),
            {"q": "?", "c": ["x", "y"], "a": 0},
            r"task\.yaml: the template of doc_to_choice cannot be rendered",
        ),
        (TASK.replace("test_split: test\n", ""), {}, "neither test_split nor validation_split"),
        (TASK.replace("doc_to_choice: c\n", ""), {}, "no doc_to_choice"),
        (TASK + "use_prompt: x\n", {}, "use_prompt is not supported"),
        (TASK + "include: task.yaml\n", {}, "include each other in a circle"),
        ("- 1\n", {}, "not a YAML task file"),
        ("a: !!python/object/apply:os.system [id]\n", {}, "not a YAML task file"),
        ("a: &a [x]\nb: &b [" + "*a," * 400 + "]\nc: [" + "*b," * 400 + "]\n", {}, "aliases are written out"),
        ("a: &a [*a]\n", {}, "an alias stands inside of its own anchor"),
        ("a: " + "[" * 99 + "\n", {}, "nested more than 64 deep"),
        ("a: " + "1:" * 99 + "1\n", {}, "a number of 199 characters"),
        ("a: !!bool maybe\n", {}, "a value does not fit its type"),
        (TASK.replace("doc_to_text: q", "doc_to_text: [q]"), {}, "doc_to_text is .*fix it"),
        (TASK + "include: /dev/zero\n", {}, "a device, not a file"),
    ],
)
def test_a_wrong_task_or_row_is_named(tmp_path: Path, task: str, row: dict[str, object], sentence: str) -> None:
    (tmp_path / "task.yaml").write_text(task)
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match=sentence):
        items(benchmark_from_file(tmp_path / "task.yaml"), tmp_path, "letter")


def test_a_toml_pins_the_files_of_a_task(lm_eval_tasks: Path, tmp_path: Path) -> None:
    for name in ("arc_challenge.yaml", "arc_easy.yaml"):
        (tmp_path / name).write_bytes((lm_eval_tasks / "arc" / name).read_bytes())
    for split in ("test", "train"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps({**ARC, "question": split}))
    digest = hashlib.sha256((tmp_path / "test.jsonl").read_bytes()).hexdigest()
    head = 'name = "arc"\nversion = "1"\nlicence = "CC BY-SA 4.0"\nsplit = "test"\nlm_eval = "arc_challenge.yaml"\n'
    files = f'[[files]]\npath = "test.jsonl"\nsplit = "test"\nsha256 = "{digest}"\n'
    files += '[[files]]\npath = "train.jsonl"\nsplit = "train"\n'
    (tmp_path / "arc.toml").write_text(head + files)
    found = benchmark_from_file(tmp_path / "arc.toml")
    assert [(item.id, item.question) for item in found.load(tmp_path)] == [
        ("arc/letter/0", "Question: test"),
        ("arc/loglik/0", "Question: test\nAnswer:"),
    ]
    (tmp_path / "arc.toml").write_text(head + files + '[fields]\nquestion = "question"\n')
    with pytest.raises(InputError, match="brings its own fields"):
        benchmark_from_file(tmp_path / "arc.toml")


def test_absent_data_say_which_file_is_wanted(lm_eval_tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no test\.jsonl .* of allenai/ai2_arc ARC-Easy"):
        items(benchmark_from_file(lm_eval_tasks / "arc/arc_easy.yaml"), tmp_path, "letter")

"""Benchmarks from a TOML file: the worked files of docs/benchmarks, scored as scipy scores them, and every refusal."""

import csv
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from scipy.special import rel_entr
from scipy.stats import wasserstein_distance

from personas.errors import InputError
from scoring.answers.items import Item
from scoring.answers.responses import Outcome, Response
from scoring.benchmarks.base import Benchmark, JudgedBenchmark, JudgeQuestion
from scoring.benchmarks.files.benchmark import DeclaredBenchmark, benchmark_from_file
from scoring.benchmarks.registry import benchmark

DOCS = Path(__file__).parents[4] / "docs" / "benchmarks"


def worked(name: str) -> tuple[DeclaredBenchmark, list[Item]]:
    found = benchmark(str(DOCS / f"{name}.toml"))
    assert isinstance(found, DeclaredBenchmark) and isinstance(found, Benchmark)
    return found, list(found.load(DOCS, found.parts[0]))


def value(found: DeclaredBenchmark, item: Item, shares: list[float]) -> float:
    logs = tuple(math.log(each) if each else -math.inf for each in shares)
    outcome = found.score(item, range(len(shares)), Response(letter_logprobs=logs), None)
    assert isinstance(outcome, Outcome) and outcome.value is not None
    return outcome.value


def test_globalopinionqa_is_one_minus_the_jensen_shannon_distance() -> None:
    found, items = worked("globalopinionqa")
    assert [item.meta["story_country"] for item in items] == ["Norway", "Brazil", "Norway", "Kenya"]
    assert items[0].roles == (None, None, None, "refusal") and items[0].group == items[1].group
    model, human = np.array([0.1, 0.2, 0.6, 0.1]), np.array([0.42, 0.4, 0.12, 0.06])
    middle = (model + human) / 2
    divergence = (rel_entr(model, middle).sum() + rel_entr(human, middle).sum()) / 2 / np.log(2)
    assert value(found, items[0], list(model)) == pytest.approx(1 - np.sqrt(divergence), abs=1e-12)
    assert value(found, items[2], [0.35, 0.65]) == pytest.approx(1.0)


def test_opinionqa_is_one_minus_the_wasserstein_distance_without_refusals() -> None:
    found, items = worked("opinionqa")
    assert items[0].ordinals == pytest.approx((1.0, 2 / 3, 1 / 3, 0.0, 0.0))
    model, human = np.array([0.4, 0.1, 0.1, 0.2, 0.2]), np.array([0.2, 0.2, 0.3, 0.2, 0.1])
    distance = wasserstein_distance([3, 2, 1, 0], [3, 2, 1, 0], model[:4], human[:4]) / 3
    assert value(found, items[1], list(model)) == pytest.approx(1 - distance, abs=1e-12)
    cumulative = np.abs(np.cumsum(model[:4] / 0.8 - human[:4] / 0.9))[:3].sum() / 3
    assert distance == pytest.approx(cumulative)


def test_one_letter_is_no_distribution() -> None:
    found, items = worked("opinionqa")
    alone = found.score(items[0], range(5), Response(text="A"), None)
    assert alone == Outcome("ok", 0, None, None)


def test_localvaluebench_is_graded_by_a_judge() -> None:
    found, items = worked("localvaluebench")
    assert isinstance(found, JudgedBenchmark) and [item.meta["topic"] for item in items] == ["family", "work"]
    question = found.score(items[0], (), Response(text="They share it."), None)
    assert isinstance(question, JudgeQuestion)
    assert (
        '"They share it."' in question.text
        and "nobody is shamed" in question.text
        and "E. 5: it follows" in question.text
    )
    grades = [
        found.settle(items[0], Response(text="x"), Response(text=text)).value for text in ("A", "C", "E.", "no idea")
    ]
    assert grades == [0.0, 0.5, 1.0, None]


ROWS = [{"q": "One?", "a": "yes", "b": "no", "gold": "B"}, {"q": "Two?", "a": "ja", "b": "nein", "gold": "A"}]
TOML = """
name = "mine"
version = "1"
licence = "CC0-1.0"
files = [{{ path = "{file}" }}]
[fields]
question = "q"
choices = {{ template = "{{{{ a }}}};{{{{ b }}}}", transforms = [{{ split = ";" }}] }}
answer = {{ column = "gold", transforms = ["letter"] }}
"""


def written(folder: Path, kind: str, toml: str = TOML, rows: list[dict[str, object]] | None = None) -> Path:
    records = ROWS if rows is None else rows
    data = folder / f"rows.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), data)
    elif kind in ("csv", "tsv"):
        with data.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, list(records[0]), delimiter="," if kind == "csv" else "\t")
            writer.writeheader()
            writer.writerows(records)
    else:
        data.write_text(json.dumps(records) if kind == "json" else "\n".join(map(json.dumps, records)))
    path = folder / "mine.toml"
    path.write_text(toml.format(file=data.name))
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_every_format_gives_the_same_items(tmp_path: Path, kind: str) -> None:
    items = list(benchmark_from_file(written(tmp_path, kind)).load(tmp_path))
    assert [(item.id, item.question, item.choices, item.weights) for item in items] == [
        ("mine/letter/0", "One?", ("yes", "no"), (0.0, 1.0)),
        ("mine/letter/1", "Two?", ("ja", "nein"), (1.0, 0.0)),
    ]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"gold": "C"}, r"rows\.jsonl, line 2: a record that has the answer 2, which is none of its 2 choices"),
        ({"gold": ""}, r"line 2: a record that has '' where a letter is expected"),
        ({"a": ""}, r"line 2: a record that has an empty part, number 1 of 2, in ';nein'"),
        ({"b": ";"}, r"line 2: a record that has 1 options"),
        ({"id": "x"}, r"line 2: a record that has the id 'mine/letter/x', which an earlier one has"),
    ],
)
def test_a_wrong_record_is_named_by_file_and_line(tmp_path: Path, row: dict[str, object], sentence: str) -> None:
    path = written(tmp_path, "jsonl", rows=[{"id": "x", **ROWS[0]}, {"id": "y", **ROWS[1], **row}])
    path.write_text(path.read_text().replace("[fields]", '[fields]\nid = "id"'))
    with pytest.raises(InputError, match=sentence):
        list(benchmark_from_file(path).load(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "mine"', 'name = "mine"\nlicense = "x"', "unknown key 'license'; did you mean 'licence'"),
        ('version = "1"', "", "the key 'version' is missing"),
        ('question = "q"', "", r"\[fields\] lacks question, which scoring by accuracy needs"),
        ('question = "q"', 'question = "q"\nanwser = "x"', "unknown field 'anwser'; did you mean 'answer'"),
        ('question = "q"', 'question = "nope"', "without the column 'nope'"),
        ('["letter"]', '["eval"]', "unknown transform 'eval'; known: strip"),
        (
            "{{{{ a }}}}",
            "{{{{ a.__class__ }}}}",
            r"mine\.toml for .*line 2: the template of choices cannot be rendered",
        ),
        ('path = "{file}"', 'path = "../{file}"', "leaves the folder"),
        ('path = "{file}"', 'path = "{file}", url = "https://x.org/y"', "a file with a url needs its sha256"),
        (
            'path = "{file}"',
            'path = "{file}", url = "file:///etc/passwd", sha256 = "' + "0" * 64 + '"',
            r"files\.0\.url: .*pattern",
        ),
        (
            'path = "{file}"',
            f'path = "{{file}}", sha256 = "{"0" * 64}"',
            r"rows\.csv: its sha256 is .*, but 000000000000… is pinned",
        ),
        ('path = "{file}"', 'path = "other.csv"', r"other\.csv: no such file"),
        ('path = "{file}"', 'path = "mine.toml"', r"mine\.toml: unknown ending"),
        ("[fields]", '[scoring]\nkind = "rubric"\n[fields]', "go together"),
        ('path = "{file}"', 'path = "{file}", split = "train"', "no file is of the split 'test'"),
        ("[fields]", "[fields", "not TOML"),
        ("[fields]", "x = " + "[" * 5000 + "\n[fields]", "not TOML .nested more than 64 deep"),
        (
            "[fields]",
            "[meta]\ngroup = 'a'\n[fields]",
            "'group' is a column of the score table already",
        ),
        ("[fields]", "[meta]\nreligion = 'a'\n[fields]", "'religion' is a trait of the personas already"),
    ],
)
def test_a_wrong_description_is_refused_with_file_and_key(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in TOML
    toml = TOML.replace(old, new)
    path = written(tmp_path, "csv", 'split = "test"' + toml if "train" in new else toml)
    with pytest.raises(InputError, match=sentence) as caught:
        list(benchmark_from_file(path).load(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("rows.jsonl", '{"q": 1}\n{"q":', r"line 2: not JSON"),
        ("rows.jsonl", '{"q": 1}\n3', r"line 2: not a JSON object"),
        ("rows.jsonl", "[1]", "not a list of JSON objects"),
        ("rows.json", '{"data": [{"q": 1}, {"q": 2}]}', "line 1: one object with the list 'data' in it"),
        ("rows.json", "[" * 100_000, "not JSON"),
        ("rows.csv", "a,b\n1,2,3\n", "line 2: has not as many fields as the header"),
        ("rows.csv", 'a,b\n"1,2\n', "not CSV"),
        ("rows.parquet", "PAR1", "not a Parquet file"),
        ("rows.csv", "a,b\n", "holds no records"),
    ],
)
def test_a_broken_data_file_is_refused(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    (tmp_path / name).write_text(content)
    (tmp_path / "mine.toml").write_text(TOML.format(file=name))
    with pytest.raises(InputError, match=sentence):
        list(benchmark_from_file(tmp_path / "mine.toml").load(tmp_path))


def test_line_ends_do_not_change_a_pinned_sha256(tmp_path: Path) -> None:
    path = written(tmp_path, "csv")
    plain = (tmp_path / "rows.csv").read_bytes().replace(b"\r\n", b"\n")
    pinned = f'path = "rows.csv", sha256 = "{hashlib.sha256(plain).hexdigest()}"'
    path.write_text(path.read_text().replace('path = "rows.csv"', pinned))
    for content in (plain, plain.replace(b"\n", b"\r\n")):
        (tmp_path / "rows.csv").write_bytes(content)
        assert len(list(benchmark_from_file(path).load(tmp_path))) == 2

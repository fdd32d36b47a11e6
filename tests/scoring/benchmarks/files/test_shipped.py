"""The benchmarks that ship as a file alone read made-up rows in the columns that their authors document."""

from pathlib import Path

import pytest

from scoring.answers.items import Item
from scoring.benchmarks.files.benchmark import DeclaredBenchmark
from scoring.benchmarks.registry import SHIPPED, benchmark, registry


def read(folder: Path, name: str, content: str) -> list[Item]:
    found = benchmark(name)
    assert isinstance(found, DeclaredBenchmark)
    (folder / found.files[0].path).write_text(content)
    return list(found.load(folder, found.parts[0]))


def test_every_file_is_found_by_its_name_and_says_where_its_data_are() -> None:
    names = [path.stem for path in SHIPPED.glob("*.toml")]
    assert len(names) > 2 and set(names) <= registry().keys()
    for name in names:
        found = benchmark(name)
        assert isinstance(found, DeclaredBenchmark)
        assert all(bool(file.url and file.sha256) != bool(file.by_hand) for file in found.files)
        untried = any(file.by_hand for file in found.files)
        first = (SHIPPED / f"{name}.toml").read_text(encoding="utf-8").partition(":")[0]
        assert (first in ("# NOT RUN ON THE REAL FILE", "# RUN ON PART OF THE REAL FILE")) == untried


def test_global_opinions_are_a_country_s_shares(tmp_path: Path) -> None:
    shares = "defaultdict(<class 'list'>, {'Norway': [0.2, 0.8]})"
    row = f"Do you?,\"{shares}\",\"['Yes', 'No']\",GAS\n"
    (item,) = read(tmp_path, "global_opinion_qa", f"question,selections,options,source\n{row}")
    assert item.weights == pytest.approx((0.2, 0.8)) and item.meta["asked_country"] == "Norway" and not item.shuffle


def test_a_country_that_was_not_asked_is_left_out_and_a_missing_answer_is_no_answer(tmp_path: Path) -> None:
    shares = "defaultdict(<class 'list'>, {'Norway': [0.2, 0.5, 0.3], 'China': [0.0, 0.0, 0.0]})"
    row = f"How much?,\"{shares}\",\"[1.0, 'Much', 'Missing; Not available']\",WVS\n"
    (item,) = read(tmp_path, "global_opinion_qa", f"question,selections,options,source\n{row}")
    assert item.choices == ("1", "Much", "Missing; Not available") and item.roles == (None, None, "refusal")


def test_culturalbench_has_its_options_in_columns(tmp_path: Path) -> None:
    head = (
        "question_idx,prompt_question,prompt_option_a,prompt_option_b,prompt_option_c,prompt_option_d,answer,country\n"
    )
    items = read(tmp_path, "culturalbench_easy", f"{head}1,What?,w,x,y,z,C,Chile\n2,Who?,w,x,y,z,A,Nepal\n")
    assert [item.choices[(item.weights or ()).index(1.0)] for item in items] == ["y", "w"]

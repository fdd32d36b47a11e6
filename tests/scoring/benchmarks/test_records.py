"""Data files as other programs leave them, and those that are no data at all."""

import hashlib
import json
import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from personas.errors import InputError
from scoring.benchmarks.files.columns import typed
from scoring.benchmarks.records import check_sha256, read_rows

ROWS = [{"q": "Un œuf?", "n": 1}, {"q": "b", "n": 2}]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("shape", ["list", "lines"])
def test_lists_and_lines_are_told_apart_by_what_they_are(tmp_path: Path, kind: str, encoding: str, shape: str) -> None:
    text = json.dumps(ROWS, indent=1) if shape == "list" else "\r\n".join(json.dumps(row) for row in ROWS)
    (tmp_path / f"rows.{kind}").write_text(text, encoding=encoding)
    assert [row for _, row in read_rows(tmp_path / f"rows.{kind}")] == ROWS


def test_the_columns_of_a_csv_get_the_types_that_all_their_cells_have() -> None:
    cells = [("1", "1.0", "True", "01a", ""), ("", "2", "false", "7", "")]
    records = [(f"line {number}", dict(zip("ifbtn", row, strict=True))) for number, row in enumerate(cells)]
    assert [tuple(row.values()) for _, row in typed(records)] == [
        (1, 1.0, True, "01a", ""),
        (None, 2.0, False, "7", ""),
    ]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", b'{"q": "\\ud83d"}', "line 1: not JSON.*surrogate"),
        ("a.json", b'[{"q": ' + b"9" * 30 + b"}]", "64 bits"),
        ("a.jsonl", b'{"q": ' + b"[" * 99 + b"]" * 99 + b"}", "nested more than 64 deep"),
        ("a.jsonl", b'{\n "q": 1\n}', "line 1: not JSON, an object a line"),
        ("a.csv", b"q,q\n1,2\n", "two columns are named 'q'"),
        ("a.csv", b"q," * 30_000 + b"z\n", "30,001 columns"),
        ("a.csv", b"q\n\xff\n", "not UTF-8"),
        ("a.parquet", b"PAR1" + b"\0" * 40 + b"PAR1", "not a Parquet file"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        list(read_rows(tmp_path / name))


def test_a_pipe_is_not_waited_for_and_a_long_run_of_equal_values_is_not_unpacked(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(InputError, match="a pipe, not a file"):
        list(read_rows(tmp_path / "a.csv"))
    table = pyarrow.table({name: pyarrow.nulls(3_000_000, pyarrow.int8()) for name in map(str, range(40))})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 300_000
    with pytest.raises(InputError, match="declares 3,000,000 rows of 40 columns"):
        list(read_rows(tmp_path / "a.parquet"))


def test_a_sha256_is_that_of_lf_line_ends_too_wherever_the_pieces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.benchmarks.records._CHUNK", 3)
    (tmp_path / "a").write_bytes(b"ab\r\nc\r\r\nd\r")
    check_sha256(tmp_path / "a", hashlib.sha256(b"ab\nc\r\nd\r").hexdigest())

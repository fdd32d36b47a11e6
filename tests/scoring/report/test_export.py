"""Tables as files: a spreadsheet runs nothing that a model or a survey wrote."""

import csv
from pathlib import Path

import pandas as pd

from scoring.report.export import write_tables

TEXTS = ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\x00", "\x9b", "plain", "a=b", "'quoted", ""]


def test_a_text_that_a_spreadsheet_would_run_is_escaped_and_nothing_else_is_touched(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": TEXTS, "=name": pd.Categorical(TEXTS), "mixed": [-1, 2.5, *TEXTS[2:]]})
    table["number"] = [-0.1 - each / 3 for each in range(len(TEXTS))]
    for suffix in ("csv", "parquet"):
        write_tables(tmp_path / "x.sqlite", {"t": table.drop(columns="mixed")}, suffix)
    whole = pd.read_parquet(tmp_path / "x.t.parquet")
    assert list(whole["text"]) == TEXTS and list(whole["=name"]) == TEXTS and whole["number"].equals(table["number"])
    write_tables(tmp_path / "x.sqlite", {"t": table}, "csv")
    with (tmp_path / "x.t.csv").open(newline="", encoding="utf-8") as lines:
        head, *rows = csv.reader(lines)
    expected = [f"'{text}" for text in TEXTS[:7]] + TEXTS[7:]
    assert head == ["text", "'=name", "mixed", "number"]
    assert [row[0] for row in rows] == [row[1] for row in rows] == expected
    assert [row[2] for row in rows] == ["-1", "2.5", *expected[2:]]
    assert [float(row[3]) for row in rows] == list(table["number"])

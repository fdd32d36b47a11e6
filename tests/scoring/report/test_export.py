"""Tables as files: a spreadsheet runs nothing that a model or a survey wrote."""

import csv
import math
from pathlib import Path

import pandas as pd
import pytest
from simulated_findings import found_in

from personas.errors import MachineError
from scoring.report.export import latex_table, write_tables
from scoring.statistics.designs.simulation import Design, simulate

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


@pytest.fixture(scope="module")
def found():
    return found_in(simulate(Design(100, 30), seed=1).scores, "level")


def test_latex_has_the_columns_of_a_paper_escaped_and_ruled(found):
    table = latex_table("effects", found.effects)
    assert r"\toprule" in table and r"\usepackage{booktabs}" in table
    head = table.split(r"\toprule")[1].split(r"\midrule")[0]
    assert head.count("&") == 12 and "items too" in head and r"$\Delta$" in head
    row = found.effects.iloc[0]
    assert (
        f"[{row['items_low']:+.3f}, {row['items_high']:+.3f}]".replace("-", "$-$") in table
        and "nan" not in table.lower()
    )
    other = latex_table("unknown", pd.DataFrame({"who_said": ["50 % & more_\\"], "value": [math.nan], "items": [3.0]}))
    assert r"50 \% \& more\_\textbackslash" in other and "& -- & 3 \\\\" in other


def test_an_unwritable_folder_is_a_sentence(found, tmp_path):
    with pytest.raises(MachineError, match="cannot be written"):
        write_tables(tmp_path / "no" / "s.sqlite", found.tables, "csv")

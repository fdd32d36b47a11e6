"""Columns of text files and workbooks keep their place, or the file is refused."""

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from personas.errors import InputError
from personas.surveys.checks import read_ids
from personas.surveys.data_file import open_table

Rows = list[list[object]]
HEAD: list[object] = ["id", "age", "sex", "q1"]
BODY: Rows = [[1, 20, 1, 3], [2, 30, 2, 4], [3, 40, 1, 2]]


def written(path: Path, rows: Rows) -> Path:
    if path.suffix == ".csv":
        lines = (";".join("" if cell is None else str(cell) for cell in row) for row in rows)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
    return path


@pytest.fixture(params=["data.csv", "data.xlsx"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@pytest.mark.parametrize("gap", [0, 2])
def test_a_column_without_a_name_keeps_its_place_and_is_noted(path: Path, gap: int) -> None:
    rows = [[*row[:gap], None if row is HEAD else 77, *row[gap:]] for row in [HEAD, *BODY]]
    table = open_table(written(path, rows))
    assert table.variables == tuple(HEAD)
    assert table.read(["q1", "age"])[["q1", "age"]].to_numpy().tolist() == [[3, 20], [4, 30], [2, 40]]
    assert table.notes == [f"{path.name}: column {gap + 1} has no name and is left out"]


def test_a_row_with_a_cell_too_many_is_refused(path: Path) -> None:
    rows = [HEAD, BODY[0], [*BODY[1][:2], 9, *BODY[1][2:]], BODY[2]]
    with pytest.raises(InputError, match=r"(row|line) 3: 5 cells where the header names 4 columns"):
        open_table(written(path, rows))


def test_a_row_that_is_longer_than_the_others_by_an_empty_cell_is_refused(tmp_path: Path) -> None:
    """A separator too many amid a row, whose last cell is empty, shifts it as well."""
    rows = [HEAD, BODY[0], [1, None, 30, 2, None], BODY[2]]
    with pytest.raises(InputError, match=r"line 3: 5 cells"):
        open_table(written(tmp_path / "data.csv", rows))
    ended = [HEAD, *([*row, None] for row in BODY)]
    assert open_table(written(tmp_path / "ended.csv", ended)).rows == 3, "a separator at the end of every row is none"


def test_a_name_that_stands_twice_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="two columns are named 'age'"):
        open_table(written(path, [["id", "age", "age", "q1"], *BODY]))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("sep=;\nid;q1\n1;2\n2;3\n", ""),
        ("id|q1\n1|2\n2|3\n", ""),
        ("id;q1\n1;2,0\n2;3,0\n", ""),
        ("sep=;\nid;q1\n1;2;9\n2;3\n", "line 3: 3 cells"),
        ("id,q1\n1,2\n2,3\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_excel_and_others_make_of_a_text_file(content: str | bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if error:
        with pytest.raises(InputError, match=error):
            open_table(path)
    else:
        assert open_table(path).read(["id", "q1"]).to_numpy().tolist() == [[1, 2], [2, 3]]


@pytest.mark.parametrize("kind", ["string", "Int64"])
def test_a_missing_id_is_none(kind: str, tmp_path: Path) -> None:
    ids = pd.Series(["1", None, "3"]).astype(kind)
    with pytest.raises(InputError, match="row 2: no respondent id"):
        read_ids(tmp_path, ids.rename("ID"))


def test_a_text_file_in_windows_1252_is_noted_and_one_broken_byte_is_replaced(tmp_path: Path) -> None:
    texts = "id;where\n1;Zürich\n2;Genève\n3;Köln\n"
    (tmp_path / "old.csv").write_bytes(texts.encode("windows-1252"))
    old = open_table(tmp_path / "old.csv")
    assert old.read(["where"])["where"].tolist() == ["Zürich", "Genève", "Köln"]
    assert old.notes == ["old.csv: read as Windows-1252"]
    (tmp_path / "broken.csv").write_bytes(texts.encode().replace("ü".encode(), b"\xff"))
    assert open_table(tmp_path / "broken.csv").read(["where"])["where"].tolist() == ["Z\ufffdrich", "Genève", "Köln"]


def test_json_lines_are_a_table_of_what_any_line_has(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"id": 1, "age": 20}\n\n{"id": 2, "tags": ["a"]}\n', encoding="utf-8")
    table = open_table(tmp_path / "data.jsonl")
    assert table.variables == ("id", "age", "tags") and table.rows == 2
    read = table.read(["age", "tags"])
    assert read["age"].isna().tolist() == [False, True] and read["tags"].tolist()[1] == '["a"]'


@pytest.mark.parametrize(
    ("line", "sentence"), [("[1]", "line 2: not a JSON object"), ('{"id":', "line 2: not JSON, an object a line")]
)
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    (tmp_path / "data.jsonl").write_text(f'{{"id": 1}}\n{line}\n', encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        open_table(tmp_path / "data.jsonl")


def test_a_workbook_whose_data_stand_below_a_title_or_on_another_sheet_says_so(tmp_path: Path) -> None:
    book, path = openpyxl.Workbook(), tmp_path / "a.xlsx"
    for row in (["My survey"], ["ID", "AGE"], [1, 30]):
        book.active.append(row)
    book.save(path)
    with pytest.raises(InputError, match="if that is a title, delete it"):
        open_table(path)
    book.active.delete_rows(1, 3)
    book.create_sheet("data").append(["ID"])
    book.save(path)
    with pytest.raises(InputError, match=r"first sheet, 'Sheet', holds no respondents; .*\('data'\)"):
        open_table(path)


def test_cells_between_tabs_are_read_under_their_own_ending(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("ID\tAGE\n1\t30\n2\t31\n")
    assert open_table(tmp_path / "a.tsv").rows == 2

"""A byte that is not in a file's encoding costs one letter, never the rest of the file."""

from pathlib import Path

import pandas as pd
import psutil
import pyreadstat
import pytest

from personas.errors import InputError
from personas.surveys import file_process
from personas.surveys.data_file import open_table

LABELS = {1: "très bon", 2: "plutôt bon", 3: "mauvais"}
TEXTS = ["Zürich", "Genève", "Bern"]


def written(path: Path, broken: str = "", encoding: str = "utf-8") -> Path:
    """A file with French labels; one letter of `broken` becomes a byte that is not UTF-8."""
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "s": TEXTS})
    write = pyreadstat.write_sav if path.suffix == ".sav" else pyreadstat.write_dta
    write(frame, path, variable_value_labels={"a": LABELS}, column_labels={"a": "État de santé", "s": "Ville"})
    if broken:
        at = path.read_bytes().find(broken.encode())
        content = bytearray(path.read_bytes())
        content[next(place for place in range(at, at + 20) if content[place] > 127)] = 0xFF
        path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", [".sav", ".dta"])
@pytest.mark.parametrize("broken", ["très", "État", "Zürich"])
def test_one_broken_byte_is_replaced_and_noted(tmp_path: Path, suffix: str, broken: str) -> None:
    table = open_table(written(tmp_path / f"data{suffix}", broken))
    frame = table.read(["a", "s"])
    labels = [table.labels["a"][str(code)] for code in LABELS]
    found = [*labels, table.questions["a"], *frame["s"]]
    meant = [*LABELS.values(), "État de santé", *TEXTS]
    assert frame["a"].tolist() == [1, 2, 3]
    wrong = [(text, should) for text, should in zip(found, meant, strict=True) if text != should]
    assert [should.split()[0] for _, should in wrong] == [broken] and "\ufffd" in wrong[0][0]
    assert len(table.notes) == 1 and "was replaced in" in table.notes[0]


def test_the_gss_of_2021_is_noted_as_windows_1252(gss_files: list[Path]) -> None:
    table = open_table(gss_files[1])
    assert table.notes == ["GSS2021.dta: read as Windows-1252"]
    assert any("don’t know" in labels.values() for labels in table.labels.values())


def crashing(path: Path) -> Path:
    """A file that ends the process whose library reads it: the AGE record counts missing values that are not there."""
    numbers = range(30)
    columns = {"ID": numbers, "AGE": numbers, "SEX": [1 + number % 2 for number in numbers]}
    pyreadstat.write_sav(pd.DataFrame(columns), path, variable_value_labels={"SEX": {1: "male", 2: "female"}})
    content = bytearray(path.read_bytes())
    content[content.index(b"AGE     ") + 13] = 0xC6
    path.write_bytes(content)
    return path


def test_a_file_that_crashes_the_library_is_one_sentence_and_the_next_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bad\.sav is damaged .*ended the process that read it.*download it again"):
        open_table(crashing(tmp_path / "bad.sav"))
    assert open_table(written(tmp_path / "good.sav")).rows == 3


def test_a_file_that_is_read_for_ever_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_table(written(tmp_path / "slow.sav"))
    monkeypatch.setattr(file_process, "SECONDS", 0.1)
    (child,) = [each for each in psutil.Process().children() if "file_worker.py" in " ".join(each.cmdline())]
    child.suspend()
    with pytest.raises(InputError, match=r"took more than 0\.1 seconds"):
        open_table(written(tmp_path / "slow.sav"))
    monkeypatch.undo()
    assert open_table(written(tmp_path / "slow.sav")).rows == 3  # not the answer that came too late

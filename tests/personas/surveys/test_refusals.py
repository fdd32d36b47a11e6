"""Bad input: one sentence that names the file and the evidence, exit code 2, and no output file."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from typer.testing import CliRunner

from personas.errors import InputError
from runner.cli.personas import app

Case = Callable[..., list[str]]


def pdf(folder: Path, wvs_frame, write) -> list[str]:
    (folder / "wvs.sav").write_bytes(b"%PDF-1.7\n" + b"x" * 5000)
    return ["wvs7=wvs.sav"]


def truncated(folder: Path, wvs_frame, write) -> list[str]:
    content = write(wvs_frame(400), folder / "whole.sav").read_bytes()
    (folder / "wvs.sav").write_bytes(content[: len(content) - 50_000])
    return ["wvs7=wvs.sav"]


def shifted(folder: Path, wvs_frame, write) -> list[str]:
    """What a default read makes of a separator too many: the names stay, the values move one to the left."""
    frame: pd.DataFrame = wvs_frame(400)
    start = frame.columns.get_loc("Q1")
    values = frame.to_numpy(dtype=object)
    values[:, start:-1] = values[:, start + 1 :]
    write(pd.DataFrame(values, columns=frame.columns), folder / "wvs.csv")
    return ["wvs7=wvs.csv"]


def one_cell_too_many(folder: Path, wvs_frame, write) -> list[str]:
    lines = write(wvs_frame(), folder / "wvs.csv").read_text().splitlines()
    (folder / "wvs.csv").write_text("\n".join([lines[0], *(f"0,{line}" for line in lines[1:])]))
    return ["wvs7=wvs.csv"]


def other_wave(folder: Path, wvs_frame, write) -> list[str]:
    write(wvs_frame(), folder / "wvs.csv")
    write(wvs_frame(first_id=1).assign(A_WAVE=6), folder / "wave6.csv")
    return ["wvs7=wvs.csv", "wvs7=wave6.csv"]


def no_weights(folder: Path, wvs_frame, write) -> list[str]:
    write(wvs_frame().drop(columns="W_WEIGHT"), folder / "wvs.csv")
    return ["wvs7=wvs.csv", "--weights"]


def repeated_id(folder: Path, wvs_frame, write) -> list[str]:
    write(wvs_frame().assign(D_INTERVIEW=[1, 1, *range(3, 61)]), folder / "wvs.sav")
    return ["wvs7=wvs.sav"]


def same_file_twice(folder: Path, wvs_frame, write) -> list[str]:
    write(wvs_frame(), folder / "wvs.csv")
    return ["wvs7=wvs.csv", "wvs7=wvs.csv"]


def unknown_country(folder: Path, wvs_frame, write) -> list[str]:
    write(wvs_frame(country="QQ1"), folder / "wvs.csv")
    return ["wvs7=wvs.csv"]


def reversed_labels(folder: Path, wvs_frame, write) -> list[str]:

    labels = {"Q2": {1.0: "Not at all important", 4.0: "Very important"}}
    frame = wvs_frame()
    typed = frame.astype({name: float for name in frame if name != "B_COUNTRY_ALPHA"})
    pyreadstat.write_sav(typed, folder / "wvs.sav", variable_value_labels=labels)
    return ["wvs7=wvs.sav"]


def other_survey(folder: Path, wvs_frame, write) -> list[str]:
    frame: pd.DataFrame = wvs_frame()
    write(frame.rename(columns=lambda name: name.replace("Q", "V")), folder / "wvs.csv")
    return ["wvs7=wvs.csv"]


def overlap(folder: Path, wvs_frame, write) -> list[str]:
    write(wvs_frame(), folder / "wvs.csv")
    return ["wvs7=wvs.csv", "evs_wvs_joint=wvs.csv"]


CASES: dict[Case, str] = {
    pdf: r"wvs\.sav is not a \.sav file but a PDF document",
    truncated: r"wvs\.sav.*cut off",
    shifted: r"wvs\.csv: \w+ \(\w+\) holds values [\d-]+ in \d+ % of rows only .*are the columns shifted\?",
    one_cell_too_many: r"wvs\.csv, line 2: \d+ cells where the header names \d+ columns: are the columns shifted\?",
    other_wave: r"wave6\.csv: A_WAVE holds wave 6, but 'wvs7' is wave 7",
    no_weights: r"survey 'wvs7' has no weights in its file",
    repeated_id: r"wvs\.sav, column 'D_INTERVIEW': respondent id '1' occurs more than once \(rows 1 and 2",
    same_file_twice: r"respondent id 'wvs7:2017-2022:356070001' occurs more than once",
    unknown_country: r"'QQ1' is not a country \(60 of 60 rows",
    reversed_labels: r"Q2 \(imp_friends\) is labelled 'Not at all important' where .*'very important'.*reversed",
    other_survey: r"has \d+ of the 32 variables of 'wvs7'.*another survey or wave",
    overlap: r"'evs_wvs_joint' holds the respondents of 'wvs7' already",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_bad_input_is_refused_in_a_sentence(case: Case, tmp_path: Path, wvs_frame, write, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = case(tmp_path, wvs_frame, write)
    before = {path.name for path in tmp_path.iterdir()}
    options = [part for each in given for part in ([each] if each.startswith("--") else ["--survey", each])]
    result = CliRunner().invoke(app, ["build", *options, "--out", "personas.parquet"])
    assert isinstance(result.exception, InputError), result.output
    assert result.exception.exit_code == 2
    message = str(result.exception)
    assert "\n" not in message
    assert re.search(CASES[case].replace(" % of", "% of"), message), message
    assert {path.name for path in tmp_path.iterdir()} == before, "nothing is left behind"

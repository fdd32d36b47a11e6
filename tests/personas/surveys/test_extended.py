"""Extended traits mean what the codebook says, whatever the format; without a meaning they are silent."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from personas.prompt.render import Variant, render
from personas.surveys.build import BuildOptions, SurveyRequest, build
from personas.surveys.clean import MissingRule
from personas.surveys.reader import read_files
from personas.surveys.survey import load_survey

WVS = load_survey("wvs7")
FORMATS = ("w.sav", "w.dta", "plain.dta", "w.csv", "semi.csv", "w.xlsx")

MINE = """
survey = "mine"
title = "Mine"
wave = "1"
restricted = false
licence = "free"
citation = "me"
columns = { id = "nr", country = "NOR" }
missing = { codes = { 99 = -1 } }
traits.age.variable = "years"
traits.gender.variable = "sex"
extra = [{ variables = ["x*"], domain = "trust" }]
"""


def told(path: Path, trait: str, survey: str = "wvs7") -> list[str]:
    """What each respondent is told of one trait."""
    found = read_files(load_survey(survey), [path]).respondents
    lines = (render(each, found.traits, [trait], Variant("oneliner")) for each in found.personas())
    return [line.removeprefix("You are answering as a person.").strip() for line in lines]


@pytest.mark.parametrize("name", FORMATS)
def test_a_respondent_reads_the_same_in_every_format(name: str, tmp_path: Path, wvs_frame, write) -> None:
    frame = wvs_frame(12).assign(Q57=[1, 2] * 6, Q177=range(-1, 11), Q274=range(12), Q241=range(-1, 11))
    path = write(frame, tmp_path / name)
    trust = told(path, "wvs7:Q57")
    assert trust[:2] == [
        'Asked about "Most people can be trusted", you said "Most people can be trusted".',
        'Asked about "Most people can be trusted", you said "Need to be very careful".',
    ]
    benefits = told(path, "wvs7:Q177")
    assert benefits[:2] == ["", ""] and benefits[10] == (
        'Asked about "Justifiable: Claiming government benefits to which you are not entitled", you said "9 on a scale '
        'from 1 (Never justifiable) to 10 (Always justifiable)".'
    )
    assert told(path, "wvs7:Q274")[3] == 'Asked about "How many children do you have", you said "3".'
    rich = told(path, "wvs7:Q241")
    assert "It is against democracy (spontaneous)" in rich[1] and "from 1 (Not an essential" in rich[6]


def write_mine(folder: Path, values: list[float], labels: dict[float, str], question: str | None) -> Path:
    (folder / "mine.toml").write_text(MINE)
    frame = pd.DataFrame({"nr": np.arange(len(values)), "years": 30, "sex": 1, "x1": values})
    pyreadstat.write_sav(
        frame, folder / "mine.sav", variable_value_labels={"x1": labels}, column_labels={"x1": question or ""}
    )
    return folder / "mine.sav"


@pytest.mark.parametrize(
    ("labels", "question", "expected"),
    [
        ({}, "Most people can be trusted", ["", "", "", "", ""]),
        ({1: "1", 2: " ", 3: "{3}", 4: "4."}, "Trust", ["", "", "", "", ""]),
        ({1: "never", 5: "always"}, "Q7. Trust\x07 (Q12A)", ["never", "2 on a scale from 1 (never) to 5 (always)"]),
        ({1: "Primary {ISCED 1}", 2: "2 - Lower", 3: "x", 4: "y", 5: "z"}, "School", ["Primary", "Lower", "x"]),
        ({}, "Number of friends", ["1", "2", "3"]),
        ({5: "5 or more"}, "Friends", ["1", "2", "3", "4", "5 or more"]),
        ({1: "married", 2: "single", 4: "divorced"}, "Status", ["married", "single", "", "divorced", ""]),
        ({1: "yes", 2: "no", 3: "Ne sait pas", 4: "Weiß nicht", 5: "Refused"}, "Trust", ["yes", "no", "", "", ""]),
    ],
)
def test_labels_without_meaning_are_never_told(
    tmp_path: Path, labels: dict[float, str], question: str, expected: list[str]
) -> None:
    write_mine(tmp_path, [1, 2, 3, 4, 5], labels, question)
    lines = told(tmp_path / "mine.sav", "mine:x1", str(tmp_path / "mine.toml"))
    said = [line.partition("you said ")[2].removesuffix(".").strip('"') for line in lines]
    assert said[: len(expected)] == expected
    for line in lines:
        assert not {"{", "}", "\x07"} & set(line) and "Q7" not in line and "Q12A" not in line


def test_silent_traits_are_listed_and_not_counted(tmp_path: Path, wvs_frame, write) -> None:
    frame = wvs_frame().assign(Q290=np.arange(60) % 5 + 1)
    everything = BuildOptions(MissingRule(limit=1.0))
    parts, (report,) = build([SurveyRequest("wvs7", (write(frame, tmp_path / "w.csv"),))], everything)
    assert "wvs7:Q290" in report.silent and "wvs7:Q57" not in report.silent
    assert report.traits_out == len(parts[0].traits) - len(report.silent) >= 250


def test_a_scale_against_the_codebook_is_no_trait(tmp_path: Path, wvs_frame) -> None:
    frame = wvs_frame().drop(columns="B_COUNTRY_ALPHA").assign(B_COUNTRY=356).astype(float)
    labels = {"Q46": {1: "Nada feliz", 4: "Muy feliz"}, "Q47": {1: "Not at all good", 5: "Very good"}}
    pyreadstat.write_sav(frame, tmp_path / "w.sav", variable_value_labels=labels)
    reading = read_files(WVS, [tmp_path / "w.sav"])
    assert "the other way" in reading.skipped["Q46"] and "wvs7:Q46" not in reading.respondents.traits


def test_the_interview_is_no_answer(tmp_path: Path) -> None:
    for question in ("Date of interview", "How interested was the respondent", "Interviewer: privacy"):
        path = write_mine(tmp_path, [1, 2], {1: "very", 2: "not"}, question)
        assert "mine:x1" not in read_files(load_survey(str(tmp_path / "mine.toml")), [path]).respondents.traits


def test_a_question_that_several_variables_share_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    frame = pd.DataFrame({"nr": [1, 2], "years": 30, "sex": 1, "x1": [1.0, 2.0], "x2": [2.0, 1.0], "x3": [1.0, 1.0]})
    texts = {"x1": "Attitude to the group", "x2": "Attitude to the group", "x3": "Trust"}
    labels = {name: {1.0: "good", 2.0: "bad"} for name in texts}
    pyreadstat.write_sav(frame, tmp_path / "mine.sav", variable_value_labels=labels, column_labels=texts)
    traits = read_files(load_survey(str(tmp_path / "mine.toml")), [tmp_path / "mine.sav"]).respondents.traits
    assert [traits[f"mine:{name}"].section for name in texts] == ["", "", "Opinions"]


def test_a_file_without_labels_beside_one_that_has_them_tells_only_what_a_label_explains(tmp_path: Path) -> None:
    labelled = write_mine(tmp_path, [1, 2], {1: "good", 2: "bad"}, "Trust")
    plain = pd.DataFrame({"nr": [10, 11], "years": 30, "sex": 1, "x1": [1, 3]})
    plain.to_csv(tmp_path / "plain.csv", index=False)
    found = read_files(load_survey(str(tmp_path / "mine.toml")), [labelled, tmp_path / "plain.csv"]).respondents
    texts = [render(each, found.traits, ["mine:x1"], Variant("oneliner")) for each in found.personas()]
    assert ["you said" in text for text in texts] == [True, True, True, False]

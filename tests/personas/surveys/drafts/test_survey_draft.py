"""A survey that no description is of becomes personas by its own questions and labels, and what is open is said."""

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from personas.errors import InputError
from personas.surveys.build import BuildOptions, SurveyRequest, build
from personas.surveys.drafts.survey_draft import draft
from personas.surveys.survey import load_survey

QUESTIONS = {
    "RESPNO": "Respondent number",
    "URBRUR": "Urban or Rural Primary Sampling Unit",
    "WITHINWT": "Weight",
    "Q1": "Q1. Age",
    "Q21A": "Q21a. When jobs are scarce, men should have more right to a job than women",
    "Q86A": "Q86a. Trust others: Tunisians",
    "Q94": "Q94. Education of respondent",
    "Q95": "Q95. Religion of respondent",
    "Q100": "Q100. Gender of respondent",
    "Q120": "Q120. Interviewer: gender",
}
NOBODY = {8: "Refused", 9: "Don't know"}
LABELS = {
    "URBRUR": {1: "Urban", 2: "Rural"},
    "Q1": {998: "Refused", 999: "Don't know"},
    "Q21A": {1: "Strongly disagree", 2: "Disagree", 3: "Neither", 4: "Agree", 5: "Strongly agree", **NOBODY},
    "Q86A": {0: "Not at all", 1: "Just a little", 2: "Somewhat", 3: "A lot", **NOBODY},
    "Q94": {
        0: "No formal schooling",
        2: "Some primary schooling",
        3: "Primary school completed",
        5: "Secondary school / high school completed",
        8: "University completed",
        99: "Don't know",
    },
    "Q95": {0: "None", 2: "Roman Catholic", 18: "Muslim only", 9999: "Don't know"},
    "Q100": {1: "Woman", 2: "Man"},
    "Q120": {1: "Male", 2: "Female"},
}


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    rows = range(1, 61)
    frame = pd.DataFrame(
        {
            "RESPNO": [f"TUN{row:03d}" for row in rows],
            "URBRUR": [1 + row % 2 for row in rows],
            "WITHINWT": [1.5 for _ in rows],
            "Q1": [999 if row == 60 else 18 + row for row in rows],
            "Q21A": [1 + row % 5 for row in rows],
            "Q86A": [9 if row == 60 else row % 4 for row in rows],
            "Q94": [(0, 2, 3, 5, 8)[row % 5] for row in rows],
            "Q95": [(0, 2, 18)[row % 3] for row in rows],
            "Q100": [1 + row % 2 for row in rows],
            "Q120": [1 + row % 2 for row in rows],
        }
    )
    pyreadstat.write_sav(frame, tmp_path / "tun.sav", column_labels=QUESTIONS, variable_value_labels=LABELS)
    return tmp_path / "tun.sav"


def test_a_drafted_description_reads_the_file_right(survey: Path) -> None:
    drafted = draft(survey, "TUN")
    assert drafted.open == ()
    (survey.parent / "tun.toml").write_text(drafted.text)
    parts, reports = build([SurveyRequest(str(survey.parent / "tun.toml"), (survey,))], BuildOptions())
    people = parts[0]
    first = next(people.personas())
    assert first.persona_id == "tun::TUN001" and first.country == "TUN" and first.weight == 1.5
    told = {name: people.traits[name].label(code) for name, code in first.answers.items()}
    assert told == {
        "age": "19",
        "gender": "male",  # 2 in this file, where the catalogue has 1
        "urban_rural": "rural",
        "education": "less than primary school",
        "religion": "Catholic",
        "jobs_men_priority": "disagree",  # agreement is 5 in this file, 1 in the catalogue
        "tun:Q86A": "Just a little",
    }
    assert people.frame["age"].iloc[-1] == -1 and "Q120" not in " ".join(reports[0].fill)


def test_what_the_file_does_not_say_is_left_to_a_person(survey: Path) -> None:
    drafted = draft(survey)
    assert drafted.open == ('[columns] country: no column has countries; name the one of the file, as "TUN"',)
    (survey.parent / "tun.toml").write_text(drafted.text)
    with pytest.raises(InputError, match="'XXX' is no country"):
        load_survey(str(survey.parent / "tun.toml"))
    (survey.parent / "bare.csv").write_text("id,a\n1,2\n2,3\n")
    assert draft(survey.parent / "bare.csv", "TUN").open == (
        "no variable was found for age",
        "no variable was found for gender",
        "the file labels no values: what its codes mean, and which are no answers, has to be typed in",
    )

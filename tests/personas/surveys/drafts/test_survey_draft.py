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
    assert len(drafted.open) == 1 and "has no column of countries" in drafted.open[0]
    assert drafted.text.startswith("# TO FILL IN FIRST: country in [columns]")
    (survey.parent / "tun.toml").write_text(drafted.text)
    with pytest.raises(InputError, match="still to be filled in: write the country"):
        load_survey(str(survey.parent / "tun.toml"))
    (survey.parent / "bare.csv").write_text("id,a\n1,2\n2,3\n")
    assert draft(survey.parent / "bare.csv", "TUN").open == (
        "no variable was found for age",
        "no variable was found for gender",
        "the file labels no values: what its codes mean, and which are no answers, has to be typed in",
    )


def test_ids_that_every_country_counts_from_one_are_told_apart_by_it(tmp_path: Path) -> None:
    frame = pd.DataFrame({"idno": [1, 2, 1, 2], "cntry": ["FR", "FR", "NO", "NO"], "agea": [20, 30, 40, 50]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    columns = draft(tmp_path / "rows.csv").text.split("[columns]")[1].split("[")[0]
    assert 'id = "idno"\nids_by_country = true' in columns
    frame.assign(idno=[1, 1, 1, 2]).to_csv(tmp_path / "rows.csv", index=False)
    assert 'id = "row"  # the file has no ids' in draft(tmp_path / "rows.csv").text


@pytest.mark.parametrize(
    ("asked", "education", "religion", "gender"),
    [
        (
            ("Sexe du répondant", "Niveau d'instruction du répondant", "Religion du répondant"),
            {
                "Pas d’enseignement formel": 0,
                "Enseignement primaire inachevé": 0,
                "Enseignement primaire achevé": 1,
                "Enseignement secondaire / lycée inachevé": 2,
                "Enseignement secondaire / lycée achevé": 3,
                "Université achevée": 6,
                "Post universitaire": 7,
            },
            {"Aucune": 0, "Eglise Catholique Romaine": 1, "Eglise Catholique Orthodoxe": 3, "Chiite": 5, "Juif": 4},
            ("Homme", "Femme"),
        ),
        (
            ("Sexo", "Nivel de estudios", "¿Cuál es su religión?"),
            {
                "Sin estudios": 0,
                "Primaria incompleta": 0,
                "Primaria completa": 1,
                "Secundaria incompleta": 2,
                "Bachillerato": 3,
                "Universitaria completa": 6,
                "Maestría": 7,
            },
            {"Ninguna": 0, "Católica": 1, "Evangélica": 2, "Testigo de Jehová": 8, "Ateo": 0},
            ("Hombre", "Mujer"),
        ),
        (
            ("Sexo", "Escolaridade", "Qual a sua religião?"),
            {
                "Sem instrução": 0,
                "Fundamental incompleto": 0,
                "Fundamental completo": 1,
                "Médio incompleto": 2,
                "Ensino médio": 3,
                "Superior completo": 6,
                "Mestrado": 7,
            },
            {"Nenhuma": 0, "Católica": 1, "Evangélico": 2, "Muçulmano": 5, "Ateu": 0},
            ("Homem", "Mulher"),
        ),
    ],
)
def test_questions_and_labels_in_french_spanish_and_portuguese_are_known(
    tmp_path: Path,
    asked: tuple[str, str, str],
    education: dict[str, int],
    religion: dict[str, int],
    gender: tuple[str, str],
) -> None:
    rows = range(60)
    frame = pd.DataFrame(
        {
            "P1": [1 + row % 2 for row in rows],
            "P2": [1 + row % len(education) for row in rows],
            "P3": [1 + row % len(religion) for row in rows],
        }
    )
    labels = {
        "P1": dict(enumerate(gender, 1)),
        "P2": {**dict(enumerate(education, 1)), 99: "Ne sait pas"},
        "P3": dict(enumerate(religion, 1)),
    }
    path = tmp_path / "encuesta.sav"
    pyreadstat.write_sav(
        frame, path, column_labels=dict(zip(("P1", "P2", "P3"), asked, strict=True)), variable_value_labels=labels
    )
    (tmp_path / "draft.toml").write_text(draft(path, "ARG").text)
    traits = load_survey(str(tmp_path / "draft.toml")).traits
    assert traits["gender"].recode == {"1": 1, "2": 2}
    assert traits["education"].recode == {str(code): step for code, step in enumerate(education.values(), 1)}
    assert traits["religion"].recode == {str(code): kind for code, kind in enumerate(religion.values(), 1)}

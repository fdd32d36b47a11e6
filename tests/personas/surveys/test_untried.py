"""Descriptions that were not run on a real file say so first, and read made-up rows in the documented layout."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

from personas.errors import InputError
from personas.surveys.build import BuildOptions, SurveyRequest, build, check
from personas.surveys.clean import MissingRule
from personas.surveys.survey import Survey, known_surveys, load_survey

UNTRIED = [name for name in known_surveys() if load_survey(name).untried]
AFROBAROMETER = {
    "RESPNO": ["ANG1", "TUN1"],
    "COUNTRY": [2, 36],
    "URBRUR": [1, 460],
    "REGION": [1, 2],
    "Combinwt_new_hh": [1.0, 2.0],
    "Q1": [30, 999],
    "Q94": [4, 99],
    "Q95": [18, 0],
    "Q100": [2, 1],
}
ASKED = {
    "Q1": "Q1. Age",
    "Q94": "Q94. Education of respondent",
    "Q95": "Q95. Religion of respondent",
    "Q100": "Q100. Gender of respondent",
    "URBRUR": "Urban or Rural",
}
MEANT = {"COUNTRY": {2: "Angola", 36: "Tunisia"}, "Q95": {0: "None", 18: "Muslim only"}, "Q100": {1: "Man", 2: "Woman"}}
ESS: dict[str, list[Any]] = {
    "idno": [1, 2],
    "cntry": ["FR", "NO"],
    "essround": [10, 10],
    "anweight": [0.5, 1.5],
    "agea": [44, 999],
    "gndr": [1, 2],
    "domicil": [5, 8],
    "eisced": [4, 55],
    "brncntr": [2, 1],
    "hinctnta": [10, 77],
    "rlgblg": [1, 2],
    "rlgdnm": [6, 66],
    "ppltrst": [0, 10],
}
WVS: dict[str, list[Any]] = {
    "S007": [101, 102],
    "S002VS": [6, 5],
    "COUNTRY_ALPHA": ["SWE", "IND"],
    "S017": [1.1, 0.9],
    "X001": [2, 1],
    "X003": [61, 20],
    "X047": [3, -1],
    "F025": [2, 6],
    "A001": [1, 2],
    "A029": [1, 0],
    "A124_02": [0, 1],
    "D059": [4, 1],
}
PEW: dict[str, list[Any]] = {
    "id": [1, 2],
    "country": ["France", "Kenya"],
    "weight": [1.0, 2.0],
    "sex": [2, 1],
    "age": [97, 33],
}


def people(folder: Path, name: str, path: Path) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """Each persona's answers in words, and what the build's report notes."""
    parts, reports = build([SurveyRequest(name, (path,))], BuildOptions(MissingRule(limit=1.0)))
    kept = parts[0]
    told = [{each: kept.traits[each].label(code) for each, code in one.answers.items()} for one in kept.personas()]
    heads = [{"id": one.persona_id, "country": one.country} for one in kept.personas()]
    return [head | answers for head, answers in zip(heads, told, strict=True)], reports[0].notes


def csv(folder: Path, columns: dict[str, list[Any]]) -> Path:
    pd.DataFrame(columns).to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"


@pytest.mark.parametrize("name", UNTRIED)
def test_a_description_that_was_not_tried_says_so_first(name: str) -> None:
    text = files("personas.surveys").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    said = load_survey(name).untried.split(":")[0]
    assert said in ("NOT RUN ON THE REAL FILE", "NOT RUN ON A REAL FILE", "RUN ON PART OF THE REAL FILE")
    assert text.startswith(f"# {said}")
    assert load_survey(name).remarks()[0] == load_survey(name).untried


def test_afrobarometer_is_read_where_its_variables_ask_what_they_should(tmp_path: Path) -> None:
    frame = pd.DataFrame(AFROBAROMETER)
    pyreadstat.write_sav(frame, tmp_path / "r9.sav", column_labels=ASKED, variable_value_labels=MEANT)
    found, notes = people(tmp_path, "afrobarometer9", tmp_path / "r9.sav")
    assert found[0]["id"] == "afrobarometer9:2021-2023:ANG1" and found[0]["country"] == "AGO"
    assert (found[0]["gender"], found[0]["education"], found[0]["religion"]) == (
        "female",
        "lower secondary school",
        "Muslim",
    )
    assert found[1]["urban_rural"] == "urban" and "age" not in found[1]
    assert found[1]["religion"] == "no denomination" and not any("NOT RUN" in note for note in notes)
    pyreadstat.write_sav(
        frame, tmp_path / "r9.sav", column_labels={**ASKED, "Q100": "Q100. Race"}, variable_value_labels=MEANT
    )
    with pytest.raises(InputError, match=r"Q100 \(gender\) asks 'Q100\. Race', not 'Sex'"):
        people(tmp_path, "afrobarometer9", tmp_path / "r9.sav")


def test_afrobarometer_is_read_from_a_country_s_file_in_french(tmp_path: Path) -> None:
    """There is no column of countries, gender has the next number, and another question stands where it was."""
    frame = (
        pd.DataFrame(AFROBAROMETER).drop(columns="COUNTRY").rename(columns={"Q100": "Q101"}).assign(Q100=1, Q4=[8, 1])
    )
    asked = {
        **ASKED,
        "Q94": "Q94. Niveau d'instruction du répondant",
        "Q95": "Q95. Religion du répondant",
        "Q100": "Q100. Race du répondant",
        "Q101": "Q101.  Sexe du répondant",
        "Q4": "Q4. Situation économique",
    }
    meant = {"Q101": {1: "Homme", 2: "Femme"}, "Q4": {1: "Très mal", 8: "A refusé"}}
    pyreadstat.write_sav(frame, tmp_path / "tun.sav", column_labels=asked, variable_value_labels=meant)
    found = check(load_survey("afrobarometer9"), tmp_path / "tun.sav", "TUN")
    assert {each.trait.name: each.variable for each in found.described}["gender"] == "Q101" and not found.problems
    assert not any("gender" in warning for warning in found.warnings)
    parts, _ = build(
        [SurveyRequest("afrobarometer9", (tmp_path / "tun.sav",), (), "TUN")], BuildOptions(MissingRule(1.0))
    )
    first, second = parts[0].personas()
    assert parts[0].traits["gender"].label(first.answers["gender"]) == "female"
    assert "afrobarometer9:Q4" not in first.answers and second.answers["afrobarometer9:Q4"] == 1


def test_ess_is_read(tmp_path: Path) -> None:
    found, notes = people(tmp_path, "ess10", csv(tmp_path, ESS))
    assert found[0] == {
        "id": "ess10:2020-2022:FRA-1",
        "country": "FRA",
        "age": "44",
        "gender": "male",
        "urban_rural": "rural",
        "education": "upper secondary school",
        "immigrant_background": "immigrant to this country",
        "income": "highest step",
        "religion": "Muslim",
        "ess10:ppltrst": "0",  # nothing in a CSV says what it means: silent in a prompt
    }
    assert found[1] == {
        "id": "ess10:2020-2022:NOR-2",
        "country": "NOR",
        "gender": "female",
        "immigrant_background": "born in this country",
        "religion": "no denomination",
        "ess10:ppltrst": "10",
    }
    assert notes[0].startswith("RUN ON PART OF")


def test_an_archive_s_selection_of_variables_is_read(tmp_path: Path) -> None:
    """Three of the seven described variables, beside every column that says who somebody is, and of which round."""
    some = {name: ESS[name] for name in ("idno", "cntry", "essround", "anweight", "agea", "gndr", "eisced")}
    found, _ = people(tmp_path, "ess10", csv(tmp_path, some))
    assert [one["country"] for one in found] == ["FRA", "NOR"] and found[0]["education"] == "upper secondary school"
    found, _ = people(tmp_path, "ess10", csv(tmp_path, {**some, "idno": [1, 1]}))  # every country counts from 1
    assert [one["id"] for one in found] == ["ess10:2020-2022:FRA-1", "ess10:2020-2022:NOR-1"]
    with pytest.raises(InputError, match="respondent id 'FRA-1' occurs more than once"):
        people(tmp_path, "ess10", csv(tmp_path, {**some, "idno": [1, 1], "cntry": ["FR", "FR"]}))
    del some["essround"]
    with pytest.raises(InputError, match="has 3 of the 7 variables of 'ess10'"):
        people(tmp_path, "ess10", csv(tmp_path, some))


def test_the_time_series_is_read_wave_by_wave(tmp_path: Path) -> None:
    found, _ = people(tmp_path, "wvs_time_series", csv(tmp_path, WVS))
    assert found[0] == {
        "id": "wvs_time_series:6:101",
        "country": "SWE",
        "age": "61",
        "gender": "female",
        "income": "third step",
        "religion": "Protestant",
        "imp_family": "very important",
        "child_independence": "mentioned",
        "men_better_leaders": "disagree strongly",
        "neigh_other_race": "not mentioned",
    }
    assert found[1]["id"] == "wvs_time_series:5:102" and "income" not in found[1]


def test_pew_is_read(tmp_path: Path) -> None:
    found, _ = people(tmp_path, "pew_global", csv(tmp_path, PEW))
    assert found[0] == {"id": "pew_global::1", "country": "FRA", "age": "97", "gender": "female"}


def test_synthetic_people_are_free_to_send_and_marked(tmp_path: Path) -> None:
    row = {
        "uuid": "a1",
        "persona": "A long text.",
        "hobbies": ["chess"],
        "sex": "Female",
        "age": 71,
        "marital_status": "widowed",
        "education_level": "graduate",
        "state": "OH",
        "country": "USA",
    }
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({**row, "uuid": name}) for name in ("a1", "b2")) + "\n")
    found, notes = people(tmp_path, "synthetic_nemotron_usa", tmp_path / "rows.jsonl")
    assert found[0] == {
        "id": "synthetic_nemotron_usa:2025:a1",
        "country": "USA",
        "age": "71",
        "gender": "female",
        "education": "a master's degree or equivalent",
        "synthetic_nemotron_usa:marital": "widowed",
    }
    assert any(note.startswith("these people are synthetic") for note in notes)
    assert not load_survey("synthetic_nemotron_usa").restricted


def test_no_survey_of_synthetic_people_has_the_name_of_a_real_one() -> None:
    about = load_survey("pew_global").model_dump()
    for changes in ({"synthetic": True}, {"survey": "synthetic_pew"}):
        with pytest.raises(ValueError, match=r'has a name that begins with "synthetic_"'):
            Survey.model_validate(about | changes)

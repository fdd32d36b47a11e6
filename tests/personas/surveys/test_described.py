"""What the catalogue's traits become where files differ from the description."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from personas.errors import InputError
from personas.surveys.reader import read_files
from personas.surveys.survey import load_survey

WVS = load_survey("wvs7")


def evs(**columns: list[object]) -> pd.DataFrame:
    rows = max(map(len, columns.values()))
    frame = pd.DataFrame({each.variable: [1] * rows for each in load_survey("evs2017").traits.values()})
    heads = {"id_cocas": range(1, rows + 1), "c_abrv": "HR", "age": 40, "studyno": 7500, "v51": 1}
    return frame.assign(**{**heads, **columns})


def test_who_did_not_say_where_they_were_born_is_not_told_to_be_a_native(tmp_path: Path) -> None:
    frame = evs(v227=[1, 2, -1, -2, 2], v228b_r=[-3, 616, -3, -3, -1])
    frame.to_csv(tmp_path / "evs.csv", index=False)
    found = read_files(load_survey("evs2017"), [tmp_path / "evs.csv"]).respondents.frame
    assert found["birth_country"].tolist() == [191, 616, -1, -2, -1]


def test_a_reason_follows_the_question_that_was_not_answered(tmp_path: Path) -> None:
    frame = evs(v51=[1, 2, -1, -2, 1, 2], v52=[5, -3, -3, -3, -2, 5])
    frame.to_csv(tmp_path / "evs.csv", index=False)
    found = read_files(load_survey("evs2017"), [tmp_path / "evs.csv"]).respondents.frame
    assert found["religion"].tolist() == [5, 0, -1, -2, -2, 0]


@pytest.mark.parametrize("suffix", [".csv", ".sav"])
def test_turned_mention_items_are_read_as_they_are_coded(tmp_path: Path, wvs_frame, write, suffix: str) -> None:
    """Files with turned columns have 1 and 0 for mentioned and not, or 2 and 1."""
    frame: pd.DataFrame = wvs_frame(country="NZL")
    mentioned = {name: frame[name].tolist() for name in ("Q7", "Q8", "Q15")}
    everybody = frame.assign(Q7=2 - frame["Q7"], Q8=1, Q9=1, Q15=2 - frame["Q15"])
    turned = everybody.rename(columns={name: f"{name}P" for name in ("Q7", "Q8", "Q9", "Q15")})
    path = write(turned, tmp_path / f"nz{suffix}")
    reading = read_files(WVS, [path])
    assert reading.respondents.frame["child_manners"].tolist() == mentioned["Q7"]
    assert reading.respondents.frame["child_faith"].tolist() == mentioned["Q15"]
    assert set(reading.respondents.frame["child_independence"]) == {1}, "read as its neighbours are"
    assert any("Q7P is coded 1 and 0" in note for note in reading.notes)
    twos = frame.assign(Q7=3 - frame["Q7"]).rename(columns={"Q7": "Q7P"})
    again = read_files(WVS, [write(twos, tmp_path / f"twos{suffix}")]).respondents.frame
    assert again["child_manners"].tolist() == mentioned["Q7"]
    alone = frame.assign(Q7=1).rename(columns={"Q7": "Q7P"})
    unknown = read_files(WVS, [write(alone, tmp_path / f"alone{suffix}")])
    assert set(unknown.respondents.frame["child_manners"]) == {-5}, "1 may mean either"


def test_labels_decide_whether_a_turned_column_is_turned(tmp_path: Path, wvs_frame) -> None:
    frame = wvs_frame(country="ESP").drop(columns="B_COUNTRY_ALPHA").assign(B_COUNTRY=724)
    wanted = frame["Q3"].tolist()
    for name, cells, labels in (
        ("as.sav", frame["Q3"], {1: "Muy importante", 4: "Nada importante"}),
        ("turned.sav", 5 - frame["Q3"], {1: "Nada importante", 4: "Muy importante"}),
        ("unlabelled.sav", 5 - frame["Q3"], {}),
    ):
        file = frame.assign(Q3=cells).rename(columns={"Q3": "Q3P"}).astype(float)
        pyreadstat.write_sav(file, tmp_path / name, variable_value_labels={"Q3P": labels} if labels else {})
        assert read_files(WVS, [tmp_path / name]).respondents.frame["imp_leisure"].tolist() == wanted, name


def test_a_column_that_asks_something_else_is_refused(tmp_path: Path, wvs_frame) -> None:
    frame = wvs_frame().astype({"Q275": float})
    questions = {"Q1": "Important in life: Family", "Q2": "Important in life: Friends", "Q262": "Age", "Q260": "Sex"}
    questions |= {"Q275": "Electric connection", "Q288": "Scale of incomes"}
    labels = {"Q275": {1: "Yes", 2: "No"}}
    pyreadstat.write_sav(frame, tmp_path / "w.sav", column_labels=questions, variable_value_labels=labels)
    with pytest.raises(InputError, match=r"Q275 \(education\) asks 'Electric connection', not 'Highest educational"):
        read_files(WVS, [tmp_path / "w.sav"])
    spanish = {"Q1": "Importante en la vida: Familia", "Q262": "Edad", "Q260": "Sexo", "Q275": "Nivel de estudios"}
    pyreadstat.write_sav(frame, tmp_path / "s.sav", column_labels=spanish)
    assert len(read_files(WVS, [tmp_path / "s.sav"]).respondents) == len(frame), "another language says nothing"


def test_people_without_ids_are_known_by_file_and_row(tmp_path: Path, wvs_frame, write) -> None:
    few = ["B_COUNTRY_ALPHA", "Q260", "Q262", "Q275", "Q1", "Q2", "Q46"]
    one = write(wvs_frame()[few], tmp_path / "ind.csv")
    two = write(wvs_frame(30, "NOR", 1)[few].rename(columns={"B_COUNTRY_ALPHA": "cc"}), tmp_path / "nor.csv")
    reading = read_files(WVS, [one, two], country="NOR")
    ids = reading.respondents.frame["persona_id"]
    assert ids.is_unique and ids.str.fullmatch(r"wvs7:2017-2022:row-[0-9a-f]{12}-\d+").all()
    assert ids.iloc[0].endswith("-1") and ids.iloc[59].endswith("-60") and ids.iloc[60].endswith("-1")
    assert reading.respondents.frame["country"].value_counts().to_dict() == {"IND": 60, "NOR": 30}
    assert read_files(WVS, [one]).respondents.frame["persona_id"].tolist() == ids[:60].tolist()
    with pytest.raises(InputError, match="occurs more than once"):
        read_files(WVS, [one, one])
    with pytest.raises(InputError, match="--country wvs7=CODE"):
        read_files(WVS, [two])


def test_a_file_for_teaching_opens_as_it_is(tmp_path: Path, wvs_frame) -> None:
    """Few variables, neither ids, weights nor a wave, and the country under another name."""
    kept = [f"Q{number}" for number in (6, 46, 49, 57, 165, 177, 260, 262, 263, 273, 275, 288, 289)]
    frame = wvs_frame()[kept].astype(float).assign(country=5.0, country_iso3="DEU")
    pyreadstat.write_sav(frame, tmp_path / "few.sav", variable_value_labels={"country": {5.0: "Germany"}})
    found = read_files(WVS, [tmp_path / "few.sav"]).respondents
    assert set(found.frame["country"]) == {"DEU"} and len(found) == 60
    assert found.frame["education"].tolist() == frame["Q275"].tolist() and "wvs7:Q57" in found.traits


def test_a_country_is_known_by_its_label(tmp_path: Path, wvs_frame) -> None:
    """A survey's own numbers are no ISO numbers: 4 is Tunisia here, not Afghanistan."""
    frame = wvs_frame().drop(columns="B_COUNTRY_ALPHA").assign(B_COUNTRY=np.where(np.arange(60) % 2, 4.0, 7.0))
    labels = {"B_COUNTRY": {4: "Tunisia", 7: "Hong Kong SAR"}}
    pyreadstat.write_sav(frame, tmp_path / "w.sav", variable_value_labels=labels)
    assert set(read_files(WVS, [tmp_path / "w.sav"]).respondents.frame["country"]) == {"TUN", "HKG"}


MINE = """
survey = "mine"
title = "Mine"
wave = "1"
restricted = false
licence = "free"
citation = "me"
columns = {{ id = "row", country = {country} }}
traits.age.variable = "years"
traits.gender.variable = "sex"
"""


def test_a_bare_country_is_a_name_or_a_code(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("years,sex\n30,1\n40,2\n")
    for country in ('"Tunisia"', '"TN"', '"788"', '{ variable = "c", recode = { a = "Tunisia" } }'):
        (tmp_path / "mine.toml").write_text(MINE.format(country=country))
        found = read_files(load_survey(str(tmp_path / "mine.toml")), [tmp_path / "data.csv"], country="TUN")
        assert set(found.respondents.frame["country"]) == {"TUN"}
    (tmp_path / "mine.toml").write_text(MINE.format(country='"cntry"'))
    with pytest.raises(InputError, match=r"key 'columns.country.*': 'cntry' is not a country; for a column"):
        load_survey(str(tmp_path / "mine.toml"))


def test_regions_have_names_whatever_the_format(tmp_path: Path, wvs_frame, write) -> None:
    for name in ("w.sav", "w.csv", "w.xlsx"):
        frame = wvs_frame(country="USA").assign(N_REGION_ISO=[840005, -4] * 30)
        found = read_files(WVS, [write(frame, tmp_path / name)]).respondents
        assert set(found.attribute("region")) == {"US-CA California", "missing"}
        assert set(found.attribute("wave")) == {"2017-2022"}

"""Official layouts, with every trap seen in real files, read back to known answers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from survey_files import evs_frame

from personas.countries import country_name
from personas.errors import InputError
from personas.people.respondents import combine
from personas.surveys.reader import read_files, read_survey
from personas.surveys.survey import known_surveys, load_survey
from personas.traits import catalogue
from runner.study.assets import fetch

MINE = """
survey = "mine"
title = "Mine"
wave = "1"
restricted = false
licence = "free"
citation = "me"
columns = { id = "nr", country = "NOR" }
missing = { codes = { 99 = -1 }, letters = { d = -3 } }
traits.age.variable = "years"
traits.gender = { variable = "sex", recode = { m = 1, f = 2, 1 = 1, 2 = 2 } }
extra = [{ variables = ["x*"], domain = "trust" }]
"""
FORMATS = ("wvs.sav", "wvs.dta", "plain.dta", "wvs.csv", "semi.csv", "wvs.xlsx")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_wvs_gives_the_same_answers_and_reasons(name: str, tmp_path: Path, wvs_frame, write) -> None:
    frame = wvs_frame()
    found = read_files(load_survey("wvs7"), [write(frame, tmp_path / name)]).respondents
    assert found.frame["persona_id"].iloc[0] == "wvs7:2017-2022:356070001"
    assert set(found.frame["country"]) == {"IND"}
    assert found.frame["imp_family"].tolist()[:5] == [-1, -2, -4, -5, 1]
    assert found.frame["imp_friends"].tolist()[:3] == [-5, 4, 3]
    for trait, variable in {"gender": "Q260", "age": "Q262", "jobs_men_priority": "Q33", "religion": "Q289"}.items():
        assert found.frame[trait].tolist() == frame[variable].tolist(), trait
    assert set(found.frame["literacy"]) == {-4}
    assert set(found.frame["birth_country"]) == {356}
    assert np.allclose(found.frame["weight"], frame["W_WEIGHT"]) and found.sources["wvs7"].weighted
    assert found.frame["wvs7:Q46"].tolist() == frame["Q46"].tolist()


def test_a_full_wvs_respondent_has_250_traits_described_by_the_file(tmp_path: Path, wvs_frame, write) -> None:
    found = read_files(load_survey("wvs7"), [write(wvs_frame(), tmp_path / "wvs.sav")]).respondents
    core = [name for name in catalogue().traits if name in found.traits]
    assert len(core) == 33 and len(found.traits) >= 250
    assert list(found.traits)[:33] == list(catalogue().traits)
    happy = found.traits["wvs7:Q46"]
    assert (happy.question, happy.domain, happy.label(2)) == ("Feeling of happiness", "well_being", "Quite happy")
    assert -1 not in happy.labels
    assert found.frame["region"].iloc[0] == "IN-BR Bihar"


def test_files_of_countries_concatenate_and_a_column_that_one_lacks_was_not_asked_there(
    tmp_path: Path, wvs_frame, write
) -> None:
    one = write(wvs_frame(), tmp_path / "ind.sav")
    two = write(wvs_frame(30, "NOR", 578070001).drop(columns=["Q32", "Q50"]), tmp_path / "nor.csv")
    found = read_files(load_survey("wvs7"), [one, two]).respondents
    norway = found.frame["country"] == "NOR"
    assert (len(found), int(norway.sum())) == (90, 30)
    assert set(found.frame.loc[norway, "housewife_fulfilling"]) == {-4} == set(found.frame.loc[norway, "wvs7:Q50"])
    assert (found.frame.loc[~norway, "housewife_fulfilling"] > 0).all()


def test_reversed_p_columns_are_turned_round(tmp_path: Path, wvs_frame, write) -> None:
    """New Zealand names its columns Q1P, with the scale reversed against Q1."""
    frame = wvs_frame(country="NZL")
    turned = frame.assign(Q3=5 - frame["Q3"]).rename(columns={"Q3": "Q3P"})
    reading = read_files(load_survey("wvs7"), [write(turned, tmp_path / "nz.csv")])
    assert reading.respondents.frame["imp_leisure"].tolist() == frame["Q3"].tolist()
    assert any("Q3P has a reversed scale" in note for note in reading.notes)


def test_three_point_countries_keep_q33_and_never_take_its_twin(tmp_path: Path, wvs_frame, write) -> None:
    """Argentina, Brazil, Nigeria and the USA: Q33 holds 2, 3, 4; Q33_3 is agree, disagree, neither."""
    frame = wvs_frame(country="ARG")
    frame = frame.assign(Q33=np.arange(len(frame)) % 3 + 2, Q33_3=np.arange(len(frame)) % 3 + 1)
    found = read_files(load_survey("wvs7"), [write(frame, tmp_path / "arg.csv")]).respondents
    assert found.frame["jobs_men_priority"].tolist() == frame["Q33"].tolist()
    assert "wvs7:Q33_3" not in found.traits


def test_files_whose_labels_contradict_each_other_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    frame = pd.DataFrame({"nr": [1, 2], "years": [30, 40], "sex": [1, 2], "x1": [1, 2]})
    for name, labels in {"one.sav": {1: "Yes", 2: "No"}, "two.sav": {1: "no", 2: "yes"}}.items():
        unlike = frame.assign(nr=frame["nr"] + 10 * len(labels[1]))
        pyreadstat.write_sav(unlike, tmp_path / name, variable_value_labels={"x1": labels})
    with pytest.raises(InputError, match=r"two\.sav: the scale of mine:x1 runs the other way"):
        read_files(load_survey(str(tmp_path / "mine.toml")), [tmp_path / "one.sav", tmp_path / "two.sav"])


def test_evs_recodes(tmp_path: Path) -> None:
    pyreadstat.write_sav(evs_frame(), tmp_path / "ZA7500.sav", variable_value_labels={"v114": {1: "good", 2: "bad"}})
    found = read_files(load_survey("evs2017"), [tmp_path / "ZA7500.sav"]).respondents
    frame = found.frame
    assert frame["country"].tolist() == ["DEU", "DEU", "GBR", "NIR", "XKX", "NOR", "NOR", "NOR"]
    assert frame["imp_work"].tolist() == [4] * 8, "work is v1"
    assert frame["imp_family"].tolist() == [1, 2, 3, 4, -1, -2, -4, -5]
    assert frame["religion"].tolist() == [8, 3, 1, 0, 5, 6, 7, 9], "3 and 8 change places; v51 = 2 is none"
    assert frame["birth_country"].tolist() == [276, 276, 826, 909, 383, 578, 5, 616], "natives were not asked"
    assert found.traits["birth_country"].label(5) == "South America"
    assert frame["education"].tolist() == [0, 1, 2, 3, 4, -5, 7, 8]
    assert frame["urban_rural"].tolist() == [2, 1, 1, 1, 1, -2, 2, 2]
    assert "urban_rural" in found.sources["evs2017"].proxies
    assert found.traits["evs2017:v114"].label(2) == "bad", "codes of the file keep the file's own labels"
    assert country_name("NIR") == "Northern Ireland" and country_name("GBR") == "Great Britain"


def test_the_joint_file_codes_mentioned_as_one_and_zero(tmp_path: Path) -> None:
    source = load_survey("evs_wvs_joint")
    frame = pd.DataFrame({each.variable: [1, 1, 1] for each in source.traits.values()})
    frame = frame.assign(
        uniqid=[1, 2, 3], cntry_AN=["NL", "NL", "TW"], X003=[20, 30, 40], A042=[1, 0, -1], wave=[5, 5, 7]
    )
    frame = frame.assign(X047_WVS7=[-4, -4, 6], X047E_EVS5=[3, -1, -4], A001=[4, 1, 2])
    frame.to_csv(tmp_path / "joint.csv", index=False)
    found = read_files(source, [tmp_path / "joint.csv"]).respondents.frame
    assert found["child_obedience"].tolist() == [1, 2, -1]
    assert found["income"].tolist() == [3, -4, 6]
    assert found["imp_family"].tolist() == [4, 1, 2]


@pytest.mark.slow
def test_the_real_gss(gss_files: list[Path]) -> None:
    found = read_files(load_survey("gss"), gss_files).respondents
    frame = found.frame
    assert frame["wave"].value_counts().to_dict() == {"2018": 2348, "2021": 4032}
    y2018, y2021 = frame[frame["wave"] == "2018"], frame[frame["wave"] == "2021"]
    assert y2018["gender"].value_counts().to_dict() == {2: 1296, 1: 1052}
    assert y2018["education"].value_counts().to_dict() == {3: 1178, 6: 465, 1: 262, 7: 247, 5: 196}
    assert int((y2018["urban_rural"] == 2).sum()) == 259
    assert y2018["men_better_leaders"].value_counts().to_dict() == {3: 1292, -4: 789, 2: 207, -1: 59, -2: 1}
    assert y2021["imp_religion"].value_counts().to_dict() == {1: 1124, 2: 923, 4: 894, 3: 668, -4: 420, -1: 2, -2: 1}
    assert int((y2021["income"] == -2).sum()) == 80, "income16 = 27 is labelled 'refused'"
    assert frame["persona_id"].iloc[0] == "gss:2018:1" and frame["persona_id"].is_unique
    assert found.traits["gss:attend"].labels[0] == "never"
    noted = {f"gss:{name}" for name in ("rlooks", "rgroomed", "rweight", "whoelse6", "huclean", "respond", "phone")}
    assert not noted & set(found.traits), "what the interviewer noted is nothing that the respondent said"


def test_the_gss_wave_filter(gss_files: list[Path], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = 40
    frame = pd.DataFrame({"year": np.repeat([2016, 2018], 20), "id": list(range(20)) * 2, "sex": 1})
    frame = frame.assign(age=30, degree=1, born=1, relig=1, srcbelt=1, income16=random.integers(1, 27, rows), fepol=1)
    frame = frame.assign(thnkself=1, workhard=1, obey=1, wtssall=1.0)
    pyreadstat.write_dta(frame, tmp_path / "gss.dta")
    survey = load_survey("gss")
    assert set(read_files(survey, [tmp_path / "gss.dta"]).respondents.frame["wave"]) == {"2018"}
    assert len(read_files(survey, [tmp_path / "gss.dta"], [2016]).respondents) == 20


def test_every_shipped_description_maps_into_its_scales() -> None:
    assert {"wvs7", "evs2017", "evs_wvs_joint", "gss", "issp2018"} <= set(known_surveys())
    for name in known_surveys():
        for trait, source in load_survey(name).defined().values():
            recodes = [source.recode, *(each.recode for each in source.overrides)]
            for code in [code for recode in recodes for code in recode.values()]:
                assert code < 0 or trait.holds(code), (name, trait.name, code)


def test_issp_tells_missing_answers_by_their_labels(tmp_path: Path) -> None:
    frame = pd.DataFrame({"studyno": 7570, "CASEID": [1, 2, 3], "c_alphan": ["NA", "NO", "TW"], "WEIGHT": 1.0})
    frame = frame.assign(SEX=[1, 2, 9], AGE=[30, 999, 40], DEGREE=[0, 6, 9], URBRURAL=[1, 5, 8], RELIGGRP=[6, 8, 99])
    frame = frame.assign(TOPBOT=[1, 10, -8], v11=[1, 2, 8])
    labels = {"v11": {1: "Yes", 2: "No", 8: "Can't choose"}, "URBRURAL": {8: "No answer"}}
    pyreadstat.write_dta(frame, tmp_path / "issp.dta", variable_value_labels=labels)
    found = read_files(load_survey("issp2018"), [tmp_path / "issp.dta"]).respondents.frame
    assert found["country"].tolist() == ["NAM", "NOR", "TWN"]
    assert found["gender"].tolist() == [1, 2, -2] and found["religion"].tolist() == [5, 6, -2]
    assert found["education"].tolist() == [0, 7, -2] and "income" not in found
    assert found["issp2018:place_in_society"].tolist() == [1, 10, -1]
    assert found["urban_rural"].tolist() == [1, 2, -2] and found["issp2018:v11"].tolist() == [1, 2, -1]


def test_the_starter_surveys() -> None:
    sizes = {"starter_wvs3": 5381, "starter_gss2018": 2348}
    parts = [read_survey(load_survey(name), fetch(load_survey(name).asset)) for name in sizes]
    everyone = combine(parts)
    assert everyone.frame["survey"].value_counts().to_dict() == sizes
    assert everyone.attribute("country").value_counts()["NOR"] == 1127
    spending = everyone.frame.loc[everyone.frame["survey"] == "starter_gss2018", "starter_gss2018:natspac"]
    assert set(spending) <= {-2, 1, 2, 3} and (spending == 2).sum() > 900


def test_a_survey_of_ones_own_is_a_toml_file_and_no_code(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "mine.csv").write_text("nr,years,sex,x1\na,30,m,1\nb,99,f,2\nc,.d,f,NA\n")
    found = read_files(load_survey(str(tmp_path / "mine.toml")), [tmp_path / "mine.csv"]).respondents
    assert found.frame["age"].tolist() == [30, -1, -3] and found.frame["gender"].tolist() == [1, 2, 2]
    assert found.frame["mine:x1"].tolist() == [1, 2, -2]
    assert found.frame["persona_id"].tolist() == ["mine:1:a", "mine:1:b", "mine:1:c"]

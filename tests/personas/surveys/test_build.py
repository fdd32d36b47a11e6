"""What `build` and `check` report: everything that was left out, and everything that looks wrong."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyreadstat
import pytest
from typer.testing import CliRunner

from personas.countries import birthplaces
from personas.errors import InputError
from personas.surveys.build import BuildOptions, SurveyRequest, build, check
from personas.surveys.survey import load_survey
from runner.cli.personas import app

WIDE = CliRunner(env={"COLUMNS": "200"})


def test_described_traits_that_were_dropped_come_first_and_all(tmp_path: Path, wvs_frame, write) -> None:
    lost = ["Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "Q9", "Q11", "Q13", "Q15", "Q17", "Q27", "Q281"]
    frame = wvs_frame().assign(**dict.fromkeys([*lost, "Q46", "Q47"], -1))
    path = write(frame, tmp_path / "w.csv")
    _, (report,) = build([SurveyRequest("wvs7", (path,))], BuildOptions())
    described = set(load_survey("wvs7").defined())
    first = [name in described for name in report.sparse]
    assert first == sorted(first, reverse=True) and sum(first) >= len(lost)
    result = WIDE.invoke(app, ["build", "--survey", f"wvs7={path}", "--out", str(tmp_path / "p.parquet")])
    shown = " ".join(result.output.split())
    assert all(name in shown for name in ("imp_family 100%", "child_obedience 100%", "wvs7:occupation 100%"))


def test_near_duplicates_are_named_in_the_stored_report(tmp_path: Path, wvs_frame, write) -> None:
    frame = wvs_frame()
    items = [name for name in frame if name.startswith("Q")]
    frame.loc[[7, 8], items] = frame.loc[[3, 4], items].to_numpy()
    frame.loc[8, "Q262"] = frame.loc[4, "Q262"] + 1
    path = write(frame, tmp_path / "w.csv")
    assert WIDE.invoke(app, ["build", "--survey", f"wvs7={path}", "--out", str(tmp_path / "p.parquet")]).exit_code == 0
    about = json.loads(pq.ParquetFile(tmp_path / "p.parquet").schema_arrow.metadata[b"mtpa"])
    doubles = about["report"]["surveys"][0]["near_duplicates"]
    ids = [f"wvs7:2017-2022:{number}" for number in (356070008, 356070004)]
    assert doubles == [{"dropped": ids[0], "kept": ids[1], "agreement": 1.0}], "of another age is another person"


def test_a_folder_and_a_pattern_are_files(tmp_path: Path, wvs_frame, write, monkeypatch) -> None:
    (tmp_path / "wvs").mkdir()
    write(wvs_frame(), tmp_path / "wvs" / "ind.csv")
    write(wvs_frame(30, "NOR", 578070001), tmp_path / "wvs" / "nor.csv")
    (tmp_path / "wvs" / "readme.txt").write_text("not a survey")
    monkeypatch.chdir(tmp_path)
    for given in ("wvs", "wvs/*.csv", "w*/???.csv", f"{tmp_path}/wvs/*.csv"):
        result = WIDE.invoke(app, ["build", "--survey", f"wvs7={given}"])
        assert "90 personas in personas.parquet" in result.output, (given, result.exception)
    nothing = WIDE.invoke(app, ["build", "--survey", "wvs7=wvs/*.sav"])
    assert isinstance(nothing.exception, InputError) and "no survey file in wvs/*.sav" in str(nothing.exception)


def written(path: Path, frame: pd.DataFrame, labels: dict[str, dict[int, str]], questions: dict[str, str]) -> Path:
    numbers = frame.astype({name: float for name in frame if name != "B_COUNTRY_ALPHA"})
    pyreadstat.write_sav(numbers, path, variable_value_labels=labels, column_labels=questions)
    return path


def test_check_shows_every_value_and_warns_of_what_looks_wrong(tmp_path: Path, wvs_frame) -> None:
    (tmp_path / "mine.toml").write_text(
        Path("personas/surveys/wvs7.toml").read_text().replace('codebook = "wvs7"\n', "").replace(' "codebook"', " {}")
    )
    frame = wvs_frame().assign(Q33=np.arange(60) % 5 + 1)
    labels = {"Q33": {1: "Tout à fait d'accord", 3: "Ne sait pas", 5: "Pas du tout d'accord"}}
    questions = {"Q1": "Important in life: Family", "Q33": "Jobs scarce: men", "Q275": "Electric connection"}
    path = written(tmp_path / "w.sav", frame, labels, questions)
    found = check(load_survey(str(tmp_path / "mine.toml")), path)
    jobs = next(each for each in found.described if each.trait.name == "jobs_men_priority")
    assert jobs.question == "Jobs scarce: men"
    assert [(row.value, row.label, row.code, row.count) for row in jobs.values][:3] == [
        ("1", "Tout à fait d'accord", 1, 12),
        ("2", "", 2, 12),
        ("3", "Ne sait pas", 3, 12),
    ]
    warnings = "\n".join(found.warnings)
    assert "takes 3 ('Ne sait pas') as an answer" in warnings and "asks 'Electric connection'" in warnings
    shown = WIDE.invoke(app, ["check", "wvs7", "--data", str(path)])
    assert "Ne sait pas" in shown.output and "neither agree nor disagree" in shown.output
    assert "asks 'Electric connection'" in str(shown.exception), "the codebook knows the question"


@pytest.mark.parametrize(("low", "high"), [("Pas du tout d'accord", "Tout à fait d'accord"), ("Disagree", "Agree")])
def test_labels_that_run_the_other_way_are_refused_in_any_language(
    tmp_path: Path, wvs_frame, low: str, high: str
) -> None:
    path = written(tmp_path / "w.sav", wvs_frame(), {"Q29": {1: low, 4: high}}, {})
    found = check(load_survey("wvs7"), path)
    assert any("men_better_leaders" in each and "reversed" in each for each in found.problems)


def test_former_countries_are_birthplaces() -> None:
    names = {200: "Czechoslovakia", 810: "the Soviet Union", 890: "Yugoslavia", 915: "Kosovo"}
    assert {code: birthplaces()[code] for code in names} == names


def test_show_and_summary_take_built_in_surveys() -> None:
    summary = WIDE.invoke(app, ["summary", "--personas", "starter_wvs3"])
    assert "5,381 personas in starter_wvs3" in summary.output, summary.exception
    shown = WIDE.invoke(app, ["show", "starter_wvs3:1995-97:1", "--personas", "starter_wvs3"])
    assert shown.output.startswith("You are answering as"), shown.exception
    refused = WIDE.invoke(app, ["summary", "--personas", "wvs7"])
    assert "its file is not ours to give" in str(refused.exception)


def test_a_summary_of_people_whose_gender_is_not_known(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [
        {"id": f"mine:1:{n}", "survey": "mine", "wave": "1", "country": "NOR", "data": []} for n in range(3)
    ]
    age = {"trait": "age", "domain": "demographics", "question": "Age", "value": 40, "label": "40"}
    lines[0]["data"] = [age]
    (tmp_path / "people.jsonl").write_text("\n".join(map(json.dumps, lines)))
    result = WIDE.invoke(app, ["summary", "--personas", str(tmp_path / "people.jsonl")])
    assert result.exit_code == 0 and "3 personas" in result.output, result.exception

"""Persona files go out and come back the same."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from personas.errors import InputError, MachineError
from personas.people.respondents import Respondents
from personas.prompt.render import Variant, render
from personas.release.jsonl import write_jsonl
from personas.release.parquet import write_personas
from personas.release.read import read_personas, refuse_restricted
from personas.surveys.build import BuildOptions, SurveyRequest, build
from personas.surveys.clean import MissingRule
from runner.cli.personas import app


@pytest.fixture
def built(tmp_path: Path, wvs_frame, write) -> Respondents:
    write(wvs_frame(), tmp_path / "wvs.sav")
    parts, reports = build([SurveyRequest("wvs7", (tmp_path / "wvs.sav",))], BuildOptions())
    assert reports[0].rows_in == reports[0].rows_out == 60
    assert reports[0].sparse["literacy"] == 1.0 and "imp_family" in reports[0].fill
    write_personas(tmp_path / "personas.parquet", parts, {"surveys": [{"survey": "wvs7"}]})
    return parts[0]


def same_text(one: Respondents, other: Respondents, names: list[str]) -> bool:
    pairs = zip(one.personas(), other.personas(), strict=True)
    return all(render(a, one.traits, names, Variant()) == render(b, other.traits, names, Variant()) for a, b in pairs)


def test_parquet_comes_back_with_traits_terms_and_report(tmp_path: Path, built: Respondents) -> None:
    found = read_personas(tmp_path / "personas.parquet")
    assert found.traits == built.traits and found.sources == built.sources
    pd.testing.assert_frame_equal(found.frame, built.frame, check_dtype=False)
    assert found.frame["imp_family"].dtype == np.int16
    assert found.restricted()[0].citation.startswith("Haerpfer")


def test_jsonl_comes_back_and_reads_the_same(tmp_path: Path, built: Respondents) -> None:
    for name in ("MTPA-base.jsonl", "base.jsonl.gz"):
        assert write_jsonl(tmp_path / name, built, core_only=False) == 60
        found = read_personas(tmp_path / name)
        assert found.frame["persona_id"].tolist() == built.frame["persona_id"].tolist()
        answers = [each.answers for each in found.personas()]
        assert answers == [each.answers for each in built.personas()]
        assert same_text(built, found, [name for name in built.traits if ":" not in name or "Q46" in name])
    line = json.loads((tmp_path / "MTPA-base.jsonl").read_text().splitlines()[4])
    family = next(each for each in line["data"] if each["trait"] == "imp_family")
    assert family == {
        "trait": "imp_family",
        "domain": "social_values",
        "use": "value",
        "question": "Important in life: family",
        "scale": "1-4",
        "value": 1,
        "label": "very important",
    }


def test_the_authors_file_is_a_persona_source(tmp_path: Path) -> None:
    data = [("Q262", 32), ("Q260", "Female"), ("Q1", 1), ("Q33", "-1"), ("B_COUNTRY_ALPHA", "IND"), ("Q999", 7)]
    records = [{"id": 5, "data": [{"question_id": key, "answer_value": value} for key, value in data]}]
    (tmp_path / "mpta.json").write_text(json.dumps(records))
    found = next(read_personas(tmp_path / "mpta.json").personas())
    assert (found.persona_id, found.country) == ("mpta::5", "IND")
    assert found.answers == {"age": 32, "gender": 2, "imp_family": 1, "mpta:Q999": 7}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.jsonl", '{"id": 1}', "line 1: not a persona"),
        ("p.jsonl", "", "holds no persona"),
        ("p.jsonl.gz", "not gzip", "cannot be read"),
        ("p.jsonl", '{"id":"a","data":[{"trait":"age","value":99999,"label":"?"}]}', "age = 99999 is not an answer"),
        ("p.jsonl", '{"id":"a","country":"Narnia","data":[]}', "'Narnia' is not an ISO 3166-1"),
        ("p.jsonl", '{"id":"a","data":[{"trait":"imp_work","value":9,"label":"?"}]}', "imp_work = 9 is not an answer"),
        ("mpta.json", "{}", "is not the authors' mpta.json"),
        ("p.parquet", "PAR1", "is not a persona file"),
        ("p.txt", "", "a persona file is a .parquet"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_personas(tmp_path / name)


def test_nothing_is_left_where_the_disk_refuses(tmp_path: Path, built: Respondents) -> None:
    with pytest.raises(MachineError, match="cannot be written"):
        write_personas(tmp_path / "absent" / "personas.parquet", [built], {})


def test_exporting_restricted_rows_asks_first(tmp_path: Path, built: Respondents) -> None:
    with pytest.raises(InputError, match=r"World Values Survey.*--i-may-share"):
        refuse_restricted(built)
    given = ["export", "--personas", str(tmp_path / "personas.parquet"), "--out", str(tmp_path / "out"), "--n", "20"]
    refused = CliRunner().invoke(app, given)
    assert isinstance(refused.exception, InputError) and not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, [*given, "--i-may-share"])
    assert done.exit_code == 0, done.exception
    assert "largest deviation of a joint cell" in done.output
    lines = [json.loads(line) for line in (tmp_path / "out" / "MTPA.jsonl").read_text().splitlines()]
    assert len(lines) == 20 and {line["split"] for line in lines} == {"train", "test"}
    assert {each["use"] for line in lines for each in line["data"]} == {"demographic", "value"}
    assert len((tmp_path / "out" / "MTPA-base.jsonl").read_text().splitlines()) == 60
    card = (tmp_path / "out" / "README.md").read_text()
    assert "cc-by-nc-4.0" in card and "Haerpfer" in card and "no, without leave of the publisher" in card


def test_looking_at_personas(tmp_path: Path, built: Respondents) -> None:
    where = ["--personas", str(tmp_path / "personas.parquet")]
    shown = CliRunner().invoke(app, ["show", "wvs7:2017-2022:356070005", *where, "--format", "prose-paper"])
    assert shown.output.startswith("[PERSONA] You are answering as a") and "Family is very important" in shown.output
    summary = CliRunner().invoke(app, ["summary", *where])
    assert "60 personas" in summary.output and "country (1): IND 60" in summary.output
    missing = CliRunner().invoke(app, ["show", "nobody", *where])
    assert isinstance(missing.exception, InputError)


def test_checking_a_description(tmp_path: Path, wvs_frame, write) -> None:
    data = write(wvs_frame().drop(columns="Q32"), tmp_path / "wvs.csv")
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["check", "wvs7", "--data", str(data)])
    assert "33 of 34 described traits found" in result.output
    assert "not in this file" in next(line for line in result.output.splitlines() if "housewife_fulfilling" in line)
    wrong = write(wvs_frame().assign(Q2=7, Q3=9), tmp_path / "wrong.csv")
    refused = CliRunner().invoke(app, ["check", "wvs7", "--data", str(wrong)])
    assert "2 columns are not what they should be" in str(refused.exception) and "imp_leisure" in str(refused.exception)


@pytest.mark.slow
def test_the_real_gss_builds(gss_files: list[Path]) -> None:
    parts, (report,) = build([SurveyRequest("gss", tuple(gss_files))], BuildOptions(MissingRule(not_asked="ignored")))
    assert (report.rows_in, report.columns_in) == (6380, 1065)
    assert report.not_in_file == ("housewife_fulfilling",) and report.no_scale["fund16"] == "nobody answered"
    assert report.rows_out + len(report.near_duplicates) == 6380 and report.rows_out > 6000
    assert {"men_better_leaders", "imp_religion", "gss:polviews"} <= set(parts[0].columns())
    assert report.fill["age"] == pytest.approx(0.9467, abs=1e-4)

"""The trials as CSV, the views of the file, and what is said of their columns."""

import asyncio
import json
import sqlite3

import pandas as pd
import pytest
from fake_llm import FakeLLM
from studies import load, model
from typer.testing import CliRunner

from migrations.views import VIEWS
from personas.errors import InputError
from runner.cli.app import app
from runner.engine.run import run
from runner.store.database import open_database
from runner.store.foreign import refuse_code
from runner.store.scores import load_scores
from runner.study.config import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    with FakeLLM() as server:
        folder = tmp_path_factory.mktemp("raw")
        study = load(folder, [model(server.url)], n=6, groups=6, report={"by": ["country", "gender"], "min_n": 2})
        asyncio.run(run(study, pilot=False))
    return study


def test_the_csv_has_every_trial_nobody_by_name_and_every_column_explained(study: Study) -> None:
    assert (
        CliRunner().invoke(app, ["--study", str(study.path), "report", "--csv"], catch_exceptions=False).exit_code == 0
    )
    trials = pd.read_csv(study.database.with_suffix(".trials.csv"), comment="#", keep_default_na=False)
    scores = load_scores(study.database)
    assert len(trials) == len(scores) == 6 * 6 + 6
    assert trials["value"].sum() == pytest.approx(scores["value"].sum())
    people = set(trials["persona_id"]) - {""}
    assert len(people) == 6 and all(name.startswith("sha256:") for name in people)
    known = pd.read_csv(study.database.with_suffix(".dictionary.csv"), keep_default_na=False)
    assert set(trials) == set(known.loc[known["table"] == "trials", "column"])
    written = {path.name.split(".")[1] for path in study.database.parent.glob("study.*.csv")} - {"dictionary"}
    assert written == set(known["table"])
    assert len(written) > 5
    assert known.loc[known["meaning"] == "", ["table", "column"]].to_numpy().tolist() == []


def test_the_views_say_what_load_scores_says(study: Study) -> None:
    connection = sqlite3.connect(study.database)
    trials, people, answers = (
        pd.read_sql(f"SELECT * FROM {name}", connection) for name in ("trials", "people", "answers")
    )
    connection.close()
    scores = load_scores(study.database)
    for name in ("model", "item_id", "cue", "elicitation", "country", "status", "role", "format"):
        assert sorted(trials[name].fillna("").replace("none", "")) == sorted(
            scores[name].astype(str).replace("none", "")
        ), name
    assert trials["value"].sum() == pytest.approx(scores["value"].sum())
    assert {*people["persona_id"], "none"} == set(trials["persona_id"])
    assert people["gender"].isin(["male", "female"]).all()
    assert trials.drop(columns=["chosen", "role", "value", "expected"]).notna().all(axis=None)
    told = people["answers"].map(json.loads)
    assert [each["starter_wvs3:degree"] in ("yes", "no") for each in told] == [True] * 6
    for _, row in scores[scores["persona_id"] != ""].iterrows():
        said = told[people["persona_id"] == row["persona_id"]].iloc[0]
        assert {name: row[name] for name in said} == said
    assert set(trials["key"]) == set(answers["key"])
    row = trials[trials["status"] == "ok"].iloc[0]
    prompt = answers.set_index("key").loc[row["key"], "item_prompt"]
    assert row["chosen"] in prompt


def test_a_file_from_elsewhere_may_hold_our_views_and_no_other(study: Study, tmp_path) -> None:
    path = tmp_path / "theirs.sqlite"
    open_database(path).close()
    refuse_code(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP VIEW people")
    connection.execute(VIEWS["people"].replace("persona_id, survey", "load_extension('x') AS persona_id, survey"))
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="holds a view, 'people'"):
        refuse_code(path)

"""report, diff, init and plan --resolve as a user runs them."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from personas.errors import InputError
from runner.cli.app import app
from runner.store.database import open_database
from runner.store.rows import insert, register
from runner.store.scores import load_scores
from runner.study.config import Study

ITEM = {
    "id": "x/0",
    "benchmark": "x",
    "version": "1",
    "part": "",
    "context": None,
    "ask": "letter",
    "question": "Why?",
    "choices": ["yes", "no"],
    "weights": [1.0, 0.0],
    "roles": None,
    "ordinals": None,
    "group": "g",
    "shuffle": True,
    "scoring": {},
    "meta": {},
    "target_trait": None,
}


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def database(tmp_path) -> Path:
    """Two models, three personas, two items; model "two" answers "no" wherever "one" answers "yes"."""
    path = tmp_path / "results" / "local.sqlite"
    connection = open_database(path)
    blank = {"provider": "p", "revision": "", "dtype": "", "parameters": "{}", "answer": "text"}
    models = register(connection, "model", [{"name": name, "model": name, **blank} for name in ("one", "two")])
    records = [{**ITEM, "id": f"x/{n}", "group": f"g{n}"} for n in range(2)]
    rows = [
        {"item_id": r["id"], "benchmark": "x", "part": "", "grp": r["group"], "record": json.dumps(r)} for r in records
    ]
    items = register(connection, "item", rows)
    person = {"survey": "s", "wave": "1", "country": "NOR", "weight": 1.0, "answers": {}}
    groups = {"country": "NOR", "gender": "male", "age_band": "25-34"}
    people = register(
        connection,
        "persona",
        [{"persona_id": f"s:1:{n}", "cluster": str(n), "subgroups": groups, **person} for n in range(3)],
    )
    kind = {"format": "prose", "frame": "role", "placement": "prompt", "trait_order": 0, "traits": []}
    (variant,) = register(connection, "variant", [kind])
    columns = "model item persona variant rotation replicate completion chosen_by_text value status scorer".split()
    scores = []
    for model in models:
        for place, person_id in enumerate((0, *people)):
            for item in items:
                yes = float((place + item) % 2 == 0) if model == models[0] else float((place + item) % 2)
                scores.append(
                    (model, item, person_id, variant if person_id else 0, 0, 0, 1, int(1 - yes), yes, "ok", "1")
                )
    insert(connection, "INSERT", "score", columns, scores)
    failed = (b"k", models[0], items[0], people[0], variant, 1, 0, 1, "http", "no answer", "now")
    names = "key model item persona variant rotation replicate attempt kind message at".split()
    insert(connection, "INSERT", "failure", names, [failed])
    connection.close()
    return path


@pytest.mark.parametrize("kind", ["paper", "api", "local"])
def test_init_writes_a_study_that_loads(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("init", kind)
    assert result.exit_code == 0 and "mtpa-run plan" in result.output
    assert Study.load("mtpa.toml").study.name == kind
    with pytest.raises(InputError, match="exists already; name another"):
        invoke("init", kind)


def test_a_failed_trial_is_a_score_without_a_value(database):
    scores = load_scores(database)
    assert scores["status"].astype(str).value_counts().to_dict() == {"ok": 16, "failed": 1}
    assert scores.loc[scores["status"] == "failed", "value"].isna().all()
    assert set(scores.loc[scores["persona_id"] != "", "country"]) == {"NOR"}


def test_report_writes_what_is_asked_for(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    invoke("init", "local")
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / "world_map").mkdir(parents=True)
    result = invoke("report", "--csv", "--latex", "--html")
    assert result.exit_code == 0, result.output
    for name in ("effects.csv", "effects.tex", "html"):
        assert (database.parent / f"local.{name}").stat().st_size > 100
    assert "x" in result.output
    assert "# Methods" in invoke("report", "--methods").output
    assert "Table 2" in invoke("report", "--paper").output


def test_diff_of_two_models_and_of_two_files(database, tmp_path):
    result = invoke("diff", str(database))
    assert result.exit_code == 0 and "two − one" in result.output
    (row,) = [line for line in result.output.splitlines() if "persona effect" in line]
    assert re.findall(r"[+-]?\d+\.\d%?", row) == ["0.0"] * 3, row  # of Δ, points and no per cent
    document = json.loads(invoke("diff", str(database), "--json").stdout)
    assert {"with persona", "persona effect", "baseline"} == {each["compared"] for each in document["difference"]}
    copy = tmp_path / "copy.sqlite"
    shutil.copy(database, copy)
    same = invoke("diff", str(database), str(copy), "--models", "one,one")
    assert " 0.0 " in same.output and "+" not in same.output
    connection = open_database(copy)
    connection.execute("UPDATE persona SET survey = 'synthetic_s'")
    connection.close()
    assert "3 of the 3 personas are synthetic people" in " ".join(invoke("diff", str(copy)).output.split())
    with pytest.raises(InputError, match="did you mean 'two'"):
        invoke("diff", str(database), "--models", "one,twoo")
    with pytest.raises(InputError, match="no such database"):
        invoke("diff", str(tmp_path / "none.sqlite"))


def test_resolve_knows_its_attributes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    invoke("init", "local")
    with pytest.raises(InputError, match="did you mean 'country'"):
        invoke("plan", "--resolve", "0.02", "--by", "contry")

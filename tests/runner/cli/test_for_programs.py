"""What other programs read: `--json`, and one trial shown whole; and why a run stopped."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fake_llm import FakeLLM
from studies import load, model, rows
from survey_files import write_wvs, wvs_frame
from typer.testing import CliRunner

from personas.errors import InputError
from personas.release.parquet import read_store
from runner.cli.app import app
from runner.engine.run import run
from runner.store.database import open_database
from runner.study.config import Study


def invoke(study: Study, *options: str) -> str:
    return CliRunner().invoke(app, ["--study", str(study.path), *options], catch_exceptions=False).stdout


def invoke_json(study: Study, *options: str) -> Any:
    return json.loads(invoke(study, *options, "--json"), parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose run ended early: 30 trials of 44."""
    folder = tmp_path_factory.mktemp("programs")
    with FakeLLM() as server:
        study = load(folder, [model(server.url)], n=3, groups=11)
        asyncio.run(run(study, pilot=False, limit=30))
    return study


def test_every_command_for_programs_prints_json_and_nothing_else(study: Study) -> None:
    joined = "score JOIN item ON item.id = score.item JOIN persona ON persona.id = persona"
    ((item, persona),) = rows(study.path.parent, f"SELECT item_id, persona_id FROM {joined} LIMIT 1")
    assert invoke_json(study, "plan")["rows"][0]["answered"] == 30
    assert invoke_json(study, "status")["scores"] == 30
    assert invoke_json(study, "report")["tables"]["effects"][0]["pairs"] > 0
    assert invoke_json(study, "explain", f"{item}@{persona}")["cached"] is True
    shown = invoke_json(study, "show", f"{item}@{persona}")
    assert shown["item_id"] == item and shown["matches"] and shown["messages"]
    assert [row["name"] for row in invoke_json(study, "benchmarks", "list")["benchmarks"]]
    assert invoke_json(study, "benchmarks", "show", "crows_pairs", "0")["choices"]
    checked = invoke_json(study, "benchmarks", "check", "crows_pairs")
    assert (checked["parts"]["choice"]["items"], len(checked["sample"])) == (1508, 5)
    assert invoke_json(study, "personas", "summary", "--personas", "starter_wvs3")["levels"]["country"]["NOR"] == 1127
    assert {"bbq", "starter_wvs3"} <= {each["name"] for each in invoke_json(study, "data", "list")["assets"]}
    surveys = {row["survey"]: row for row in invoke_json(study, "personas", "list")["surveys"]}
    assert surveys["starter_wvs3"]["fetched"] and "worldvaluessurvey.org" in surveys["wvs7"]["licence"]
    file = study.path.parent / "wvs.sav"
    write_wvs(wvs_frame(), file)
    age = invoke_json(study, "personas", "check", "wvs7", "--data", str(file))["described"][0]
    assert age["trait"] == "age" and sum(row["count"] for row in age["values"]) == len(wvs_frame())
    built = invoke_json(
        study, "personas", "build", "--survey", f"wvs7={file}", "--out", str(file.with_suffix(".parquet"))
    )
    assert built["personas"] == built["surveys"][0]["rows_out"] > 0


def test_a_trial_is_shown_as_it_was_sent_answered_and_scored(study: Study) -> None:
    sql = "SELECT item_id, persona_id, text.text, answer, value FROM score JOIN item ON item.id = score.item "
    sql += "JOIN persona ON persona.id = persona JOIN completion ON completion.id = completion "
    sql += "JOIN text ON text.id = item_text ORDER BY score.id DESC LIMIT 1"
    ((item, persona, prompt, answer, value),) = rows(study.path.parent, sql)
    shown = " ".join(invoke(study, "show", f"{item}@{persona}").replace("│", " ").split())
    for words in (" ".join(prompt.split())[:60], "answered ─", answer, f"Its value is {value:g}", persona):
        assert words in shown, words
    assert "baseline" in invoke(study, "show", item)
    with pytest.raises(InputError, match=r"no item of this file is 'x'"):
        invoke(study, "show", "x")
    with pytest.raises(InputError, match="no persona of this file"):
        invoke(study, "show", f"{item}@nobody")


def test_a_survey_that_is_not_at_hand_says_where_it_is_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file.*registration at worldvaluessurvey\.org.*--survey wvs7=FILE"):
        CliRunner().invoke(
            app, ["personas", "build", "--survey", f"wvs7={tmp_path / 'WVS7.sav'}"], catch_exceptions=False
        )
    with pytest.raises(InputError, match=r"`mtpa-run personas list`.*starter_wvs3"):
        read_store(tmp_path / "personas.parquet")


def test_status_says_why_a_run_stopped(study: Study, tmp_path: Path) -> None:
    assert "it ended early: stopped by --limit 30; run it again to go on" in invoke(study, "status")
    copy = study.model_copy(update={"path": tmp_path / "study.toml"})
    copy.path.write_text(study.text)
    connection = open_database(study.database)
    connection.execute("VACUUM INTO ?", (str(copy.database),))
    connection.close()
    connection = open_database(copy.database)
    connection.execute("UPDATE run SET ending = 'stopped by the budget'")
    assert "raise [budget] usd, and run it again" in invoke(copy, "status")
    connection.execute("UPDATE run SET ending = '', ended = NULL")  # as after kill -9
    connection.close()
    assert "no process works on it: it was killed" in " ".join(invoke(copy, "status").split())


def test_help_texts_are_whole() -> None:
    texts = [
        CliRunner().invoke(app, [*command, "-h"]).stdout
        for command in (["export"], ["personas", "show"], ["bundle"], [], ["merge"], ["serve"], ["personas", "build"])
    ]
    for text in texts:  # Typer's names of types are no words
        assert re.search(r"<(?:str|path|int|float|list)\b", text) is None
    whole = [" ".join(text.split()) for text in texts]
    assert "the columns of [report]." in whole[0]
    assert "survey:wave:respondent" in whole[1]
    assert "you have leave of the surveys' publishers" in whole[2]
    assert "Without a command: run the study" in whole[3] and "[COMMAND [ARGS]...]" in whole[3]
    assert "…" not in whole[3] and "..." not in whole[3].replace("[ARGS]...", "")

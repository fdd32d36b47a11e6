"""Exports: inspect_ai's own reader opens the logs, and the dataset says what it holds and tells nothing of anybody."""

import math
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import inspect_ai.log as inspect_log
import pyarrow.parquet as pq
import pytest
import yaml
from fake_llm import FakeLLM
from studies import load, model
from typer.testing import CliRunner

from personas.errors import InputError
from runner.cli.app import app
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.sharing.redaction import HIDDEN
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study


@pytest.fixture
async def study(tmp_path: Path) -> Study:
    """Eight people, three of whom are of countries that fewer than five are of; one trial fails."""
    tables = {"variants": {"formats": ["prose"]}, "report": {"by": ["country", "gender"]}}

    async def misbehave(server: FakeLLM, request: object, raw: bytes) -> object:
        from aiohttp import web

        return web.Response(status=400, text="no") if server.requests == 7 else None

    with FakeLLM(misbehave=misbehave) as server:  # type: ignore[arg-type]
        found = load(tmp_path, [model(server.url, concurrency=1)], n=8, groups=5, **tables)
        await run(found)
    return found


def export(study: Study, *options: str) -> str:
    command = ["--study", str(study.path), "export", *options]
    return CliRunner().invoke(app, command, catch_exceptions=False).output


def personas_text(study: Study) -> set[str]:
    with prepared(study) as ready:
        trials = list(ready.crossing.trials(ready.crossing.models[0]))
    lines = {line for asked in trials for line in asked.persona_text.splitlines()}
    return lines | {asked.persona.persona_id for asked in trials if asked.persona}


async def test_inspect_reads_what_is_written(study: Study, tmp_path: Path) -> None:
    export(study, "--inspect", str(tmp_path / "logs"))
    listed = inspect_log.list_eval_logs(str(tmp_path / "logs"))
    logs = [inspect_log.read_eval_log(each) for each in listed]
    assert {log.eval.task for log in logs} == {
        "crows_pairs-choice-prose-role-prompt-0-demographic, extended (6)",
        "crows_pairs-choice-baseline",
    }
    scores = load_scores(study.database, last_selection(study.database))
    samples = [sample for log in logs for sample in log.samples]
    assert len(samples) == len(scores) == 45
    assert sum(sample.error is not None for sample in samples) == 1
    assert {sample.id.split("@")[0] for sample in samples} == set(scores["item_id"].astype(str))
    values = [sample.scores["mtpa"].value for sample in samples if sample.scores]
    assert sum(value for value in values if not math.isnan(value)) == scores["value"].sum()
    for log in logs:
        assert log.status == "success" and log.results.total_samples == len(log.samples)
        mean = log.results.scores[0].metrics["mean"].value
        mine = scores[(scores["persona_id"] == "") == log.eval.task.endswith("baseline")]["value"].mean()
        assert mean == pytest.approx(mine)
    sample = next(each for each in samples if "baseline" not in each.id and each.scores)
    assert sample.output.completion in ("A", "B") and "is left out" in sample.input[0].text
    told = {each.metadata["respondent"]: each.metadata for log in logs for each in log.samples}
    for name in ("gender", "country"):
        levels = Counter(each[name] for respondent, each in told.items() if respondent != "baseline")
        assert all(people >= 5 for level, people in levels.items() if level != HIDDEN), levels
    wanted = personas_text(study)
    assert not [line for line in wanted for sample in samples if line in sample.model_dump_json()]


async def test_with_leave_the_prompts_are_as_they_were_sent(study: Study, tmp_path: Path) -> None:
    export(study, "--inspect", str(tmp_path / "logs"), "--i-may-share")
    logs = [inspect_log.read_eval_log(each) for each in inspect_log.list_eval_logs(str(tmp_path / "logs"))]
    sent = {sample.input[0].text for log in logs for sample in log.samples if sample.scores}
    with prepared(study) as ready:
        trials = list(ready.crossing.trials(ready.crossing.models[0]))
    messages = {asked.request.messages[0]["content"] for asked in trials}
    assert len(sent) == 44 and sent < messages


async def test_a_dataset_with_a_card(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    export(study, "--hf", str(folder))
    front = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    scores = load_scores(study.database, last_selection(study.database))
    for config, told in zip(front["configs"], front["dataset_info"], strict=True):
        table = pq.read_table(folder / config["data_files"])
        assert [each["name"] for each in told["features"]] == table.column_names
        assert told["splits"][0]["num_examples"] == len(table)
    trials = pq.read_table(folder / "trials.parquet").to_pandas()
    assert len(trials) == len(scores) and trials["value"].sum() == scores["value"].sum()
    assert set(trials.loc[trials["persona_id"] != "", "persona_id"].str[:7]) == {"sha256:"}
    countries = scores.drop_duplicates("persona_id")["country"].value_counts()
    assert 0 < countries.drop("").min() < 5
    shown = set(trials["country"]) - {""}
    assert shown == {*(name for name, count in countries.drop("").items() if count >= 5), HIDDEN}
    raw = b"".join(path.read_bytes() for path in folder.iterdir()).decode("utf-8", "replace")
    assert not [line for line in personas_text(study) if line in raw]
    assert set(pq.read_table(folder / "items.parquet")["item_id"].to_pylist()) == set(trials["item_id"])


def test_inspect_that_is_missing_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.sharing.inspect_logs import require_inspect

    monkeypatch.setitem(__import__("sys").modules, "inspect_ai.log", None)
    with pytest.raises(InputError, match="pip install inspect_ai"):
        require_inspect()


async def test_a_spoilt_file_is_named_and_not_the_copy_that_is_made_of_it(study: Study, tmp_path: Path) -> None:
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute("UPDATE run SET ended = 'soon'")
    with pytest.raises(InputError, match="never writes there") as found:
        export(study, "--inspect", str(tmp_path / "logs"))
    assert str(found.value).startswith(f"{study.database}: ")

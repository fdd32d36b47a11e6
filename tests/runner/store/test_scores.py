"""The frame that scoring works on: how answers became numbers, what letters held, and what is of an old method."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_llm import FakeLLM
from sqlite_utils import Database
from studies import load, model, rows

from migrations.steps import schema
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.progress.status import read_status
from runner.results.study_report import brief_study_findings, study_findings
from runner.store.database import open_database
from runner.store.report_rows import load_mass
from runner.store.scores import load_about, load_scores
from scoring.report.sentences import finding


@pytest.mark.parametrize(("answer", "metric"), [("text", "answer given"), ("probabilities", "likeliest letter")])
async def test_how_an_answer_became_a_number_is_named(answer: str, metric: str, tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url, answer=answer, decoding={})])
        await run(study)
    assert set(load_scores(study.database)["metric"]) == {metric}
    found = study_findings(study)
    names = [metric] if answer == "text" else [metric, "letter probabilities"]
    assert list(dict.fromkeys(found.effects["metric"])) == names
    assert all(any(f"by {name}:" in line for name in names) for line in found.sentences)
    mass = load_mass(study.database)
    if answer == "text":
        assert mass.empty
    else:
        (row,) = mass.itertuples()
        assert (row.answers, row.without, row.hidden) == (50, 0, 0) and row.mass == pytest.approx(0.813, abs=1e-3)


async def test_what_the_letters_lack_is_said_in_the_report(tmp_path: Path) -> None:
    shown = [{"token": "Well", "logprob": -0.2}, {"token": "A", "logprob": -2.5}]

    async def misbehave(server: FakeLLM, request: Any, raw: bytes) -> Any:
        from aiohttp import web

        logprobs = {"content": [{**shown[0], "top_logprobs": shown}]} if server.requests % 4 else None
        choice = {"message": {"content": "A"}, "finish_reason": "stop", "logprobs": logprobs}
        return web.json_response({"choices": [choice], "model": server.model})

    with FakeLLM(misbehave=misbehave) as server:
        study = load(tmp_path, [model(server.url, answer="probabilities", decoding={}, concurrency=1)], groups=4)
        await run(study, pilot=False)
    said = "\n".join(study_findings(study).warnings)
    assert "5 of 20 answers came without probabilities" in said
    assert "held 8.2% of the first token's probability" in said
    assert "in 100% of the answers the endpoint did not show every letter" in said


async def test_what_was_only_planned_is_nobody_who_was_asked(tmp_path: Path) -> None:
    """The rows that a plan makes of models and people are in no view and no methods section."""
    with FakeLLM() as server:
        planned = load(tmp_path, [model(server.url, id="other", name="other")], n=6, groups=3)
        with prepared(planned):
            pass
        text = {"decoding": {"max_tokens": 3, "temperature": 0.7}, "baseline_replicates": 2}
        study = load(tmp_path, [model(server.url, **text)], n=4, groups=3)
        await run(study, pilot=False)
    assert rows(tmp_path, "SELECT count(*) FROM persona")[0][0] > 4
    assert rows(tmp_path, "SELECT count(*) FROM people") == [(4,)]
    assert [each["name"] for each in load_about(study.database)["models"]] == ["fake"]
    assert read_status(study.database).ended
    for found in (study_findings(study), brief_study_findings(study)):  # the same is known of the model to both
        assert "as every answer drawn again" in " ".join(finding(found))
    sampling = study_findings(study).about["sampling"]
    assert sampling == "4 respondents of starter_wvs3 were drawn, in proportion by country, gender, age_band."


async def test_ways_of_showing_that_are_one_are_asked_once_and_an_old_file_of_both_opens(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)], groups=3, variants={"traits": ["demographic", "core"]})
        with prepared(study) as ready:
            assert len(ready.crossing.variants) == 1
            assert any("the same for these people" in remark for remark in ready.remarks)
        await run(study, pilot=False)
        assert server.requests == len(load_scores(study.database)) == 3 * (1 + 4)
    connection = open_database(study.database)
    (selection,) = connection.execute("SELECT selection FROM run").fetchone()
    twice = {name: value * 2 if name == "variants" else value for name, value in json.loads(selection).items()}
    connection.execute("UPDATE run SET selection = ?", (json.dumps(twice),))
    connection.close()
    assert study_findings(study).effects["pairs"].iloc[0] == 3 * 4


async def test_answers_of_an_old_method_have_another_name(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)], groups=4)
        await run(study)
    for provider, methods, name in (
        ("local", {"text": "2"}, "fake (old method)"),
        ("local", {"loglik": "2"}, "fake"),
        ("local", None, "fake"),
        ("openai-compatible", {"text": "2"}, "fake"),
    ):
        connection = open_database(study.database)
        values = (provider, None if methods is None else json.dumps(methods))
        connection.execute("UPDATE model SET provider = ?, methods = ?", values)
        connection.close()
        assert set(load_scores(study.database)["model"]) == {name}


def test_a_text_that_stood_in_for_probabilities_counts_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    database = Database(path)
    schema.apply(database, stop_before="letters_mass_and_method")
    for number, answer in enumerate(("probabilities", "text"), start=1):
        database.execute(
            "INSERT INTO model (id, sha, name, provider, model, revision, dtype, parameters, answer) "
            "VALUES (?, ?, 'm', 'p', 'm', '', '', '{}', ?)",
            (number, bytes([number]), answer),
        )
    record = json.dumps({"ask": "letter", "scoring": {}})
    database.execute("INSERT INTO item VALUES (1, 'i', x'01', 'b', '', 'g', ?)", (record,))
    for item, (row, by_text, by_probability) in enumerate([(1, 0, None), (1, 0, 1), (2, 0, None)], start=1):
        database.execute(
            "INSERT INTO score VALUES (?, ?, 1, ?, 0, 0, 0, 1, ?, ?, 1.0, NULL, 'ok', '1')",
            (item, row, item, by_text, by_probability),
        )
    database.conn.commit()
    database.close()
    open_database(path).close()
    assert rows(tmp_path, "SELECT status, chosen_by_text, value FROM score ORDER BY id") == [
        ("no probabilities", None, None),
        ("ok", 0, 1.0),
        ("ok", 0, 1.0),
    ]

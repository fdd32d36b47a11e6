"""Overall numbers in a schema that others share: its required keys and closed words, and our numbers in them."""

import asyncio
import json
import logging
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model

from runner.engine.run import run
from runner.results.study_report import study_findings
from runner.sharing.every_eval_ever import write_every_eval_ever

# Facts of eval.schema.json, version 0.3.0: what has to be there, by where.
REQUIRED = {
    "": "schema_version evaluation_id retrieved_timestamp source_metadata model_info eval_library evaluation_results",
    "source_metadata": "source_type source_organization_name evaluator_relationship",
    "model_info": "name id additional_details",
    "eval_library": "name version",
}
OF_A_RESULT = {"evaluation_name", "source_data", "metric_config", "score_details"}


def test_a_record_has_what_the_schema_wants_and_the_reports_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url, decoding={"max_tokens": 3, "temperature": 0.5})], groups=6)
        asyncio.run(run(study, pilot=False))
    with caplog.at_level(logging.WARNING):
        (path,) = write_every_eval_ever(study, tmp_path / "out", "Us")
    assert "it needs Python 3.12" in caplog.text
    assert path.relative_to(tmp_path / "out").parts[:2] == ("data", "mtpa") and path.suffix == ".json"
    record = json.loads(path.read_text())
    for place, names in REQUIRED.items():
        assert set(names.split()) <= set(record[place] if place else record), place
    assert record["schema_version"] == "0.3.0" and record["source_metadata"]["source_type"] == "evaluation_run"
    details = record["model_info"]["additional_details"]
    assert (details["deployment_type"], details["model_availability"]) == ("unknown", "unknown")
    results = record["evaluation_results"]
    assert all(set(each) >= OF_A_RESULT and set(each["score_details"]["details"]) for each in results)
    assert all({"min_score", "max_score", "lower_is_better"} <= set(each["metric_config"]) for each in results)
    row = study_findings(study).effects.iloc[0]
    assert [each["score_details"]["score"] for each in results] == pytest.approx(
        [row["without"], row["with_persona"], row["effect"]]
    )
    interval = results[-1]["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"]) == pytest.approx((row["items_low"], row["items_high"]))
    assert results[0]["generation_config"]["generation_args"] == {"max_tokens": 3, "temperature": 0.5}

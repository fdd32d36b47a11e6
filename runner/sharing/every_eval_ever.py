"""A study's overall numbers in the shared schema of Every Eval Ever (evalevalai.com), a JSON file a model.

Written as the schema's version 0.3.0 has it. The coalition's own package, which needs Python 3.12, checks the files
where it is installed.
"""

import json
import math
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from personas.errors import InputError, MachineError
from runner.results.study_report import study_findings
from runner.study.config import Study
from runner.study.logs import logger
from scoring.benchmarks.base import Benchmark
from scoring.benchmarks.registry import measured
from scoring.report.export import write_text
from scoring.report.findings import Findings, title_of
from scoring.statistics.levels import ALL

log = logger(__name__)
SCHEMA = "0.3.0"
COLLECTION = "mtpa"
_PACKAGE = "every_eval_ever.eval_types"
# name of the result → (column, lowest, highest, what it is)
_RESULTS = {
    "without a persona": ("without", 0, 1, "mean score without a persona"),
    "with personas": ("with_persona", 0, 1, "mean score with personas"),
    "persona effect": ("effect", -1, 1, "mean score with personas less without, on the same items and orders"),
}
_INTERVAL = "two-way: clustered on persona text and on item group"


def write_every_eval_ever(study: Study, folder: Path, organization: str = "unknown") -> list[Path]:
    """Write FOLDER/data/mtpa/DEVELOPER/MODEL/UUID.json for each model of the study's last run; returns the files.

    Raises InputError where there is nothing to write, MachineError where it cannot be written.
    """
    found = study_findings(study)
    records = [_record(study, found, about, organization) for about in found.about.get("models", ())]
    records = [record for record in records if record["evaluation_results"]]
    if not records:
        raise InputError(f"{study.database}: has no Δ to export; run the study first")
    _check(records)
    written = []
    for record in records:
        place = folder / "data" / COLLECTION / record["model_info"]["developer"] / _plain(record["model_info"]["name"])
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError(f"{place}: cannot be written ({error.strerror}); choose another place") from None
        written.append(write_text(place / f"{uuid.uuid4()}.json", json.dumps(record, indent=2, ensure_ascii=False)))
    return written


def _record(study: Study, found: Findings, model: Mapping[str, Any], organization: str) -> dict[str, Any]:
    effects = found.effects
    overall = (effects["attribute"] == ALL) & (effects["measure"] == "value")
    rows = effects[(effects["model"] == model["name"]) & overall]
    told = {name: text for name, text in _qualified(found).items() if text}
    provider, started = str(model["provider"]), str(found.about.get("started") or "")
    kind, weights = _served(study, model)
    details = {name: str(model[name]) for name in ("revision", "dtype", "served", "answer") if model.get(name)}
    developer, _, _ = str(model["model"]).rpartition("/")
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{study.study.name}/{provider}/{model['model']}/{started or 'unknown'}",
        **({"evaluation_timestamp": started} if started else {}),
        "retrieved_timestamp": str(int(time.time())),
        "source_metadata": {
            "source_name": f"mtpa, study {study.study.name}",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": "third_party",
            "additional_details": told,
        },
        "eval_library": {"name": "mtpa", "version": version("mtpa")},
        "model_info": {
            "name": str(model["name"]),
            "id": str(model["model"]),
            "developer": _plain(developer) or "unknown",
            "inference_platform": provider,
            "additional_details": {"deployment_type": kind, "model_availability": weights, **details},
        },
        "evaluation_results": [each for _, row in rows.iterrows() for each in _results(row, model)],
    }


def _served(study: Study, model: Mapping[str, Any]) -> tuple[str, str]:
    """Who runs the model, and whether its weights are open.

    Known of a model on this machine, which has a dtype, and of a provider's own, which has no address in the study.
    """
    if model.get("dtype"):
        return "self_deployed", "open_weights"
    addressed = {section.name for section in study.models if section.base_urls}
    known = {section.name for section in study.models} - addressed
    return ("externally_managed", "closed_weights") if model["name"] in known else ("unknown", "unknown")


def _qualified(found: Findings) -> dict[str, str]:
    """What a reader has to know before any number: what is missing, and who is made up."""
    return {"incomplete": found.incomplete, "synthetic": str(found.about.get("synthetic", ""))}


def _results(row: pd.Series, model: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The score without a persona, with personas, and Δ with its interval; none that is unknown."""
    label, known = str(row["benchmark"]), measured(str(row["benchmark"]))
    better = known.better if known else "higher"
    counts = {name: f"{row[name]:.0f}" for name in ("personas", "items", "groups", "pairs")}
    for name, (column, low, high, words) in _RESULTS.items():
        if math.isnan(row[column]):
            continue
        identity = f"{label}/{name}".replace(" ", "_")
        about = {"best": "0.5: neither direction is better"} if better == "half" else {}
        yield {
            "evaluation_result_id": identity,
            "evaluation_name": f"{title_of(label)}, {name}",
            "source_data": _source(label, known),
            "metric_config": {
                "evaluation_description": words,
                "metric_id": f"mtpa.{column}",
                "metric_name": f"{known.metric if known else 'score'}, {name}",
                "metric_unit": "proportion",
                "lower_is_better": better == "lower",
                "score_type": "continuous",
                "min_score": low,
                "max_score": high,
                "additional_details": {"answer": str(row["metric"]), **about},
            },
            "score_details": {
                "score": float(row[column]),
                "details": counts,
                **({"uncertainty": uncertainty} if (uncertainty := _uncertainty(row)) and column == "effect" else {}),
            },
            "generation_config": _generation(model),
        }


def _source(label: str, known: Benchmark | None) -> dict[str, Any]:
    details = {"licence": known.licence} if known and known.licence else {}
    name = known.title if known else label
    return {"dataset_name": name, "source_type": "other", "additional_details": details}


def _uncertainty(row: pd.Series) -> dict[str, Any]:
    if math.isnan(row["items_low"]) or math.isnan(row["items_high"]):
        return {}
    bounds = {"lower": float(row["items_low"]), "upper": float(row["items_high"])}
    found: dict[str, Any] = {"confidence_interval": {**bounds, "confidence_level": 0.95, "method": _INTERVAL}}
    if not math.isnan(row["items_error"]):
        found["standard_error"] = {"value": float(row["items_error"]), "method": _INTERVAL}
    return {**found, "num_samples": int(row["pairs"])}


def _generation(model: Mapping[str, Any]) -> dict[str, Any]:
    parameters: Mapping[str, Any] = model["parameters"]
    typed = {name: parameters[name] for name in ("temperature", "top_p", "max_tokens") if name in parameters}
    others = {name: json.dumps(value) for name, value in parameters.items() if name not in typed}
    return {"generation_args": typed, "additional_details": others}


def _plain(text: str) -> str:
    """A part of a path that every file system takes."""
    return "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in text).strip(".-")


def _check(records: Sequence[Mapping[str, Any]]) -> None:
    """Ask the schema's own package, where it is at hand; say so where it is not."""
    try:
        package = import_module(_PACKAGE)
    except ImportError:
        log.warning(
            "not checked by the package every-eval-ever, which is not installed here (it needs Python 3.12); written "
            "by version %s of its schema",
            SCHEMA,
        )
        return
    try:
        for record in records:
            package.EvaluationLog.model_validate(record)
    except ValueError as error:
        raise InputError(f"the package every-eval-ever refuses the record: {error}") from None

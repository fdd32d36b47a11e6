"""Small studies on real respondents and real items, for tests."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.study.config import Study

ROOT = Path(__file__).parents[2]


def model(url: str, **changes: Any) -> dict[str, Any]:
    """A [[models]] table for an endpoint that speaks chat completions."""
    table = {
        "name": "fake",
        "backend": "openai-compatible",
        "id": "fake",
        "base_urls": [url],
        "answer": "text",
        "decoding": {"max_tokens": 3},
        "baseline_replicates": 1,
        "timeout": 60,
    }
    return {**table, **changes}


def write_study(
    folder: Path, models: Sequence[dict[str, Any]], n: int = 4, groups: int = 10, name: str = "study", **tables: Any
) -> Path:
    """A study file: `n` respondents of the starter WVS, `groups` CrowS-Pairs."""
    lines = ["[study]", f'name = "{name}"', 'database = "study.sqlite"', "seed = 7"]
    lines += ["[personas]", 'sources = ["starter_wvs3"]', f"n = {n}"]
    lines += [] if "traits" in tables.get("variants", {}) else ['traits = "all"']
    lines += ["[[benchmarks]]", 'name = "crows_pairs"', 'part = "choice"', f"groups = {groups}"]
    for table in models:
        lines += ["[[models]]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    for section, table in tables.items():
        lines += [f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def load(folder: Path, models: Sequence[dict[str, Any]], **changes: Any) -> Study:
    """The study, read."""
    return Study.load(write_study(folder, models, **changes))


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a query on the study's database gives."""
    connection = sqlite3.connect(folder / "study.sqlite")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def start(study: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """`mtpa-run` on a study, in a process of its own."""
    command = [sys.executable, "-m", "runner", "--study", str(study), *options]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)

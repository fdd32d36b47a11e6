"""`mtpa-run gate` as a build server runs it."""

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_llm import FakeLLM
from studies import model
from typer.testing import CliRunner

from personas.errors import InputError
from runner.cli.app import app
from runner.engine.run import run
from runner.results.study_report import study_findings
from runner.study.config import Study
from runner.study.written.toml_writer import toml_text
from scoring.report.page import page
from scoring.report.sentences import finding

DESCRIPTION = """
name = "quiz"
version = "1"
licence = "CC0-1.0"
files = [{ path = "quiz.jsonl" }]
[fields]
question = "q"
choices = "options"
answer = "gold"
"""


class Doubtful(FakeLLM):
    """Says yes to nobody, and to personas but in one of ten cases, by the text of the question."""

    def letter(self, body: str) -> str:
        yes = re.search(r"([ABC])[.):] ?yes", body)
        assert yes is not None, body
        wrong = "answering as" in body and hashlib.sha256(body.encode()).digest()[0] < 26
        return "ABC"["ABC".index(yes[1]) - 1] if wrong else yes[1]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Eighty people and twelve questions that have been asked."""
    folder = tmp_path_factory.mktemp("gate")
    questions = [{"q": f"Question {n}?", "options": ["yes", "no", "perhaps"], "gold": 0} for n in range(12)]
    (folder / "quiz.jsonl").write_text("\n".join(map(json.dumps, questions)))
    (folder / "quiz.toml").write_text(DESCRIPTION)
    with Doubtful() as server:
        tables = {
            "study": {"name": "g", "database": "g.sqlite", "seed": 3},
            "personas": {"sources": ["starter_gss2018"], "n": 80, "stratify": ["gender"], "traits": ["gender", "age"]},
            "benchmarks": [{"name": "quiz.toml"}],
            "models": [model(server.url)],
            "report": {"by": ["gender"], "min_n": 5},
            "robustness": {"contrasts": ["gender"], "margin": 0.1},
        }
        path = folder / "g.toml"
        path.write_text(toml_text(tables))
        assert asyncio.run(run(Study.load(path), pilot=False)).exit_code == 0
    yield path


def gate(path: Path, floor: float, *options: str):
    text = path.read_text().partition("[gate]")[0]
    path.write_text(f"{text}\n[gate]\nfloor = {floor}\n")
    return CliRunner().invoke(app, ["--study", str(path), "gate", *options], catch_exceptions=False)


def test_a_floor_that_holds_and_one_that_does_not(study: Path, tmp_path: Path) -> None:
    passed = gate(study, -1.0)
    assert passed.exit_code == 0, passed.output
    assert "passed: fake on quiz" in passed.output
    junit = tmp_path / "gate.xml"
    failed = gate(study, 0.0, "--junit", str(junit), "--json")
    assert failed.exit_code == 6
    found = json.loads(failed.output)
    (verdict,) = found["verdicts"]
    assert not found["passed"] and verdict["bound"] < 0 and "does not hold" in verdict["reason"]
    suite = ElementTree.parse(junit).getroot()
    assert suite.get("failures") == "1" and "does not hold" in suite[0][0].get("message", "")


def test_a_study_without_a_gate_says_what_to_add(study: Path) -> None:
    study.write_text(study.read_text().partition("[gate]")[0])
    with pytest.raises(InputError, match=r"there is no \[gate\]; add one with a floor"):
        CliRunner().invoke(app, ["--study", str(study), "gate"], catch_exceptions=False)


def test_the_report_has_the_tail_everywhere(study: Path) -> None:
    found = study_findings(Study.load(study))
    worst = found.tables["worst_tenth"].iloc[0]
    assert worst["chosen"] >= 5 and worst["effect"] < 0
    for name in ("equivalence", "contrasts", "answer_shift"):
        assert len(found.tables[name])
    (text,) = finding(found)
    assert "The tenth of the people whom it costs most, picked on one half of the items" in text
    shown = page(found)
    assert "The worst tenth of the people: picked on one half" in shown and "Levels compared pair by pair" in shown
    full = CliRunner().invoke(app, ["--study", str(study), "report", "--full"], catch_exceptions=False)
    assert "The worst tenth" in full.output and "Levels pair by pair" in full.output


def test_contrasts_are_of_what_the_report_tells_apart(study: Path) -> None:
    tables = study.read_text().replace('contrasts = ["gender"]', 'contrasts = ["age"]')
    with pytest.raises(InputError, match=r"\[robustness\] contrasts has 'age', which is not in \[report\] by"):
        Study.parse(tables, study)

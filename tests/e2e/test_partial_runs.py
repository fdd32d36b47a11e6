"""A run that is not whole says so first, wherever its numbers appear: cut short by the budget, --limit and Ctrl-C."""

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import model, rows, start, write_study
from typer.testing import CliRunner
from waiting import HUNG, wait_until

from runner.cli.app import app
from runner.results.study_report import study_findings
from runner.study.config import Study
from runner.view.pages.overview import account
from runner.view.source import ViewSource
from scoring.report.page import page

pytestmark = pytest.mark.slow

TRIALS = 61 * 6


@pytest.fixture(scope="module")
def server() -> Iterator[FakeLLM]:
    with FakeLLM(latency=0.02) as server:
        yield server


def everything_said(study: Path) -> dict[str, str]:
    """What each output begins with."""
    call = CliRunner()

    def said(*arguments: str) -> str:
        ended = call.invoke(app, ["--study", str(study), *arguments])
        assert ended.exit_code == 0, ended.output
        return " ".join(ended.output.split())

    found = {"terminal": said("report", "--csv", "--latex", "--html"), "status": said("status")}
    found["methods"], found["paper"] = said("report", "--methods"), said("report", "--paper")
    written = sorted(study.parent.glob("study.*.csv")) + sorted(study.parent.glob("study.*.tex"))
    written = [path for path in written if path.name != "study.dictionary.csv"]  # words alone
    assert {path.suffix for path in written} == {".csv", ".tex"}
    found |= {path.name: path.read_text() for path in written}
    found["methods file"] = (study.parent / "study.methods.md").read_text()
    found["page"] = (study.parent / "study.html").read_text().partition('<main id="main">')[2].strip()
    source = ViewSource(study.parent / "study.sqlite", study)
    try:
        found["view"] = account(source.live(), None)[0].children
    finally:
        source.close()
    return found


def check(study: Path, why: str, part: int) -> None:
    """Every output opens with the same sentence, and none calls the run finished."""
    for name, text in everything_said(study).items():
        start = text.lstrip("# %*").removeprefix('<p class="incomplete" role="alert">')
        assert start.startswith(f"INCOMPLETE: {part} of {TRIALS} trials; "), (name, text[:200])
        assert why in start[:300], name
        assert ", finished" not in text


def test_the_budget(server: FakeLLM, tmp_path: Path) -> None:
    price = {"input": 1.0, "output": 1.0}
    models = [model(server.url, concurrency=4, price=price)]
    study = write_study(tmp_path, models, n=60, groups=6, budget={"usd": 0.01, "confirm_above": 100})
    process = start(study)
    out, _ = process.communicate(timeout=HUNG)
    assert process.returncode == 4, out
    assert out.index("INCOMPLETE") < out.index("Persona effect")
    ((done,),) = rows(tmp_path, "SELECT count(*) FROM score")
    check(study, "stopped by the budget", done)


def test_a_limit_and_then_the_rest(server: FakeLLM, tmp_path: Path) -> None:
    study = write_study(tmp_path, [model(server.url, concurrency=4)], n=60, groups=6)
    process = start(study, "--limit", "60")
    out, _ = process.communicate(timeout=HUNG)
    assert process.returncode == 0, out
    assert "9 of 60 people" in out
    check(study, "stopped by --limit 60", 60)
    process = start(study)
    out, _ = process.communicate(timeout=HUNG)
    assert process.returncode == 0 and "INCOMPLETE" not in out, out
    assert not (study.parent / "study.effects.csv").read_text().startswith("#")
    assert "INCOMPLETE" not in CliRunner().invoke(app, ["--study", str(study), "status"]).output
    assert ", finished" in page(study_findings(Study.load(study)))


def test_ctrl_c(server: FakeLLM, tmp_path: Path) -> None:
    study = write_study(tmp_path, [model(server.url, concurrency=2)], n=60, groups=6)
    process = start(study)
    wait_until(lambda: _scores(tmp_path) > 20)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=HUNG)
    assert process.returncode == 130, out
    assert "INCOMPLETE" in out
    check(study, "interrupted", _scores(tmp_path))


def _scores(folder: Path) -> int:
    if not (folder / "study.sqlite").exists():
        return 0
    try:
        return int(rows(folder, "SELECT count(*) FROM score")[0][0])
    except sqlite3.OperationalError:  # the file is being made
        return 0

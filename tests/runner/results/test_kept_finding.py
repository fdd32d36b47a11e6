"""What `status` says of an ended run is what its report said, and no longer than that holds."""

from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import model, write_study
from typer.testing import CliRunner

from runner.cli.app import app
from runner.results.kept_finding import KeptFinding, keep_finding, kept_finding
from runner.results.study_report import brief_study_findings
from runner.store.database import open_database
from runner.study.config import Study
from scoring.report.sentences import statements


def invoke(path: Path, *command: str) -> str:
    return " ".join(CliRunner().invoke(app, ["--study", str(path), *command], catch_exceptions=False).stdout.split())


def test_the_finding_is_kept_until_a_score_or_the_study_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeLLM() as server:
        path = write_study(tmp_path, [model(server.url)], n=6, groups=12)
        invoke(path)
    study = Study.load(path)
    computed = [each.text for each in statements(brief_study_findings(study))]
    assert kept_finding(study) == KeptFinding("", computed) and "12 items" in computed[0]
    with monkeypatch.context() as patch:
        patch.setattr("runner.results.study_report.brief_study_findings", pytest.fail)
        assert " ".join(computed[0].split()) in invoke(path, "status")
    text = path.read_text()
    path.write_text(text + '[report]\nby = ["gender"]\n')
    assert kept_finding(Study.load(path)) is None
    path.write_text(text)
    connection = open_database(study.database)
    columns = "model, item, persona, variant, rotation, replicate, completion, chosen_by_text, value, status, scorer"
    connection.execute(f"INSERT OR REPLACE INTO score ({columns}) SELECT {columns} FROM score LIMIT 1")
    assert kept_finding(study) is None
    keep_finding(study, KeptFinding("Made up.", computed))
    assert kept_finding(study) == KeptFinding("Made up.", computed)
    assert f"Made up. {' '.join(computed[0].split())}" in invoke(path, "status")
    connection.execute("UPDATE run SET heartbeat = json_set(heartbeat, '$.finding.sentences', json('[1]'))")
    connection.close()
    assert kept_finding(study) is None

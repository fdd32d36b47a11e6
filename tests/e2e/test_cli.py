"""The whole command: the main job on a real model, and what is said when something is wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from studies import ROOT, model, rows, write_study
from waiting import HUNG

from runner.cli.app import main

Said = Callable[..., subprocess.CompletedProcess[str]]

BAD = {
    "a misspelt key": ("groups = 120", "gruops = 120", ["gruops", "did you mean 'groups'"]),
    "an unknown benchmark": ('"crows_pairs"', '"crows_piars"', ["crows_piars", "did you mean 'crows_pairs'"]),
    "an unknown trait": ('"gender", "age_band"]', '"gendre"]', ["gendre", "did you mean 'gender'"]),
    "too many people": ("n = 40", "n = 20000", ["20000", "7729"]),
    "an unknown source": ('"starter_wvs3"', '"starter_wv3"', ["did you mean 'starter_wvs3'"]),
    "a survey to be built": ('"starter_wvs3"', '"wvs7"', ["mtpa-run personas build"]),
}


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """mtpa-run in a process of its own, ended."""
    return subprocess.run(
        [sys.executable, "-m", "runner", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HUNG,
    )


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """What `mtpa-run` says and its exit code, without a process: starting one takes longer than these commands."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, "argv", ["mtpa-run", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(name: str, said: Said, tmp_path: Path) -> None:
    old, new, words = BAD[name]
    text = (ROOT / "mtpa.toml").read_text()
    assert old in text
    (tmp_path / "mtpa.toml").write_text(text.replace(old, new))
    ended = said("--study", str(tmp_path / "mtpa.toml"))
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.strip().count("\n") == 0
    assert "Traceback" not in ended.stderr
    for word in words:
        assert word in ended.stderr


def test_a_database_that_is_not_sqlite(said: Said, tmp_path: Path) -> None:
    (tmp_path / "study.sqlite").write_text("not a database " * 20)
    ended = said("--study", str(write_study(tmp_path, [model("http://127.0.0.1:9/v1")])))
    assert ended.returncode == 2
    assert "study.sqlite: not an SQLite database" in ended.stderr
    assert (tmp_path / "study.sqlite").read_text().startswith("not a database")


def test_a_cache_that_cannot_be_written(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    ended = said("data", "fetch", "crows_pairs")
    assert ended.returncode == 5
    assert "MTPA_CACHE_DIR" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_key_is_a_sentence(said: Said, tmp_path: Path) -> None:
    table = model("http://127.0.0.1:9/v1", backend="openai", id="gpt-4o-mini")
    ended = said("--study", str(write_study(tmp_path, [table])), "--yes")
    assert ended.returncode == 2
    assert "OPENAI_API_KEY" in ended.stderr


def test_a_run_without_a_single_persona_answered_says_why(said: Said, tmp_path: Path) -> None:
    from aiohttp import web
    from fake_llm import FakeLLM

    async def refuse(server: FakeLLM, request: web.Request, raw: bytes) -> web.Response:
        return web.json_response({"error": {"message": "no such key"}}, status=401)

    for misbehave, options, code, words in ((refuse, (), 3, "no such key"), (None, ("--limit", "3"), 0, "")):
        with FakeLLM(misbehave=misbehave) as server:
            study = write_study(tmp_path, [model(server.url)], report={"by": ["gender"]})
            ended = said("--study", str(study), *options)
        assert ended.returncode == code, ended.stderr
        assert words in ended.stderr and "gender" not in ended.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["data", "list"], ["benchmarks", "list"]])
def test_help_and_lists(arguments: list[str], said: Said) -> None:
    ended = said(*arguments)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()


@pytest.mark.slow
def test_a_real_model_answers_and_a_second_run_needs_none(said: Said, tmp_path: Path) -> None:
    """The default study, smaller: SmolLM2 on its own server, BBQ and CrowS-Pairs by letter and by log-likelihood."""
    pytest.importorskip("torch")
    text = (ROOT / "mtpa.toml").read_text().replace("n = 40", "n = 3").replace("groups = 120", "groups = 2")
    text = text.replace("per_person = 30", "per_person = 1").replace("groups = 6\nper_person = 2", "groups = 1")
    text = text.replace("[[models]]", '[[benchmarks]]\nname = "bbq"\ngroups = 1\n\n[[models]]')
    (tmp_path / "mtpa.toml").write_text(text.replace('name = "default"', 'name = "d"\ndatabase = "study.sqlite"'))
    study = str(tmp_path / "mtpa.toml")
    first = command("--study", study)
    assert first.returncode == 0, first.stderr
    trials = (2 + 3 * 1 + 3 * 2) + 2 * 1 * (1 + 3 + 3) + 4 * (1 + 3 + 3)
    assert f"{trials} trials: " in first.stdout and ", 0 failed" in first.stdout
    assert "Persona effect" in first.stdout and "net of it, personas move it by" in first.stdout
    assert rows(tmp_path, "SELECT count(*) FROM score WHERE status = 'ok' AND value IS NOT NULL") == [(trials,)]
    second = said("--study", study)
    assert second.returncode == 0, second.stderr
    assert f"{trials} needed no request of their own, 0 requests sent" in second.stdout
    planned = json.loads(said("--study", study, "plan", "--json").stdout)
    assert [row["to_send"] for row in planned["rows"]] == [0, 0, 0]
    assert (tmp_path / "study.effects.csv").read_text().startswith("model,benchmark,")


@pytest.mark.slow
def test_it_runs_inside_a_running_loop(tmp_path: Path) -> None:
    """As in a notebook: the lines of docs/how-to/analyse.md."""
    from fake_llm import FakeLLM

    with FakeLLM() as server:
        path = write_study(tmp_path, [model(server.url)])
        source = (
            "import asyncio\n"
            "from mtpa import Study, load_scores, persona_effect, run\n"
            "async def cell():\n"
            f"    study = Study.load({str(path)!r})\n"
            "    await run(study)\n"
            "    print(persona_effect(load_scores(study.database)).pairs)\n"
            "asyncio.run(cell())\n"
        )
        ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=HUNG)
    assert ended.stdout.strip() == "40", ended.stderr

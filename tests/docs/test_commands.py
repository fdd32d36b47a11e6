"""Every command and every program of the documentation runs, as a reader would run it.

What is paid for goes to a server on this machine, in studies of a few people; a survey's files are made up in the
official layout. A reader stands in the repository's folder, where the default study has run.
"""

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
import survey_files
from command_server import CommandServer
from fake_llm import FakeLLM
from pages import Block, blocks, commands, script
from studies import ROOT
from waiting import HUNG

from runner.study.config import Study
from runner.study.written.toml_writer import toml_text

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = {"sh", "python", "toml", "csv", "bash"}
SHOWN = {
    "text": "what a command prints",
    "stata": "Stata is not free software",
    "py": "the notebook's cells, which are run below",
    "yaml": "a build server's workflow; tests/docs/test_site.py reads it",
    "r": "needs RSQLite; docs/how-to/analyse.R is run below",
}
UNRUNNABLE = {
    "make run": "sets up an environment and takes minutes; tests/e2e/test_cli.py runs the default study",
    "make test": "is this",
    "pip install .": "changes the environment; tests/test_install.py installs the wheel",
    "uv tool install .": "as above",
    "pipx install .": "as above",
    "inspect eval mtpa/persona_trials -T study=mtpa.toml -T people=20 --model openai/gpt-5-mini": (
        "costs money; tests/runner/sharing/test_inspect_task.py runs it with a model that costs none"
    ),
    "lm_eval --include_path . --tasks mtpa_default --model hf --apply_chat_template --log_samples --output_path out": (
        "loads a model; tests/runner/sharing/test_lm_eval_tasks.py runs it against a server on this machine"
    ),
    "mtpa-run import logs/ out/": "reads what the two above write; tests/runner/sharing read it",
    "mtpa-run data fetch prices": "the price list is fetched from the network",
}
PORTS = ("8765", "8799")


def _names(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _offline(path: Path, url: str) -> None:
    """Turn a study to the server on this machine of at most two models and few people, unless it is already."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    if all(model.get("base_urls") == [url] for model in tables["models"]):
        return
    tables["models"] = [_here(model, url) for model in tables["models"][:2]]
    tables["personas"]["n"] = min(tables["personas"]["n"], 8)
    for section in tables["benchmarks"]:
        if not section["name"].endswith(".toml"):
            section["groups"] = min(section.get("groups", 3), 3)
        if section["name"] == "bbq":
            section.setdefault("part", "SES")  # one of eleven files
    path.write_text(toml_text(tables), encoding="utf-8")


def _here(model: dict[str, Any], url: str) -> dict[str, Any]:
    kept = {name: model[name] for name in ("name", "id", "answer", "replicates") if name in model}
    there = {"backend": "openai-compatible", "base_urls": [url], "baseline_replicates": 1}
    return {**kept, **there, "decoding": {"max_tokens": 3}, "price": {"input": 0.1, "output": 0.4}}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeLLM]:
    with FakeLLM() as server:
        yield server


@pytest.fixture(scope="module")
def folder(server: FakeLLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has: the default study's results, and survey files that they registered for."""
    folder = tmp_path_factory.mktemp("reader")
    study = tomllib.loads((ROOT / "mtpa.toml").read_text(encoding="utf-8"))
    study["benchmarks"] = [section for section in study["benchmarks"] if section["part"] != "loglik"]
    study["models"] = [_here(model, server.url) for model in study["models"]]
    (folder / "mtpa.toml").write_text(toml_text(study), encoding="utf-8")
    _write_surveys(folder)
    (folder / "docs").symlink_to(ROOT / "docs")
    _follow(folder, folder.with_name("first"), "mtpa-run\n", server)
    return folder


def _write_surveys(folder: Path) -> None:
    """The files that the pages name, with people of the paper's ten countries among them."""
    others = ["BRA", "UKR", "CHN", "MEX", "CAN", "COL", "KEN", "MAR"]
    frames = [survey_files.wvs_frame(6, code, 10_000 * number + 1) for number, code in enumerate(others, 1)]
    wvs = pd.concat([survey_files.wvs_frame(), *frames], ignore_index=True)
    survey_files.write_wvs(wvs, folder / "WVS7.sav")
    pyreadstat.write_dta(survey_files.evs_frame().replace("DE", "FR"), folder / "ZA7500.dta")
    pyreadstat.write_dta(survey_files.gss_frame(), folder / "GSS2022.dta")
    _survey_of_ones_own().to_csv(folder / "mine.csv", index=False)


def _survey_of_ones_own() -> pd.DataFrame:
    random, rows = np.random.default_rng(0), 60
    names = ["DEGREE", "DENOM", "BELONGS", "BORN_HERE", "V7", *(f"V{number}" for number in range(8, 41)), "att1"]
    answers = {name: random.integers(1, 3, rows) for name in names}
    columns = {"ID": np.arange(rows) + 1, "C_ALPHA": "NO", "WEIGHT": 1.0, "REGION": "Oslo", "STUDY": 77, "BORN_IN": 578}
    return pd.DataFrame(columns | {"AGE": random.integers(18, 90, rows)} | answers)


def _follow(folder: Path, place: Path, text: str, server: FakeLLM) -> None:
    """Run a script in a folder. Fails with what the script said."""

    def before(where: Path, arguments: list[str]) -> None:
        named = arguments[arguments.index("--study") + 1] if "--study" in arguments else "mtpa.toml"
        if (where / named).exists():
            _offline(where / named, server.url)

    for port in PORTS:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            text = text.replace(port, str(free.getsockname()[1]))
    with CommandServer(place, before) as served:
        served.add("srun", '#!/bin/bash\nexec "$@"\n')
        served.add("sbatch", _SBATCH)
        (place / "page.sh").write_text(text)
        environment = {**os.environ, "PATH": f"{served.path}:{os.environ['PATH']}", "BROWSER": "true", "COLUMNS": "120"}
        ended = subprocess.run(
            ["bash", "-x", place / "page.sh"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HUNG,
        )
    assert ended.returncode == 0, f"{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"


# An array of jobs, one after another: SLURM_ARRAY_TASK_ID counts up to the end of `#SBATCH --array=1-N`.
_SBATCH = """#!/bin/bash
set -e
export SLURM_ARRAY_TASK_COUNT=$(sed -n 's/^#SBATCH --array=1-//p' "$1")
for SLURM_ARRAY_TASK_ID in $(seq "$SLURM_ARRAY_TASK_COUNT"); do export SLURM_ARRAY_TASK_ID; bash "$1"; done
"""


def _executed(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.title or block.language in ("sh", "python")]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if _executed(page)], ids=_names)
def test_a_reader_can_do_what_the_page_says(page: Path, folder: Path, server: FakeLLM, tmp_path: Path) -> None:
    found = blocks(page)
    if any("mtpa-run serve" in block.text for block in found):
        pytest.importorskip("torch")
    here = tmp_path / "here"
    shutil.copytree(folder, here, symlinks=True)
    missing = [name for name in ("curl", "Rscript") if shutil.which(name) is None]
    absent = {line: "not installed" for block in found for line in commands(block) if line.split()[0] in missing}
    _follow(here, tmp_path / "commands", script(found, UNRUNNABLE | absent), server)


@pytest.mark.slow
def test_delta_by_hand_in_pandas_is_the_reported_one(folder: Path) -> None:
    printed = _printed([sys.executable, ROOT / "docs" / "how-to" / "analyse.py"], folder)
    table = printed[printed.index("by hand") :].splitlines()[2:3]
    ((name, by_hand, reported),) = map(str.split, table)
    assert name == "crows_pairs:choice"
    assert float(by_hand) == pytest.approx(float(reported), abs=1e-6)


@pytest.mark.slow
def test_the_notebook_is_the_program_and_runs(folder: Path) -> None:
    nbformat, notebook = pytest.importorskip("nbformat"), _notebook()
    kept = nbformat.reads(notebook.NOTEBOOK.read_text(encoding="utf-8"), as_version=4)
    again = notebook.executed(folder)
    assert [cell.source for cell in kept.cells] == [cell.source for cell in again.cells]
    assert notebook.PAGE.read_text(encoding="utf-8") == notebook.page(kept)
    for cell in (*kept.cells, *again.cells):
        assert {each.output_type for each in cell.get("outputs", [])} <= {"stream"}
    assert sum(bool(cell.get("outputs")) for cell in kept.cells) == 5
    assert re.findall(r"/(?:home|root|tmp|work|Users)\b", notebook.NOTEBOOK.read_text(encoding="utf-8")) == []


def _notebook() -> ModuleType:
    pytest.importorskip("nbclient")
    spec = importlib.util.spec_from_file_location("notebook", ROOT / ".ci" / "notebook.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no Rscript")
def test_delta_by_hand_in_r_is_the_reported_one(folder: Path, server: FakeLLM, tmp_path: Path) -> None:
    here = shutil.copytree(folder, tmp_path / "here", symlinks=True)
    _follow(here, tmp_path / "commands", "mtpa-run report --csv\n", server)
    heading, *rows = _printed(["Rscript", ROOT / "docs" / "how-to" / "analyse.R", "results/default"], here).splitlines()
    assert heading.split() == ["model", "benchmark", "measure", "delta", "effect"]
    assert len(rows) == 2
    for row in rows:
        delta, effect = map(float, row.split()[3:])
        assert delta == pytest.approx(effect, abs=1e-5)
        assert effect != 0


def _printed(command: list[str | Path], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_no_block_of_a_page_is_left_out_without_a_reason() -> None:
    languages = {block.language for page in PAGES for block in blocks(page)}
    assert languages == RUN | set(SHOWN)
    said = {line for page in PAGES for block in blocks(page) if block.language == "sh" for line in commands(block)}
    assert set(UNRUNNABLE) <= said, "a line that no page has any more needs no reason"
    assert len(said) > 60


@pytest.mark.parametrize("page", PAGES, ids=_names)
def test_every_piece_of_a_study_is_one(page: Path) -> None:
    """Blocks of TOML without a title, put into a whole study."""
    model = {"name": "m", "backend": "openai", "id": "m"}
    whole = {
        "study": {"name": "s"},
        "personas": {"sources": ["starter_wvs3"], "n": 4},
        "benchmarks": [{"name": "bbq"}],
        "models": [model],
    }
    for block in blocks(page):
        if block.language == "toml" and not block.title:
            piece = tomllib.loads(block.text)
            tables = {name: table for name, table in whole.items() if isinstance(table, dict)}
            merged = {name: {**table, **piece.get(name, {})} for name, table in tables.items()}
            assert Study.from_dict({**whole, **piece, **merged})


def test_a_file_that_a_page_shows_is_the_file() -> None:
    shown = {block.title: block.text for page in PAGES for block in blocks(page) if block.title}
    named = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "benchmarks").iterdir()}
    both = set(shown) & set(named)
    assert "capitals.py" in both
    assert {name for name in both if shown[name] != named[name]} == set()

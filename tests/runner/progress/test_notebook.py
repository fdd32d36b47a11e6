"""A run from Python: its bar, which a notebook has unasked."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_llm import FakeLLM
from studies import model, write_study

from runner.progress.notebook import run
from runner.study.config import Study


async def test_a_notebook_has_a_bar_and_a_script_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeLLM() as server:
        study = Study.load(write_study(tmp_path, [model(server.url)], n=3, groups=2))
        state = await run(study, limit=4)
        assert capsys.readouterr().err == "" and state.total("done") == 4
        shell = SimpleNamespace(kernel=object())
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        state = await run(study)
    assert f"{state.total('planned')}/{state.total('planned')}" in capsys.readouterr().err
    assert state.total("planned") == state.total("done") == 8

"""Inspect runs our task, reads the prompts that we send, scores as we do; and its log comes back as answers."""

import asyncio
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import inspect_ai
import pytest
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from studies import ROOT, load, model
from typer.testing import CliRunner

import mtpa
from personas.errors import InputError
from runner.cli.app import app
from runner.crossing.prepare import prepared
from runner.sharing.inspect_task import persona_trials
from runner.study.config import Study

SAMPLED = {"temperature": 0.5, "max_completion_tokens": 3, "top_p": 0.9, "stop": "\n"}


class Mock:
    """A model that names a letter by the hash of what it reads; keeps what it read."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.configs: list[dict[str, Any]] = []

    def __call__(self, messages: Any, tools: Any, choice: Any, config: Any) -> ModelOutput:
        self.read.append(json.dumps([{"role": each.role, "content": each.text} for each in messages]))
        self.configs.append(config.model_dump(exclude_none=True))
        letter = "AB"[hashlib.sha256(self.read[-1].encode()).digest()[0] % 2]
        output = ModelOutput.from_content("mock-1", letter)
        output.usage = ModelUsage(input_tokens=7, output_tokens=1, total_tokens=8)
        return output


def study_of(folder: Path, **changes: Any) -> Study:
    variants = {"placements": ["prompt", "system"], "system": "You answer surveys.", "neutral": True}
    changes = {"variants": variants, **changes}
    return load(folder, [model("http://127.0.0.1:1/v1", decoding={"max_tokens": 3, "temperature": 0.0})], **changes)


def evaluated(study: Study, folder: Path, **options: Any) -> tuple[Any, Mock]:
    mock = Mock()
    task = persona_trials(str(study.path), **options)
    (log,) = inspect_ai.eval(task, get_model("mockllm/model", custom_outputs=mock), log_dir=str(folder), display="none")
    assert log.status == "success", log.error
    return log, mock


def messages_of(study: Study) -> list[str]:
    with prepared(study) as ready:
        trials = list(ready.crossing.trials(ready.crossing.models[0]))
    return [json.dumps(asked.request.messages) for asked in trials]


@pytest.mark.slow
def test_prompts_are_ours_and_the_log_comes_back_with_the_same_effect(tmp_path: Path) -> None:
    study = study_of(tmp_path, n=8, groups=12)
    log, mock = evaluated(study, tmp_path / "logs")
    assert sorted(mock.read) == sorted(messages_of(study))
    assert mock.configs[0] == {"max_tokens": 3, "temperature": 0.0}
    by_inspect = log.results.scores[0].metrics["crows_pairs:choice"].value

    refused = CliRunner().invoke(app, ["--study", str(study.path), "import", str(tmp_path / "logs")])
    assert isinstance(refused.exception, InputError)
    piece = str(refused.exception).partition("add\n")[2]
    table = tomllib.loads(piece)["models"][0]
    assert table["name"] == "mockllm/model (imported)" and table["decoding"] == mock.configs[0]

    study.path.write_text(study.path.read_text() + piece)
    said = CliRunner().invoke(
        app, ["--study", str(study.path), "import", str(tmp_path / "logs")], catch_exceptions=False
    )
    requests = len(set(messages_of(study)))
    assert f"{requests} answers are new, 0 were there before." in said.output
    only = Study.from_dict({**tomllib.loads(study.path.read_text()), "models": [table]}, study.path)
    state = asyncio.run(mtpa.run(only))
    assert (state.sent, state.exit_code, state.total("done")) == (0, 0, len(mock.read))
    scores = mtpa.load_scores(only.database)
    assert set(scores["model"]) == {"mockllm/model (imported)"}
    effects = mtpa.effects(scores)
    (overall,) = effects.loc[(effects["attribute"] == "all") & (effects["measure"] == "value"), "effect"]
    assert overall == pytest.approx(by_inspect) != 0


@pytest.mark.slow
def test_what_is_in_no_log_is_said_and_never_asked(tmp_path: Path) -> None:
    study = study_of(tmp_path, n=4, groups=3)
    evaluated(study, tmp_path / "logs", people=2)
    table = {"name": "m (imported)", "backend": "imported", "id": "mockllm/model", "answer": "text"}
    table["decoding"] = {"max_tokens": 3, "temperature": 0.0}
    only = Study.from_dict({**tomllib.loads(study.path.read_text()), "models": [table]}, study.path)
    study.path.write_text(only.text)
    run = CliRunner().invoke(
        app, ["--study", str(study.path), "import", str(tmp_path / "logs")], catch_exceptions=False
    )
    assert run.exit_code == 0
    plan = CliRunner().invoke(app, ["--study", str(study.path), "plan", "--json"], catch_exceptions=False)
    (row,) = json.loads(plan.stdout)["rows"]
    assert row["to_send"] == 0 and row["not_imported"] == row["requests"] - row["answered"] > 0
    state = asyncio.run(mtpa.run(only))
    missing = state.total("planned") - state.total("done")
    assert state.sent == 0 and missing > 0
    assert any(f"{missing:,} trials are in no log" in remark for remark in state.remarks)
    assert mtpa.findings(only).about["incomplete"].startswith("INCOMPLETE")


def test_the_task_is_registered_and_speaks_inspects_words(tmp_path: Path) -> None:
    from inspect_ai._util.registry import registry_info

    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert tables["inspect_ai"] == {"mtpa": "runner.sharing.inspect_task"}
    assert registry_info(persona_trials).name == "mtpa/persona_trials"
    study = load(tmp_path, [model("http://127.0.0.1:1/v1", decoding=SAMPLED, replicates=3)], n=2, groups=2)
    task = persona_trials(str(study.path))
    said = task.config.model_dump(exclude_none=True)
    assert said == {"temperature": 0.5, "max_tokens": 3, "top_p": 0.9, "stop_seqs": ["\n"]}
    assert task.epochs == 3
    with pytest.raises(InputError, match="nothing of nowhere"):
        persona_trials(str(study.path), benchmark="nowhere")

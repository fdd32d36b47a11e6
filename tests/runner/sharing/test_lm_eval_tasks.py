"""Tasks of lm-evaluation-harness: its documents hold our prompts, and its samples come back as answers.

The harness itself runs where it is installed (`lm_eval`); its samples are else as version 0.4.13 writes them.
"""

import asyncio
import json
import os
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_llm import FakeLLM
from studies import load, model
from survey_files import write_wvs, wvs_frame
from typer.testing import CliRunner

import mtpa
from personas.errors import InputError
from runner.cli.app import app
from runner.crossing.prepare import prepared
from runner.sharing.harness_samples import read_lm_eval
from runner.study.config import Study
from runner.study.written.toml_writer import toml_text

STAMP = "2026-11-26T11-37-03.116718"
LM_EVAL = shutil.which("lm_eval")


def study_of(folder: Path, part: str, **changes: Any) -> Study:
    tells = {"endpoint": {"loglikelihoods": "echo"}} if part == "loglik" else {}
    table = model("http://127.0.0.1:1/v1", decoding={"max_tokens": 3}, **tells)
    found = load(folder, [table], **{"n": 4, "groups": 10} | changes)
    found.path.write_text(found.path.read_text().replace('part = "choice"', f'part = "{part}"'))
    return Study.load(found.path)


def command(study: Study, *arguments: str) -> str:
    return CliRunner().invoke(app, ["--study", str(study.path), *arguments], catch_exceptions=False).output


def requests_of(study: Study) -> list[Any]:
    with prepared(study) as ready:
        return [asked.request for asked in ready.crossing.trials(ready.crossing.models[0])]


def exported(study: Study, folder: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each task of the group, with its documents."""
    command(study, "export", "--lm-eval", str(folder))
    group = yaml.safe_load((folder / "mtpa_study.yaml").read_text())
    tasks = [yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in group["task"]]
    assert {path.stem for path in folder.glob("*.yaml")} == {"mtpa_study", *group["task"]}
    read = [(folder / each["dataset_kwargs"]["data_files"]["test"]).read_text().splitlines() for each in tasks]
    return [(task, [json.loads(line) for line in lines]) for task, lines in zip(tasks, read, strict=True)]


def sampled(folder: Path, task: dict[str, Any], documents: list[dict[str, Any]], **run: Any) -> Path:
    """The samples of a task as the harness logs them; a choice is the likelier the longer it is."""
    rows = []
    for number, each in enumerate(documents):
        if task["output_type"] == "multiple_choice":
            behind = [f"{task['target_delimiter']}{choice}" for choice in each["choices"]]
            replies: Any = [[[str(-1.5 - 1 / len(choice)), "False"]] for choice in behind]
        else:
            behind, replies = [task["generation_kwargs"]], [["AB"[number % 2]]]
        calls = {f"gen_args_{place}": {"arg_0": each["prompt"], "arg_1": end} for place, end in enumerate(behind)}
        rows.append({"doc_id": number, "doc": each, "arguments": calls, "resps": replies, "filter": "none"})
    path = folder / f"samples_{task['task']}_{STAMP}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    about = {"config": {"model": "hf", "model_args": "pretrained=tiny,dtype=float32"}, "chat_template": None, **run}
    path.with_name(f"results_{STAMP}.json").write_text(json.dumps(about))
    return path


@pytest.mark.parametrize("part", ["choice", "loglik"])
def test_documents_hold_our_prompts_and_samples_come_back(part: str, tmp_path: Path) -> None:
    study = study_of(tmp_path, part, variants={"neutral": True})
    (tmp_path / "out").mkdir()
    prompts, count = set(), 0
    for task, documents in exported(study, tmp_path / "tasks"):
        assert task["doc_to_text"] == "prompt" and "description" not in task
        prompts |= {each["prompt"] for each in documents}
        count += len(documents)
        sampled(tmp_path / "out", task, documents)
    requests = requests_of(study)
    assert prompts == {each.messages[-1]["content"] for each in requests} and count == len(requests)
    options = {each.options for each in requests}
    if part == "loglik":
        behind = {tuple(f"{task['target_delimiter']}{one}" for one in each["choices"]) for each in documents}
        assert behind == options

    table = {"name": "tiny (imported)", "backend": "imported", "id": "hf/tiny", "answer": "text"}
    table |= {"baseline_replicates": 1, "decoding": task.get("generation_kwargs", {}) | {"until": None}}
    tables = {**tomllib.loads(study.path.read_text()), "models": [table]}
    study.path.write_text(toml_text(tables))
    said = command(study, "import", str(tmp_path / "out"))
    assert f"{len({each.key for each in requests})} answers are new" in said
    state = asyncio.run(mtpa.run(Study.load(study.path)))
    assert state.sent == 0 and state.total("done") == len(requests)
    scores = mtpa.load_scores(study.database)
    assert set(scores["status"]) == {"ok"} and set(scores["model"]) == {"tiny (imported)"}
    if part == "loglik":  # the longer sentence is the likelier: that is an item's own, whoever is asked
        assert scores.groupby("item_id", observed=True)["value"].nunique().max() == 1
        assert scores["value"].nunique() == 2


def test_a_system_text_is_the_description_of_each_document(tmp_path: Path) -> None:
    variants = {"placements": ["system"], "system": "Survey: {{ 7 * 7 }}"}
    for task, documents in exported(study_of(tmp_path, "choice", variants=variants), tmp_path / "tasks"):
        assert task["description"] == "{{system}}"
        assert all(each["system"].startswith("Survey: {{ 7 * 7 }}") for each in documents)
        assert any("\n" in each["system"] for each in documents) is (documents[0]["condition"] == "persona")


def test_restricted_respondents_are_exported_by_leave_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_wvs(wvs_frame(), tmp_path / "wvs.sav")
    CliRunner().invoke(app, ["personas", "build", "--survey", "wvs7=wvs.sav"], catch_exceptions=False)
    study = study_of(tmp_path, "choice")
    study.path.write_text(study.path.read_text().replace('"starter_wvs3"', '"personas.parquet"'))
    refused = CliRunner().invoke(app, ["--study", str(study.path), "export", "--lm-eval", str(tmp_path / "tasks")])
    assert isinstance(refused.exception, InputError)
    assert "surveys' terms are" in str(refused.exception) and "--i-may-share" in str(refused.exception)
    assert not (tmp_path / "tasks").exists()
    command(study, "export", "--lm-eval", str(tmp_path / "tasks"), "--i-may-share")
    documents = list((tmp_path / "tasks").glob("*.jsonl"))
    assert documents and {stat.S_IMODE(each.stat().st_mode) for each in documents} == {0o600}


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ({"chat_template": "{{x}}", "n-shot": {"t": 0}}, ""),
        ({"chat_template": "{{x}}", "n-shot": {"t": 5}}, "that are not `export --lm-eval`'s"),
        ({"chat_template": "{{x}}"}, "that are not `export --lm-eval`'s"),
    ],
)
def test_a_prompt_behind_a_chat_template_is_known_by_its_document(
    run: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    study = study_of(tmp_path, "choice", n=2, groups=2)
    task, documents = exported(study, tmp_path / "tasks")[0]
    path = sampled(tmp_path, task, documents, chat_template_sha="c0ffee" * 9, **run)
    path.write_text(path.read_text().replace('"arg_0": "', '"arg_0": "<|user|>'))
    log = read_lm_eval(path)
    assert len(log.answers) == (0 if reason else len(documents))
    assert all(reason in each for each in log.left_out) and bool(log.left_out) is bool(reason)
    assert {each.served for each in log.answers} <= {"chat template c0ffeec0ffee"}
    path.write_text(path.read_text().replace('"arg_0": "<|user|>', '"arg_0": "another prompt '[:-1] + '", "x": "'))
    assert not read_lm_eval(path).answers


def test_each_answer_counts_once_and_one_line_that_is_none_names_itself(tmp_path: Path) -> None:
    task, documents = exported(study_of(tmp_path, "choice", n=2, groups=2), tmp_path / "tasks")[0]
    path = sampled(tmp_path, task, documents)
    path.write_text(path.read_text() * 2)  # a second filter
    assert len(read_lm_eval(path).answers) == len(documents)
    with path.open("a") as file:
        file.write("[" * 100_000 + "\n")
    with pytest.raises(InputError, match=f"line {2 * len(documents) + 1}: not JSON"):
        read_lm_eval(path)
    path.with_name(f"results_{STAMP}.json").unlink()
    with pytest.raises(InputError, match="does not lie beside it"):
        read_lm_eval(path)


@pytest.mark.slow
@pytest.mark.skipif(LM_EVAL is None, reason="no lm_eval")
def test_the_harness_sends_our_messages(tmp_path: Path) -> None:
    variants = {"placements": ["prompt", "system"], "system": "You answer surveys.", "neutral": True}
    study = study_of(tmp_path, "choice", groups=3, variants=variants)
    exported(study, tmp_path / "tasks")
    with FakeLLM() as server:
        given = f"model=fake,base_url={server.url}/chat/completions,num_concurrent=4"
        options = ["--include_path", ".", "--tasks", "mtpa_study", "--apply_chat_template", "--log_samples"]
        options += ["--output_path", str(tmp_path / "out"), "--model", "local-chat-completions", "--model_args", given]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "OPENAI_API_KEY": "none"}
        subprocess.run([LM_EVAL, *options], cwd=tmp_path / "tasks", env=environment, check=True, capture_output=True)
    sent = [json.loads(body)["messages"] for body in server.bodies]
    assert len(sent) > 10
    plain = {tuple((each["role"], _text(each["content"])) for each in messages) for messages in sent}
    assert plain == {tuple((each["role"], each["content"]) for each in one.messages) for one in requests_of(study)}
    logs = [read_lm_eval(path) for path in (tmp_path / "out").rglob("samples_*.jsonl")]
    assert {log.model for log in logs} == {"local-chat-completions/fake"}
    assert sum(len(log.answers) for log in logs) == len(requests_of(study)) and not any(log.left_out for log in logs)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else content[0]["text"]

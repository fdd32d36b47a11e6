"""Answers from the samples of lm-evaluation-harness (`--log_samples`): a file a task, its results beside it.

Log-likelihoods are those of a whole choice behind the prompt; texts are what was generated. Where the harness wrote the
prompt with a chat template, it is known what was asked only of documents that `export --lm-eval` wrote.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from personas import bounded
from personas.errors import InputError
from runner.backends.request import Usage, without_surrogates
from runner.sharing.logged_answers import AnswerLog, LoggedAnswer, Messages, name_of
from scoring.answers.responses import Response

_NAME = re.compile(r"samples_.+_(\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl")
_NAMED_BY = ("pretrained", "model", "engine", "path")
_UNKNOWN = Usage()


def sample_files(folder: Path) -> list[Path]:
    """The samples in a folder and those below it, as the harness lays them out."""
    return sorted(path for path in folder.rglob("samples_*.jsonl") if path.is_file())


def read_lm_eval(path: Path) -> AnswerLog:
    """The answers of a file of samples.

    Raises InputError for a file that is not one, and where the results of its run, which name the model, do not lie
    beside it.
    """
    run = _results(path)
    log = AnswerLog(path, _model(path, run), {}, [], Counter())
    version = _version(run)
    settings: list[Mapping[str, Any]] = []
    seen: set[Any] = set()
    for row in _rows(path):
        number = row.get("doc_id")
        if isinstance(number, int | str) and number in seen:  # the same answers once more, through another filter
            continue
        seen.add(number if isinstance(number, int | str) else None)
        found = _answers(row, run, version)
        if isinstance(found, str):
            log.left_out[found] += 1
            continue
        log.answers += found
        settings += [_generation(row)] if found and found[0].kind == "text" else []
    if any(each != settings[0] for each in settings):
        raise InputError(f"{path}: its answers were generated with different parameters; split the file")
    log.decoding = settings[0] if settings else {}
    return log


def _results(path: Path) -> dict[str, Any]:
    """What the run says of itself, in the file beside the samples."""
    named = _NAME.fullmatch(path.name)
    beside = path.with_name(f"results_{named[1]}.json") if named else None
    if beside is None or not beside.is_file():
        raise InputError(
            f"{path}: the model is named in results_…json of the same run, which does not lie beside it; keep the "
            "folder that --output_path made together"
        )
    with bounded.readable(beside, "JSON", "copy the results again"):
        found = bounded.parse_json(bounded.read_text(beside, bounded.WHOLE))
    if not isinstance(found, dict):
        raise InputError(f"{beside}: not the results of an lm-evaluation-harness run; copy them again")
    return found


def _model(path: Path, run: Mapping[str, Any]) -> str:
    """The model as the harness names it: how it was reached, and its name there."""
    config = run.get("config")
    source = name_of(config.get("model")) if isinstance(config, dict) else ""
    given: Any = config.get("model_args") if isinstance(config, dict) else None
    if isinstance(given, str):
        given = dict(part.split("=", 1) for part in given.split(",") if "=" in part)
    named = [name_of(given.get(name)) for name in _NAMED_BY] if isinstance(given, dict) else []
    name = next(filter(None, named), "")
    if not source:
        raise InputError(f"{path}: the results beside it name no model; copy them again")
    return f"{source}/{name}" if name else source


def _version(run: Mapping[str, Any]) -> str:
    """What tells answers of one name apart: the model's commit, and the template that its prompts were written by."""
    commit, template = name_of(run.get("model_sha")), name_of(run.get("chat_template_sha"))
    return ", ".join(filter(None, (commit, template and f"chat template {template[:12]}")))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    bounded.check_file(path)
    remedy = "copy the samples again"
    with bounded.readable(path, "JSON lines", remedy), path.open(encoding="utf-8", errors="surrogatepass") as file:
        for number, line in enumerate(bounded.lines(file), start=1):
            if line.strip():
                with bounded.readable(f"{path}, line {number}", "JSON", remedy):
                    found = json.loads(line)  # halves of surrogate pairs stay: they may be what the model wrote
                if not isinstance(found, dict):
                    raise InputError(f"{path}, line {number}: not a sample; name a file that --log_samples wrote")
                yield found


def _arguments(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each call got: `arg_0` the prompt, `arg_1` the continuation or how to generate."""
    given = row.get("arguments")
    calls = list(given.values()) if isinstance(given, dict) else []
    return calls if all(isinstance(each, dict) for each in calls) else []


def _generation(row: Mapping[str, Any]) -> dict[str, Any]:
    """How an answer was generated; no text to stop at is as good as none named."""
    found: dict[str, Any] = _arguments(row)[0]["arg_1"]
    return {name: value for name, value in found.items() if name != "until" or value}


def _answers(row: Mapping[str, Any], run: Mapping[str, Any], version: str) -> list[LoggedAnswer] | str:
    """A sample's answers, or why it has none to a prompt of ours."""
    calls, replies = _arguments(row), row.get("resps")
    if not calls or not isinstance(replies, list) or len(replies) != len(calls):
        return "samples without arguments or answers"
    messages = _messages(row, calls, run)
    if isinstance(messages, str):
        return messages
    behind = [each.get("arg_1") for each in calls]
    if len(calls) == 1 and isinstance(behind[0], dict):
        texts = replies[0] if isinstance(replies[0], list) else []
        if not texts or not all(isinstance(text, str) for text in texts):
            return "samples without an answer in text"
        made = (Response(without_surrogates(text), finish="") for text in texts)
        return [
            LoggedAnswer(messages, "text", (), each, _UNKNOWN, version, place) for place, each in enumerate(made, 1)
        ]
    options = tuple(each for each in behind if isinstance(each, str))
    logliks = tuple(map(_loglik, replies))
    if len(options) != len(calls) or len(options) < 2 or any(each is None for each in logliks):
        return "samples that are neither a text nor log-likelihoods of choices"
    response = Response(logliks=tuple(each for each in logliks if each is not None))
    return [LoggedAnswer(messages, "loglik", options, response, _UNKNOWN, version, 1)]


def _loglik(reply: Any) -> float | None:
    """The log-likelihood of one choice: [["-12.5", "False"]], or the numbers themselves; None for anything else."""
    while isinstance(reply, list) and reply and isinstance(reply[0], list | str | float):
        reply = reply[0]
    try:
        found = float(reply) if isinstance(reply, str | float) else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) and found <= 0 else None


def _messages(row: Mapping[str, Any], calls: list[dict[str, Any]], run: Mapping[str, Any]) -> Messages | str:
    """What the model read, or why that is not known."""
    prompts = {str(each.get("arg_0")) for each in calls}
    prompt: Any = calls[0].get("arg_0")
    if len(prompts) != 1:
        return "samples whose calls have different prompts"
    if isinstance(prompt, list):  # a chat, as JSON
        return _chat(prompt[0] if prompt else None)
    if not isinstance(prompt, str):
        return "samples whose prompt is not text"
    if not run.get("chat_template"):
        return [{"role": "user", "content": prompt}]
    document, shots = row.get("doc"), run.get("n-shot")
    told = document if isinstance(document, dict) else {}
    system, question = told.get("system"), told.get("prompt")
    has_shots = not isinstance(shots, dict) or any(shots.values())
    if not isinstance(system, str) or not isinstance(question, str) or has_shots:
        return "prompts written by a chat template, of tasks that are not `export --lm-eval`'s"
    if system.strip() not in prompt or question.strip() not in prompt:
        return "prompts that do not hold what their document says"
    head = [{"role": "system", "content": system}] if system else []
    return [*head, {"role": "user", "content": question}]


def _chat(text: Any) -> Messages | str:
    try:
        told = bounded.parse_json(text) if isinstance(text, str) else None
    except ValueError:
        told = None
    listed = told if isinstance(told, list) else []
    roles = [each.get("role") for each in listed if isinstance(each, dict)]
    texts = [each.get("content") for each in listed if isinstance(each, dict)]
    if roles not in (["user"], ["system", "user"]) or not all(isinstance(each, str) for each in texts):
        return "samples that are not one question"
    return [{"role": str(role), "content": str(each)} for role, each in zip(roles, texts, strict=True)]

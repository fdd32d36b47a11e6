"""A study as tasks of lm-evaluation-harness: a YAML file a task, its documents beside it, each prompt as mtpa sends it.

    cd FOLDER
    lm_eval --include_path . --tasks mtpa_NAME --apply_chat_template --log_samples --output_path out --model …

A document holds the whole prompt, the persona's text in it. What is asked for a log-likelihood is a multiple_choice
task; what is asked for a letter or a text is generated.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from personas.errors import MachineError
from personas.whole_file import replaced
from runner.crossing.prepare import Prepared
from runner.sharing.prompted_trials import PromptedTrial, prompted_trials, refuse_restricted
from runner.study.sections import ModelSection

TOKENS = 16  # of an answer, where the study's model does not say
_TERMS = "If you have leave of the surveys' publishers, export with --i-may-share"
_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_NO_LETTER = re.compile(r"\W+")


def write_lm_eval_tasks(ready: Prepared, folder: Path, share: bool) -> list[Path]:
    """Write a task for each benchmark and wording, and the group of them all; returns what was written.

    Raises InputError where respondents of a restricted survey would be in the documents, unless `share`; MachineError
    where the disk refuses.
    """
    refuse_restricted(ready, share, _TERMS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{folder}: cannot be written ({error.strerror}); choose another place") from None
    private = ready.study.study.is_private(share)
    whole, section = _plain(f"mtpa_{ready.study.study.name}"), ready.study.models[0]
    written, names = [], []
    for name, trials in _tasks(prompted_trials(ready), whole):
        documents = folder / f"{name}.jsonl"
        with replaced(documents, private) as file:
            for trial in trials:
                file.write(json.dumps(_document(trial), ensure_ascii=False).encode() + b"\n")
        written += [documents, _write(folder / f"{name}.yaml", _task(name, trials[0], section))]
        names.append(name)
    written.append(_write(folder / f"{whole}.yaml", {"group": whole, "task": names}))
    return written


def _tasks(trials: Iterable[PromptedTrial], whole: str) -> Iterator[tuple[str, list[PromptedTrial]]]:
    """The trials of each benchmark and wording that are asked and scored alike, with the task's name."""

    def kind(trial: PromptedTrial) -> tuple[str, ...]:
        item = trial.asked.question.item
        right = "" if item.ask == "loglik" or len(trial.right) == 1 else "free"
        return (trial.about["benchmark"], trial.wording, item.ask, repr(item.delimiter), right)

    ordered = sorted(trials, key=kind)
    taken: dict[str, int] = {}
    for (measure, wording, ask, _, right), group in groupby(ordered, key=kind):
        name = "_".join(filter(None, (whole, _plain(measure), _plain(wording), right and f"{ask}_{right}")))
        taken[name] = taken.get(name, 0) + 1
        yield (name if taken[name] == 1 else f"{name}_{taken[name]}"), list(group)


def _document(trial: PromptedTrial) -> dict[str, Any]:
    """A trial: what is sent of it, and what it is."""
    item = trial.asked.question.item
    found: dict[str, Any] = {"id": trial.id, **trial.about, "system": trial.system, "prompt": trial.prompt}
    if item.ask == "loglik":
        return found | {"choices": list(item.choices), "target": _gold(trial)}
    right = trial.letters[trial.right[0]] if item.ask == "letter" and len(trial.right) == 1 else ""
    return found | {"choices": trial.choices, "target": right}


def _gold(trial: PromptedTrial) -> int:
    """The right option's number; where none is right, the stereotypical one's, else the first."""
    roles = trial.asked.question.item.roles or ()
    usual = [place for place, role in enumerate(roles) if role in ("stereo", "biased")]
    return [*trial.right, *usual, 0][0]


def _task(name: str, first: PromptedTrial, section: ModelSection) -> Mapping[str, Any]:
    """The task's YAML. Texts are columns, which the harness takes as they are: no template touches them."""
    item = first.asked.question.item
    task: dict[str, Any] = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{name}.jsonl"}},
        "test_split": "test",
        "num_fewshot": 0,
        "doc_to_text": "prompt",
        "doc_to_target": "target",
    }
    if first.system:
        task["description"] = "{{system}}"
    if item.ask == "loglik":
        task |= {"output_type": "multiple_choice", "doc_to_choice": "choices", "target_delimiter": item.delimiter}
        task["metric_list"] = [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]
    else:
        task |= {"output_type": "generate_until", "generation_kwargs": _generation(section)}
        task |= _by_letter() if len(first.right) == 1 else {"metric_list": [{"metric": "bypass"}]}
    return task | {"metadata": {"version": item.version, "mtpa": first.about["benchmark"]}}


def _generation(section: ModelSection) -> dict[str, Any]:
    length = next((section.decoding[name] for name in _LENGTHS if name in section.decoding), TOKENS)
    temperature = section.decoding.get("temperature", 0)
    return {"until": [], "do_sample": bool(temperature), "temperature": temperature, "max_gen_toks": length}


def _by_letter() -> dict[str, Any]:
    """The first capital letter of the answer against the right one; `mtpa-run import` reads letters with more care."""
    taken = [{"function": "regex", "regex_pattern": r"\b([A-Z])\b"}, {"function": "take_first"}]
    scored = {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}
    return {"metric_list": [scored], "filter_list": [{"name": "letter", "filter": taken}]}


def _write(path: Path, document: Mapping[str, Any]) -> Path:
    with replaced(path) as file:
        file.write(yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode())
    return path


def _plain(name: str) -> str:
    """A name that is a task's and a file's."""
    return _NO_LETTER.sub("_", name).strip("_").lower()

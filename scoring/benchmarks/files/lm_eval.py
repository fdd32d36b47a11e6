"""Tasks of EleutherAI's lm-evaluation-harness of type multiple_choice, read from their YAML files.

`include`, field names and Jinja are followed as the harness follows them (task.py, version 0.4); `!function` is
Python from elsewhere and is refused. A task becomes two parts: `loglik`, asked and scored as the harness does
(zero-shot; accuracy of the largest summed log-likelihood), and `letter`, where the options are lettered.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from personas.errors import InputError
from scoring.answers.items import LETTERS, Item
from scoring.benchmarks.records import Row, located
from scoring.benchmarks.templates import render_records

FIELDS = ("doc_to_text", "doc_to_choice", "doc_to_target")
REFUSED = ("use_prompt", "doc_to_image", "doc_to_audio", "gen_prefix", "process_docs")
PARTS: tuple[str, ...] = ("letter", "loglik")
_LARGEST = 1_000_000  # bytes of a task file
_CUE = re.compile(r"\s*\n\s*(?:Answer|A)\s*:\s*$", re.I)
Task = Mapping[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML's safe subset; `!function` is refused by name."""


def _refuse_function(loader: yaml.SafeLoader, node: yaml.Node) -> None:
    name = node.value if isinstance(node, yaml.ScalarNode) else ""
    raise _Function(f"calls the Python function {name!r} at line {node.start_mark.line + 1}")


class _Function(Exception):
    """A task file that needs code."""


_Loader.add_constructor("!function", _refuse_function)


def read_task(path: Path, including: tuple[Path, ...] = ()) -> Task:
    """A task file with what it includes, the including file over the included.

    Raises InputError for a file that cannot be read, one that needs Python, or files that include each other.
    """
    path = path.resolve()
    if path in including or len(including) > 10:
        raise InputError(f"{path}: the task files include each other in a circle; mend their `include`")
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path}: larger than 1 MB, which no task file is; name the right file")
        task = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except OSError as error:
        raise InputError(f"{path}: the task file cannot be read ({error.strerror}); name one that is there") from None
    except _Function as error:
        remedy = "that code is not run: write the task as a TOML file with a field map instead"
        raise InputError(f"{path}: {error}; {remedy}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a YAML task file ({' '.join(str(error).split())[:200]}); mend it") from None
    if not isinstance(task, dict):
        raise InputError(f"{path}: not a YAML task file (no keys); name the right file")
    names = task.pop("include", None) or []
    merged: dict[str, Any] = {}
    for name in [names] if isinstance(names, str) else names:
        merged |= read_task(path.parent / str(name), (*including, path))
    return merged | task


def checked_task(path: Path) -> Task:
    """A task that can become items. Raises InputError, naming the key, for one that cannot."""
    task = read_task(path)
    kind = task.get("output_type")
    if kind != "multiple_choice":
        raise InputError(f"{path}: output_type is {kind!r}; only multiple_choice tasks can be read")
    for key in FIELDS:
        if task.get(key) is None:
            raise InputError(f"{path}: no {key}; a multiple_choice task needs {', '.join(FIELDS)}")
    for key in REFUSED:
        if task.get(key):
            raise InputError(f"{path}: {key} is not supported; write the task as a TOML file with a field map instead")
    if split_of(task) is None:
        raise InputError(f"{path}: neither test_split nor validation_split; name the split to ask")
    return task


def split_of(task: Task) -> str | None:
    """The split that the harness evaluates: test, else validation."""
    return task.get("test_split") or task.get("validation_split")


def task_name(path: Path, task: Task) -> str:
    """The task's own name, else the file's."""
    return str(task.get("task") or path.stem)


def task_items(
    path: Path, task: Task, records: Sequence[tuple[str, Row]], parts: Sequence[str], name: str, version: str
) -> Iterator[Item]:
    """The items of the task's records, a part after the other. Raises InputError for a record that gives none."""
    columns = set(records[0][1]) if records else set()
    keys = (*FIELDS, "description") if task.get("description") else FIELDS
    templates = {key: task[key] for key in keys if isinstance(task[key], str) and task[key] not in columns}
    rendered = render_records(path, templates, records)
    for part in parts:
        for number, ((place, row), texts) in enumerate(zip(records, rendered, strict=True)):
            with located(place, f"a record of {path.name}"):
                yield _item(task, row, texts, part, name, version, number)


def _item(task: Task, row: Row, texts: Mapping[str, str], part: str, name: str, version: str, number: int) -> Item:
    question = texts.get("description", "") + _text(task, row, texts)
    choices = _choices(task, row, texts)
    gold = _gold(task, row, texts, choices)
    listed = part == "letter" and list(choices) == list(LETTERS[: len(choices)])
    return Item(
        id=f"{name}/{part}/{number}",
        benchmark=name,
        version=version,
        part=part,
        question=_CUE.sub("", question) if part == "letter" else question,
        choices=choices,
        weights=tuple(float(option in gold) for option in range(len(choices))),
        group=f"{name}/{number}",
        shuffle=not listed,
        listed=listed,
        ask="letter" if part == "letter" else "loglik",
        delimiter=str(task.get("target_delimiter", " ")),
        scoring={"kind": "accuracy"},
    )


def _text(task: Task, row: Row, texts: Mapping[str, str]) -> str:
    text = texts.get("doc_to_text", row.get(str(task["doc_to_text"])))
    if not isinstance(text, str):
        raise ValueError("has a doc_to_text that is not text; tasks with several inputs are not supported")
    return text


def _choices(task: Task, row: Row, texts: Mapping[str, str]) -> tuple[str, ...]:
    source = task["doc_to_choice"]
    if "doc_to_choice" in texts:
        found = _literal(texts["doc_to_choice"])
    elif isinstance(source, str):
        found = row[source]
    else:
        found = list(source.values()) if isinstance(source, dict) else source
    if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
        raise ValueError("has a doc_to_choice that is no list of texts")
    return tuple(found)


def _gold(task: Task, row: Row, texts: Mapping[str, str], choices: Sequence[str]) -> set[int]:
    source = task["doc_to_target"]
    target = row[source] if isinstance(source, str) and "doc_to_target" not in texts else source
    if "doc_to_target" in texts:
        target = texts["doc_to_target"]
        # As the harness: a rendered number is an option's number, a rendered list several, any other text an option.
        if target.isdigit() or (target[:1] == "[" and target[-1:] == "]"):
            target = _literal(target)
    places: set[int] = set()
    for each in target if isinstance(target, list) else [target]:
        place = choices.index(each) if isinstance(each, str) and each in choices else each
        if not isinstance(place, int) or not 0 <= place < len(choices):
            raise ValueError(f"has the target {each!r}, which is none of its {len(choices)} choices")
        places.add(int(place))
    if not places:
        raise ValueError("has no gold answer")
    return places


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"gives {text[:80]!r}, which is no list or number") from None

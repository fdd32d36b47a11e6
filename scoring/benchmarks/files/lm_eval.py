"""Tasks of EleutherAI's lm-evaluation-harness of type multiple_choice, read from their YAML files.

`include`, field names and Jinja are followed as the harness follows them (task.py, version 0.4). `!function` is Python
from elsewhere and is never run: a task whose items or scoring need it is refused; in other keys, and where the
including file says something else, it is of no account. A task becomes two parts: `loglik`, asked and scored as the
harness does (zero-shot; accuracy of the largest summed log-likelihood), and `letter`, where the options are lettered,
by us or by the question itself.
"""

import ast
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from personas import bounded
from personas.bounded_yaml import BoundedYaml, parse_yaml
from personas.errors import InputError
from scoring.answers.items import Item
from scoring.benchmarks.files.columns import typed
from scoring.benchmarks.files.listed_options import listed_order
from scoring.benchmarks.records import Row, located, read_rows
from scoring.benchmarks.templates import render_records

FIELDS = ("doc_to_text", "doc_to_choice", "doc_to_target")
REFUSED = ("use_prompt", "doc_to_image", "doc_to_audio", "gen_prefix", "process_docs")
# The keys that make an item or its value; Python in any other changes neither.
MADE_BY = (*FIELDS, *REFUSED, "class", "custom_dataset", "process_results", "description", "target_delimiter")
PARTS: tuple[str, ...] = ("letter", "loglik")
MOST_INCLUDED = 50
_LARGEST = 256_000  # bytes of a task file; the harness's own are all under 100,000
_CUE = re.compile(r"\s*\n\s*(?:Answer|A)\s*:\s*$", re.I)
_WHOLE = re.compile(r"[+-]?\d{1,9}(?:\.0+)?")
Task = Mapping[str, Any]


@dataclass(frozen=True)
class Function:
    """A `!function` of a task file: a name and where it stands. It is not run."""

    name: str
    path: Path
    line: int


class _Loader(BoundedYaml):
    """YAML's safe subset, where `!function` is a name."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self.path = path

    def function(self, node: yaml.Node) -> Function:
        """The name of a function, and its place."""
        name = node.value if isinstance(node, yaml.ScalarNode) else ""
        return Function(name, self.path, node.start_mark.line + 1)


_Loader.add_constructor("!function", _Loader.function)


def read_task(path: Path) -> Task:
    """A task file with what it includes, the including file over the included.

    Raises InputError for a file that cannot be read, or files that include each other.
    """
    return _read_task(path, (), [])


def _read_task(path: Path, including: tuple[Path, ...], read: list[Path]) -> Task:
    path = path.resolve()
    read.append(path)
    if path in including or len(including) > 10:
        raise InputError(f"{path}: the task files include each other in a circle; fix their `include`")
    if len(read) > MOST_INCLUDED:
        raise InputError(f"{path}: one of more than {MOST_INCLUDED} files that include each other; write fewer")
    with bounded.readable(path, "a YAML task file", "fix it, or name another"):
        task = parse_yaml(bounded.read_text(path, _LARGEST), partial(_Loader, path=path))
    if not isinstance(task, dict):
        raise InputError(f"{path}: not a YAML task file (no keys); name the right file")
    names = task.pop("include", None) or []
    merged: dict[str, Any] = {}
    for name in names if isinstance(names, list) else [names]:
        if not isinstance(name, str):
            raise InputError(f"{path}, key 'include': {name!r:.60} is not a file name; name a task file")
        merged |= _read_task(path.parent / name, (*including, path), read)
    return merged | task


def checked_task(path: Path) -> Task:
    """A task that can become items. Raises InputError, naming the key, for one that cannot."""
    task = read_task(path)
    kind = task.get("output_type")
    if kind != "multiple_choice" and not _function(task.get("class")):
        raise InputError(f"{path}: output_type is {kind!r:.60}; only multiple_choice tasks can be read")
    for key in MADE_BY:
        if function := _function(task.get(key)):
            raise InputError(
                f"{function.path}: {key} calls the Python function {function.name!r} at line {function.line}; that "
                "code is not run: read the samples that the harness logs of the task (lm_eval = 'samples' in a TOML "
                "file), or write the task as a TOML file with a field map"
            )
    for key in FIELDS:
        if task.get(key) is None:
            raise InputError(f"{path}: no {key}; a multiple_choice task needs {', '.join(FIELDS)}")
    for key in REFUSED:
        if task.get(key):
            raise InputError(f"{path}: {key} is not supported; write the task as a TOML file with a field map instead")
    if split_of(task) is None:
        raise InputError(f"{path}: neither test_split nor validation_split; name the split to ask")
    for key, kinds in _KINDS.items():
        if key in task and not isinstance(task[key], kinds):
            value = "a Python function" if isinstance(task[key], Function) else f"{task[key]!r:.60}"
            raise InputError(f"{path}: {key} is {value}, which is not what the harness has there; fix it")
    return task


_KINDS: Mapping[str, tuple[type, ...]] = {
    "doc_to_text": (str, int),
    "doc_to_choice": (str, list, dict),
    "doc_to_target": (str, int, list),
    "description": (str, type(None)),
    "target_delimiter": (str,),
    "test_split": (str, type(None)),
    "validation_split": (str, type(None)),
    "metadata": (dict, type(None)),
}


def _function(value: Any) -> Function | None:
    """The first function in a value of the task file."""
    if isinstance(value, Function):
        return value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next((found for each in inner if (found := _function(each))), None)


def split_of(task: Task) -> str | None:
    """The split that the harness evaluates: test, else validation."""
    return task.get("test_split") or task.get("validation_split")


def task_name(path: Path, task: Task) -> str:
    """The task's own name, else the file's."""
    return str(task.get("task") or path.stem)


def read_records(paths: Sequence[Path]) -> list[tuple[str, Row]]:
    """(place, record) of each record of the files; a CSV's columns have the types that the harness finds in them."""
    found: list[tuple[str, Row]] = []
    for path in paths:
        records = list(read_rows(path))
        found += typed(records) if path.suffix.lower() in (".csv", ".tsv") else records
    return found


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
    question = _description(task, row, texts) + _text(task, row, texts)
    choices = _choices(task, row, texts)
    gold = _gold(task, row, texts, choices)
    listed = False
    if part == "letter":
        order = listed_order(question, choices)
        listed, question = order is not None, _CUE.sub("", question)
        if order is not None:  # option k is what the question calls letter k
            choices, gold = tuple(choices[option] for option in order), {order.index(option) for option in gold}
    return Item(
        id=f"{name}/{part}/{number}",
        benchmark=name,
        version=version,
        part=part,
        question=question,
        choices=choices,
        weights=tuple(float(option in gold) for option in range(len(choices))),
        group=f"{name}/{number}",
        shuffle=not listed,
        listed=listed,
        ask="letter" if part == "letter" else "loglik",
        delimiter=task.get("target_delimiter", " "),
        scoring={"kind": "accuracy"},
    )


def _description(task: Task, row: Row, texts: Mapping[str, str]) -> str:
    return str(texts.get("description", row.get(str(task.get("description")), "")))


def _text(task: Task, row: Row, texts: Mapping[str, str]) -> str:
    text = texts.get("doc_to_text", row.get(str(task["doc_to_text"])))
    if not isinstance(text, str) or ("doc_to_text" in texts and text.isdigit()):
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
        raise ValueError("has a doc_to_choice that is not a list of texts")
    if "" in found:
        raise ValueError("has an empty option")
    return tuple(found)


def _gold(task: Task, row: Row, texts: Mapping[str, str], choices: Sequence[str]) -> set[int]:
    source = task["doc_to_target"]
    target = row[source] if isinstance(source, str) and "doc_to_target" not in texts else source
    if "doc_to_target" in texts:
        target = texts["doc_to_target"]
        # As the harness: a rendered number is an option's number, a rendered list several, any other text an option.
        if target.isdigit() or (target[:1] == "[" and target[-1:] == "]"):
            target = _literal(target)
    places = {_place(each, choices) for each in (target if isinstance(target, list) else [target])}
    if not places:
        raise ValueError("has no gold answer")
    return places


def _place(target: Any, choices: Sequence[str]) -> int:
    """The number of the option that a target names: by its text, else by its number.

    The number may be written as text or, after a missing value in its column, as 1.0.
    """
    if isinstance(target, str) and target in choices:
        return choices.index(target)
    number: Any = target
    if isinstance(target, str) and _WHOLE.fullmatch(target.strip()):
        number = float(target)
    whole = isinstance(number, int) or (isinstance(number, float) and math.isfinite(number) and number.is_integer())
    if not whole or not 0 <= number < len(choices):
        raise ValueError(f"has the target {target!r:.60}, which is none of its {len(choices)} choices")
    return int(number)


def _literal(text: str) -> Any:
    try:
        found = ast.literal_eval(text.strip())
        bounded.check_value(found)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        raise ValueError(f"gives {text[:80]!r}, which is neither a list nor a number") from None
    return found

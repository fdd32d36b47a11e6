"""What lm-evaluation-harness logged of a task (`lm_eval --log_samples`), as questions.

This is the way to a task whose items take Python, which is run there and not here.

A line of `samples_TASK_DATE.jsonl` has the texts that were sent, one an option (`arguments`: context and
continuation), and the right one (`target`), as evaluator.py and evaluation_tracker.py of version 0.4 write them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scoring.benchmarks.records import Row, located

NAME = "samples"
"""What `lm_eval` in a TOML file says instead of a task file."""
FIELDS = ("question", "choices", "gold")
_NUMBERS = re.compile(r"\[\s*\d{1,6}(?:\s*,\s*\d{1,6})*\s*\]")


def logged(records: Sequence[tuple[str, Row]]) -> tuple[Mapping[str, Any], list[tuple[str, Row]]]:
    """A task of field names and its records (question, choices, gold: numbers of options), the files' filters once.

    Raises InputError, with its place, for a line that is no logged multiple-choice sample.
    """
    found: list[tuple[str, Row]] = []
    seen: set[str] = set()
    for place, row in records:
        with located(place, "a logged sample"):
            number = str(row["doc_id"])
            if number in seen:  # a task with several filters logs each document once a filter
                continue
            seen.add(number)
            found.append((place, _record(row)))
    delimiter = _common_blank([option for _, row in found for option in row["choices"]])
    stripped: list[tuple[str, Row]] = [
        (place, {**row, "choices": [each[len(delimiter) :] for each in row["choices"]]}) for place, row in found
    ]
    task = dict(zip(("doc_to_text", "doc_to_choice", "doc_to_target"), FIELDS, strict=True))
    return {**task, "target_delimiter": delimiter}, stripped


def _common_blank(options: Sequence[str]) -> str:
    """The white space that every option begins with: what the task has before its options."""
    blanks = [option[: len(option) - len(option.lstrip())] for option in options]
    shortest = min(blanks, key=len, default="")
    return shortest if all(blank.startswith(shortest) for blank in blanks) else ""


def _record(row: Row) -> Row:
    pairs = list(_arguments(row["arguments"]))
    if "acc_mutual_info" in row.get("metrics", ()):
        pairs = pairs[: len(pairs) // 2]  # then each option once more, without its context
    if len({context for context, _ in pairs}) != 1:
        raise ValueError("has a context of its own for each option; such tasks are not supported")
    choices = [option for _, option in pairs]
    return dict(zip(FIELDS, (pairs[0][0], choices, _gold(str(row["target"]), choices)), strict=True))


def _arguments(logged: Any) -> Iterator[tuple[str, str]]:
    """(context, continuation) of each option, in order."""
    calls = list(logged.values()) if isinstance(logged, Mapping) else logged
    if not isinstance(calls, list) or len(calls) < 2:
        raise ValueError("has fewer than two requests: no multiple-choice task logged it")
    for call in calls:
        texts = list(call.values()) if isinstance(call, Mapping) else call
        if not isinstance(texts, list) or len(texts) != 2 or not all(isinstance(text, str) for text in texts):
            raise ValueError(
                "has a request that is not a context and a continuation: no multiple-choice task logged it"
            )
        yield texts[0], texts[1]


def _gold(target: str, choices: Sequence[str]) -> list[int]:
    """The right options by their numbers; the log has numbers and texts alike as text."""
    if _NUMBERS.fullmatch(target):
        places = {int(each) for each in re.findall(r"\d+", target)}
    else:
        texts = [place for place, choice in enumerate(choices) if choice.strip() == target.strip()]
        numbers = [int(target)] if target.isdecimal() and len(target) < 7 else []
        places = set(texts[:1]) | set(numbers)
        if len(places) > 1:
            raise ValueError(f"has the target {target!r:.40}, which is one option's text and another's number")
    if not places or max(places) >= len(choices):
        raise ValueError(f"has the target {target!r:.40}, which is none of its {len(choices)} options")
    return sorted(places)

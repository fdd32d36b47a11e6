"""From a record to an item: what each field of a description takes from it, and what the item is made of."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from scoring.answers.items import Ask, Item
from scoring.benchmarks.files import transforms
from scoring.benchmarks.files.gold import GoldAnswer, read_gold
from scoring.benchmarks.files.schema import Column, Description, Kind
from scoring.benchmarks.records import Row, located
from scoring.benchmarks.templates import render_records

Values = dict[str, Any]


def field_values(path: Path, description: Description, records: Sequence[tuple[str, Row]]) -> list[tuple[str, Values]]:
    """Each record's place and the values of its fields; `path` is the description's.

    Raises InputError that names the record, or the field of the description.
    """
    specs = description.fields | {f"meta.{name}": spec for name, spec in description.meta.items()}
    templates = {name: spec.template for name, spec in specs.items() if spec.template is not None}
    rendered = render_records(path, templates, records)
    found: list[tuple[str, Values]] = []
    for (place, row), texts in zip(records, rendered, strict=True):
        with located(place, "a record"):
            values = {name: value_of(spec, row, texts.get(name)) for name, spec in specs.items()}
            if "choices" in values:
                values["choices"] = tuple(_texts("choices", values["choices"]))
        found.append((place, values))
    answer = description.fields.get("answer")
    if answer is not None and answer.column is not None and not answer.transforms and "choices" in specs:
        given = [GoldAnswer(place, values["choices"], values["answer"]) for place, values in found]
        for (_, values), gold in zip(found, read_gold(path, given, specs["choices"].columns or ()), strict=True):
            values["answer"] = gold
    return found


def value_of(spec: Column, row: Row, rendered: str | None) -> Any:
    """What a field takes from a record. Raises KeyError for a column that is not there, ValueError in a clause."""
    if spec.template is not None:
        value: Any = rendered
    elif spec.columns is not None:
        value = [row[name] for name in spec.columns]
        while value and (value[-1] is None or not str(value[-1]).strip()):
            value.pop()  # a question of three options in four columns
    else:
        value = spec.value if spec.column is None else row[spec.column]
    return transforms.apply(value, spec.transforms)


def make_item(description: Description, ask: str, number: int, values: Mapping[str, Any]) -> Item:
    """The item of one record, asked in one way. Raises ValueError, in a clause."""
    key = values.get("id", number)
    choices = tuple(values.get("choices", ()))
    meta = {name.removeprefix("meta."): _plain_value(v) for name, v in values.items() if name.startswith("meta.")}
    if "reference" in values:
        meta["reference"] = str(values["reference"])
    alone = description.alone and ask == "loglik"
    context = None if alone else _optional(values.get("context"))
    question = "" if alone else str(values.get("question", ""))
    delimiter = " " if context or question else ""
    roles, ordinals = _on_scale(_roles(description, choices, values), values)
    return Item(
        id=f"{description.name}/{ask}/{key}",
        benchmark=description.name,
        version=description.version,
        part=ask,
        context=context,
        question=question,
        choices=choices,
        weights=_weights(description.scoring.kind, choices, values),
        roles=roles,
        ordinals=ordinals,
        group=f"{description.name}/{values.get('group', key)}",
        shuffle=description.shuffle,
        ask=cast(Ask, ask),
        delimiter=delimiter if description.delimiter is None else description.delimiter,
        scoring={"kind": description.scoring.kind, "distance": description.scoring.distance},
        meta=meta,
    )


def _plain_value(value: Any) -> Any:
    """A value that JSON has: what is not a number is absent, and a date or the like is its text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(each) for each in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _optional(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"has {name} that are no list; split the column with a transform")
    if any(each is None or not str(each).strip() for each in value):
        raise ValueError(f"has an empty text among its {name}; fill it in")
    return [str(each) for each in value]


def _weights(kind: Kind, choices: Sequence[str], values: Mapping[str, Any]) -> tuple[float, ...] | None:
    """One-hot (or several) for the gold answers, the shares of a distribution, None for a preference or a rubric."""
    if kind == "distribution":
        return tuple(transforms.apply(values["shares"], ["normalise"]))
    if kind not in ("accuracy", "prob_mass"):
        return None
    answer = values["answer"]
    gold = {_option(each, choices) for each in (answer if isinstance(answer, list | tuple) else [answer])}
    if not gold:
        raise ValueError("has no gold answer")
    return tuple(float(option in gold) for option in range(len(choices)))


def _option(answer: Any, choices: Sequence[str]) -> int:
    """The number of the option that an answer names, by its text or by its number (0 for the first)."""
    if answer in (None, ""):
        raise ValueError("has no gold answer")
    if isinstance(answer, str) and choices.count(answer) == 1:
        return choices.index(answer)
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices):
        return answer
    raise ValueError(
        f"has the answer {answer!r:.60}, which is none of its {len(choices)} choices; a column of numbers or letters "
        "needs a transform (int, one_based, letter)"
    )


def _roles(
    description: Description, choices: Sequence[str], values: Mapping[str, Any]
) -> tuple[str | None, ...] | None:
    if "roles" in values:
        return tuple(None if each in (None, "") else str(each) for each in values["roles"])
    if not description.refusals:
        return None
    refusals = {_plain(each) for each in description.refusals}
    return tuple("refusal" if _plain(choice) in refusals else None for choice in choices)


def _on_scale(
    roles: tuple[str | None, ...] | None, values: Mapping[str, Any]
) -> tuple[tuple[str | None, ...] | None, tuple[float, ...] | None]:
    """The options' roles and their places on the scale.

    As in OpinionQA's files, a list of places that leaves out the last options, a refusal among them, says that these
    stand beside the scale, where a refusal stands: no place of theirs is ever read.
    """
    if "ordinals" not in values:
        return roles, None
    places = tuple(float(each) for each in values["ordinals"])
    beside = () if roles is None else roles[len(places) :]
    if roles is None or "refusal" not in beside or "refusal" in roles[: len(places)]:
        return roles, places
    return (*roles[: len(places)], *["refusal"] * len(beside)), (*places, *[0.0] * len(beside))


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()

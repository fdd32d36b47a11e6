"""Extended traits: every other variable of a file, as the file's own metadata describes it."""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from personas.surveys.data_file import Table, text
from personas.surveys.harmonise import BLANK, Harmonised, harmonise
from personas.surveys.survey import Extra, Survey, reason
from personas.traits import OTHER, Trait

# More distinct values than this is a number of a thing, not a scale that somebody answers on.
_MOST_VALUES = 400
PHRASE = 'asked about "{question}", {they} said "{label}"'


def extended_trait(
    survey: Survey, table: Table, variable: str, values: pd.Series, rule: Extra
) -> tuple[Trait, Harmonised] | str:
    """The trait `survey:variable` and its codes; or why the variable is not one, in a few words."""
    labels = table.labels.get(variable, {})
    distinct = values.dropna().unique()
    if len(distinct) > _MOST_VALUES and len(distinct) > len(labels):
        return f"{len(distinct)} different values"
    keys = [key for key in map(text, distinct) if key not in BLANK]
    codes: dict[str, int | None] = {key: _code(survey, table, variable, key) for key in keys}
    if strange := [key for key, code in codes.items() if code is None]:
        return f"holds {strange[0][:40]!r}, not whole numbers of a scale"
    answers = [code for code in codes.values() if code is not None and code >= 0]
    if not answers:
        return "nobody answered"
    answered = (key for key in labels if key.isdecimal() and reason(survey.missing, key, labels[key]) is None)
    told = {int(key): labels[key] for key in answered}
    question = _question(table, variable)
    known = bool(told) or question != variable
    trait = Trait(
        name=f"{survey.survey}:{variable}",
        question=question,
        domain=rule.domain,
        use="extended",
        section=rule.section if known else "",
        labels=told,
        phrase=PHRASE if known else "",
        ordinal=variable in table.ordinal,
        scale=None if told.keys() >= set(answers) else (min([*answers, *told]), max([*answers, *told])),
    )
    return trait, harmonise(values, codes.get, text, survey.missing.blank)


def merged(one: Trait, other: Trait) -> Trait:
    """The same variable in two files: the labels of both, the wider scale."""
    labels: Mapping[int, str] = {**other.labels, **one.labels}
    ends = [end for trait in (one, other) for end in trait.scale or ()]
    scale = (min([*ends, *labels]), max([*ends, *labels])) if ends else None
    told = one if one.section else other
    return replace(told, labels=labels, scale=scale, ordinal=one.ordinal or other.ordinal)


def _code(survey: Survey, table: Table, variable: str, key: str) -> int | None:
    why = reason(survey.missing, key, table.labels.get(variable, {}).get(key, ""))
    if why is not None:
        return why
    if not _whole(key):
        return None
    number = int(key)
    if is_declared(table, variable, number) or number < 0:
        return OTHER
    return number if number <= np.iinfo(np.int16).max else None


def is_declared(table: Table, variable: str, number: float) -> bool:
    """Whether an SPSS file declares the number missing for the variable."""
    return any(low <= number <= high for low, high in table.declared.get(variable, ()))


def _whole(key: str) -> bool:
    return re.fullmatch(r"-?\d{1,9}", key) is not None


def _question(table: Table, variable: str) -> str:
    """The variable's label without the questionnaire's number; its name where the file has no label."""
    label = re.sub(r"\s*\(Q\w+\)\s*$", "", table.questions.get(variable, ""))
    return " ".join(label.split()) or variable

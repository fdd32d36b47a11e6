"""Extended traits: every other variable of a file, as the codebook or the file's own metadata describes it."""

import re
from collections.abc import Mapping, Set
from dataclasses import replace

import numpy as np
import pandas as pd

from personas.surveys.codebook import CodebookEntry
from personas.surveys.harmonise import BLANK, Harmonised, harmonise
from personas.surveys.label_cleaning import clean_label, clean_question, direction, says_nothing, stems
from personas.surveys.survey import Extra, Survey, reason
from personas.surveys.table import Table, text
from personas.traits import OTHER, Trait

# More distinct values than this is a number of a thing, not a scale that somebody answers on.
_MOST_VALUES = 400
PHRASE = 'asked about "{question}", {they} said "{label}"'
# Questions whose answer is a number that needs no label, and labels that only such numbers have.
_QUANTITY = re.compile(
    r"\b(number of|how many|how old|hours|hrs|minutes|year of school|years of|age (at|of|when))\b", re.I
)
_COUNTS = re.compile(
    r"^(\d+|two|three|four|five|six|seven|eight|nine|ten) (or|and) (more|over|older)\b|\d\s*\+"
    r"|^no formal schooling$|^0 ",
    re.I,
)
# What the interviewer notes of the interview is no answer of the respondent's.
_INTERVIEW = re.compile(
    r"\b(date|time|day|month|year|start|end|length|duration|mode|language|privacy)\b.{0,20}\binterview"
    r"|\binterviewer|\binterest of (the )?respondent|\brespondents?'? (interest|understanding)\b"
    r"|\battitude toward interview|\binterested .{0,12}respondent|\bpresence of (an)?others?\b"
    r"|\b(grooming|attractiveness|cleanliness) (rating|of)\b",
    re.I,
)
# A rating scale has names for its ends and perhaps its middle; fewer steps have a name each, more are a quantity.
_STEPS = range(5, 12)
_NAMED = 3


def extended_trait(
    survey: Survey, table: Table, variable: str, values: pd.Series, rule: Extra, repeated: Set[str] = frozenset()
) -> tuple[Trait, Harmonised] | str:
    """The trait `survey:variable` and its codes; or why the variable is not one, in a few words.

    A trait whose codes nothing explains has no section, hence is never told; nor has one whose question is `repeated`,
    cut off or shared by a battery.
    """
    distinct = values.dropna().unique()
    if len(distinct) > _MOST_VALUES and len(distinct) > len(table.labels.get(variable, {})):
        return f"{len(distinct)} different values"
    entry, own = explained(survey, table, variable), file_labels(survey, table, variable)
    if entry and direction(entry.labels, own) < 0:
        return "labelled against the codebook: its scale runs the other way"
    question = entry.question if entry else asked(table, variable)
    if _INTERVIEW.search(question):
        return "about the interview, not the respondent"
    codes: dict[str, int | None] = {
        key: _code(survey, table, variable, key) for key in map(text, distinct) if key not in BLANK
    }
    if strange := [key for key, code in codes.items() if code is None]:
        return f"holds {strange[0][:40]!r}, not whole numbers of a scale"
    answers = {code for code in codes.values() if code is not None and code >= 0}
    if not answers:
        return "nobody answered"
    if question in repeated:
        own, entry = {}, None
    if entry:
        own = {**own, **entry.labels} if entry.labels else {}
    trait = _extended_trait(f"{survey.survey}:{variable}", question, rule, own, answers, variable in table.ordinal)
    if trait.labels:
        codes = {key: code if code is None or code < 0 or trait.holds(code) else None for key, code in codes.items()}
    return trait, harmonise(values, codes.get, text, survey.missing.blank)


def _extended_trait(
    name: str, question: str, rule: Extra, own: Mapping[int, str], answers: set[int], ordinal: bool
) -> Trait:
    """The trait with what explains its answers; without a section where nothing does."""
    labels, scale = _scale(question, own, answers)
    section, phrase = (rule.section, PHRASE) if labels else ("", "")
    return Trait(name, question, rule.domain, "extended", section, labels, phrase, ordinal=ordinal, scale=scale)


def explained(survey: Survey, table: Table, variable: str) -> CodebookEntry | None:
    """What the codebook says of a variable, unless the file's question and labels are of something else."""
    entry, question = survey.entry(variable), table.questions.get(variable, "")
    if entry is None or not stems(question):
        return entry
    theirs = stems(" ".join([question, *table.labels.get(variable, {}).values()]))
    return entry if theirs & stems(" ".join([entry.question, *entry.labels.values()])) else None


def asked(table: Table, variable: str) -> str:
    """The file's question of a variable; its name where the file has none."""
    return clean_question(table.questions.get(variable, "")) or variable


def file_labels(survey: Survey, table: Table, variable: str) -> dict[int, str]:
    """The file's own labels of a variable's answers, cleaned; those that say nothing are left out."""
    found: dict[int, str] = {}
    for key, label in table.labels.get(variable, {}).items():
        if key.isdecimal() and reason(survey.missing, key, label) is None and not says_nothing(label):
            found[int(key)] = clean_label(label, int(key))
    return {code: label for code, label in found.items() if label}


def _scale(
    question: str, labels: Mapping[int, str], answers: set[int]
) -> tuple[dict[int, str], tuple[int, int] | None]:
    """The labels by which the answers can be told, and the ends of the scale where not every step has a name.

    Both are empty where nothing says what the answers mean.
    """
    if answers <= labels.keys():
        return dict(labels), None
    ends = _ends(labels)
    if ends and ends[1] - ends[0] + 1 in _STEPS:
        return dict(labels), ends
    if any(map(_COUNTS.search, labels.values())) or (not labels and _QUANTITY.search(question)):
        return {**{code: str(code) for code in sorted(answers)}, **labels}, None
    return dict(labels), ends


def _ends(labels: Mapping[int, str]) -> tuple[int, int] | None:
    """The ends of a scale that is named by them; 0 is none where 1 has a name too ("against democracy")."""
    if not 2 <= len(labels) <= _NAMED:
        return None
    low, high = min(labels), max(labels)
    low = 1 if low == 0 and 1 in labels else low
    return (low, high) if high - low + 1 >= _STEPS.start else None


def merged(one: Trait, other: Trait) -> Trait:
    """The same variable in two files: the labels of both, and the wider scale.

    A code that only the other file explains is kept where it has a label.
    """
    labels: Mapping[int, str] = {**other.labels, **one.labels}
    ends = [end for trait in (one, other) for end in trait.scale or ()]
    scale = (min([*ends, *labels]), max([*ends, *labels])) if ends else None
    told = one if one.section else other
    phrase = told.phrase if scale or one.section == other.section else dict.fromkeys(labels, PHRASE)
    return replace(told, labels=labels, scale=scale, phrase=phrase, ordinal=one.ordinal or other.ordinal)


def _code(survey: Survey, table: Table, variable: str, key: str) -> int | None:
    label = table.labels.get(variable, {}).get(key, "")
    why = reason(survey.missing, key, label)
    if why is not None:
        return why
    if not _whole(key):
        return None
    number = int(key)
    if is_declared(table, variable, number) or number < 0 or says_nothing(label):
        return OTHER
    return number if number <= np.iinfo(np.int16).max else None


def is_declared(table: Table, variable: str, number: float) -> bool:
    """Whether an SPSS file declares the number missing for the variable."""
    return any(low <= number <= high for low, high in table.declared.get(variable, ()))


def _whole(key: str) -> bool:
    return re.fullmatch(r"-?\d{1,9}", key) is not None

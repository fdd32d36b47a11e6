"""Is this the file that the description means, and are its columns where they should be?"""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from personas.countries import called, parse_country
from personas.errors import InputError
from personas.surveys.harmonise import Harmonised
from personas.surveys.label_cleaning import clean, direction, stems
from personas.surveys.survey import CountryColumn, Survey, TraitSource
from personas.surveys.table import Table, text
from personas.traits import Trait

# Below this share of values on the scale, a column is not what the description says it is.
ON_SCALE = 0.95
# The id that every file has: the row's number.
ROW = "row"
# A file for teaching may have few of the variables that a description names; another survey has next to none.
_FEWEST = 5
_FEWEST_OF_A_SUBSET = 3
# Beginnings of words that label scales of all kinds.
_ANY_SCALE = set("yes not none very quit agre disa stro ment dont know answ appl aske".split())
# Where so many of a file's questions are worded as ours, one that is not is another question.
_SAME_WORDING = 0.5


def check_columns(survey: Survey, table: Table, country: str = "") -> None:
    """Raises InputError where the file lacks the respondent's id or country, age or gender, or most variables."""
    columns = survey.columns
    if not ids_by_row(survey, table) and table.find(columns.id) is None:
        raise InputError(
            f"{table.path}: column {_first(columns.id)!r} is missing: is this a {survey.survey!r} file? "
            'A file without ids is read with id = "row" in a description of your own'
        )
    if isinstance(columns.country, CountryColumn) and not country and table.find(columns.country.variable) is None:
        raise InputError(
            f"{table.path}: the country's column {_first(columns.country.variable)!r} is missing; "
            f"a file of one country is read with --country {survey.survey}=CODE"
        )
    wanted = {name: source.variables for name, source in survey.traits.items()}
    found = [
        trait
        for trait, names in wanted.items()
        if table.find([*names, *(each + survey.reversed_suffix for each in names)])
    ]
    fewest = min(_FEWEST, (len(wanted) + 1) // 2)
    if len(found) < (min(_FEWEST_OF_A_SUBSET, fewest) if _names_its_wave(survey, table) else fewest):
        raise InputError(
            f"{table.path} has {len(found)} of the {len(wanted)} variables of {survey.survey!r} "
            f"({survey.title}): is it another survey or wave?"
        )
    for name in ("age", "gender"):
        if name in wanted and name not in found:
            raise InputError(
                f"{table.path}: column {' or '.join(map(repr, wanted[name]))} ({name}) is missing; "
                f"the survey description {survey.survey!r} names it"
            )


def _names_its_wave(survey: Survey, table: Table) -> bool:
    """Whether the file has every column that says who somebody is, and of which wave.

    An archive's own selection of variables always has them.
    """
    columns = survey.columns
    if columns.wave is None or isinstance(columns.country, str):
        return False
    return all(
        table.find(each) for each in (columns.id, columns.country.variable, columns.wave.variable, columns.weight)
    )


def ids_by_row(survey: Survey, table: Table) -> bool:
    """Whether the respondents' ids are the numbers of their rows: the description allows it, and no column has ids."""
    names = [survey.columns.id] if isinstance(survey.columns.id, str) else survey.columns.id
    return ROW in names and table.find([name for name in names if name != ROW]) is None


def _first(names: str | list[str]) -> str:
    return names if isinstance(names, str) else names[0]


def read_ids(path: Path, values: pd.Series, repeated_by_wave: bool = False) -> list[str]:
    """The respondents' ids as text.

    Raises InputError for an empty, fractional or repeated one; where every wave has its own 1, 2, 3 …, repeated ones
    are distinguished by their wave.
    """
    ids = [text(value) for value in values]
    for row, (each, missing) in enumerate(zip(ids, values.isna(), strict=True)):
        if missing or each in ("", "nan", "None") or re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?", each):
            place = f"{path}, column {values.name!r}, row {row + 1}"
            if missing or each in ("", "nan", "None"):
                raise InputError(f"{place}: no respondent id; check whether the row is empty or columns are shifted")
            raise InputError(f"{place}: {each!r} is not a respondent id; check whether the columns are shifted")
    if repeated_by_wave:
        return ids
    seen = pd.Series(ids)
    repeated = seen[seen.duplicated(keep=False)]
    if len(repeated):
        first = seen.index[seen == repeated.iloc[0]]
        raise InputError(
            f"{path}, column {values.name!r}: respondent id {repeated.iloc[0]!r} occurs more than once "
            f"(rows {first[0] + 1} and {first[1] + 1}; {int(seen.duplicated().sum())} such rows): correct the ids"
        )
    return ids


def read_countries(path: Path, column: CountryColumn, values: pd.Series, labels: Mapping[str, str]) -> pd.Series:
    """ISO 3166-1 alpha-3 of every row, from codes, names, or the names that label the codes.

    Raises InputError for a value that is no country.
    """
    keys = values.map(text)
    names = {key: column.recode.get(key) if column.recode else _country(key, labels) for key in keys.unique()}
    unknown = [key for key, name in names.items() if name is None]
    if unknown:
        rows = int(keys.isin(unknown).sum())
        raise InputError(
            f"{path}, column {values.name!r}: {unknown[0][:40]!r} is not a country "
            f"({rows} of {len(keys)} rows hold none): are the columns shifted?"
        )
    return keys.map(names)


def _country(key: str, labels: Mapping[str, str]) -> str | None:
    """A label that names a country goes before the number that it labels, which may be the survey's own."""
    return called(labels.get(key, "")) or parse_country(key) or called(key)


def scale_problem(path: Path, variable: str, trait: Trait, found: Harmonised) -> str:
    """Evidence that a column is another than its name says; "" when it is as it should be."""
    share = found.share_on_scale()
    if share >= ON_SCALE:
        return ""
    stray = max(found.strays, key=lambda value: found.strays[value])
    scale = f"values {trait.range()}" if trait.range() else "known values"
    return (
        f"{path}: {variable} ({trait.name}) holds {scale} in {share:.0%} of rows only "
        f"({stray[:40]!r} in {found.strays[stray]}): are the columns shifted?"
    )


def by_code(source: TraitSource, labels: Mapping[str, str]) -> dict[int, str]:
    """The file's labels of a trait's answers, by the codes that they become."""
    if source.recode:
        pairs = [(code, labels.get(value, "")) for value, code in source.recode.items()]
    else:
        pairs = [(int(value), label) for value, label in labels.items() if value.isdecimal()]
    found: dict[int, str] = {}
    for code, label in pairs:
        if code >= 0 and clean(label):
            found.setdefault(code, clean(label))
    return found


def label_problem(path: Path, variable: str, trait: Trait, labels: Mapping[str, str], source: TraitSource) -> str:
    """Evidence that the file's own labels run against the catalogue's; "" when they do not."""
    theirs = by_code(source, labels)
    if source.deciles or direction(trait.labels, theirs) >= 0:
        return ""
    low, high = min(trait.labels), max(trait.labels)
    return (
        f"{path}: {variable} ({trait.name}) is labelled {theirs[low]!r} where the answer is {trait.labels[low]!r} and "
        f"{theirs[high]!r} where it is {trait.labels[high]!r}: the scale is reversed against the catalogue's"
    )


def is_reversed(trait: Trait, labels: Mapping[str, str]) -> bool:
    """Whether the file gives the catalogue's end labels to the opposite ends of the scale."""
    return direction(trait.labels, {int(code): label for code, label in labels.items() if code.isdecimal()}) < 0


def other_questions(
    survey: Survey, table: Table, variables: Mapping[str, str], traits: Mapping[str, Trait]
) -> list[str]:
    """The traits whose variable asks something else in this file: neither its question nor a label has a word of ours.

    `variables` has the file's variable of each trait. Only told where the file's other questions are worded as ours,
    or as the codebook's: a file in another language says nothing.
    """
    judged, strange = 0, []
    for name, variable in variables.items():
        theirs = stems(table.questions.get(variable, ""))
        if not theirs:
            continue
        judged += 1
        entry = survey.entry(variable)
        ours = stems(" ".join([traits[name].question, name.replace("_", " "), *traits[name].labels.values()]))
        ours |= stems(" ".join([entry.question, *entry.labels.values()])) if entry else set()
        theirs |= stems(" ".join(table.labels.get(variable, {}).values())) - _ANY_SCALE
        if not theirs & ours:
            strange.append(name)
    return strange if judged and 1 - len(strange) / judged >= _SAME_WORDING else []


def question_problem(path: Path, variable: str, trait: Trait, question: str) -> str:
    """The sentence about a variable that asks something else."""
    return (
        f"{path}: {variable} ({trait.name}) asks {clean(question)[:60]!r}, not {trait.question!r}: "
        "is it another wave, or another variable?"
    )

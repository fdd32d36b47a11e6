"""Is this the file that the description means, and are its columns where they should be?"""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from personas.countries import parse_country
from personas.errors import InputError
from personas.surveys.data_file import Table, text
from personas.surveys.harmonise import Harmonised
from personas.surveys.survey import CountryColumn, Survey
from personas.traits import Trait

# Below this share of values on the scale, a column is not what the description says it is.
ON_SCALE = 0.95


def check_columns(survey: Survey, table: Table) -> None:
    """Raises InputError where the file lacks the respondent's id or country, age or gender, or most variables."""
    columns = survey.columns
    if table.find(columns.id) is None:
        raise InputError(f"{table.path}: column {_first(columns.id)!r} is missing: is this a {survey.survey!r} file?")
    if isinstance(columns.country, CountryColumn) and table.find(columns.country.variable) is None:
        raise InputError(f"{table.path}: the country's column {_first(columns.country.variable)!r} is missing")
    wanted = [source.variable for source in survey.traits.values()]
    found = [name for name in wanted if table.find([name, name + survey.reversed_suffix])]
    if len(found) * 2 < len(wanted):
        raise InputError(
            f"{table.path} has {len(found)} of the {len(wanted)} variables of {survey.survey!r} "
            f"({survey.title}): is it another survey or wave?"
        )
    for name in ("age", "gender"):
        if name in survey.traits and survey.traits[name].variable not in found:
            raise InputError(
                f"{table.path}: column {survey.traits[name].variable!r} ({name}) is missing; "
                f"the survey description {survey.survey!r} names it"
            )


def _first(names: str | list[str]) -> str:
    return names if isinstance(names, str) else names[0]


def read_ids(path: Path, values: pd.Series) -> list[str]:
    """The respondents' ids as text. Raises InputError for an empty, fractional or repeated one."""
    ids = [text(value) for value in values]
    for row, each in enumerate(ids):
        if each in ("", "nan", "None") or re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?", each):
            raise InputError(
                f"{path}, column {values.name!r}, row {row + 1}: {each!r} is no respondent id: are the columns shifted?"
            )
    seen = pd.Series(ids)
    repeated = seen[seen.duplicated(keep=False)]
    if len(repeated):
        first = seen.index[seen == repeated.iloc[0]]
        raise InputError(
            f"{path}, column {values.name!r}: respondent id {repeated.iloc[0]!r} occurs more than once "
            f"(rows {first[0] + 1} and {first[1] + 1}; {int(seen.duplicated().sum())} such rows): mend the ids"
        )
    return ids


def read_countries(path: Path, column: CountryColumn, values: pd.Series) -> pd.Series:
    """ISO 3166-1 alpha-3 of every row. Raises InputError for a value that is no country."""
    keys = values.map(text)
    names = {key: column.recode.get(key) if column.recode else parse_country(key) for key in keys.unique()}
    unknown = [key for key, name in names.items() if name is None]
    if unknown:
        rows = int(keys.isin(unknown).sum())
        raise InputError(
            f"{path}, column {values.name!r}: {unknown[0][:40]!r} is no country "
            f"({rows} of {len(keys)} rows hold none): are the columns shifted?"
        )
    return keys.map(names)


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


def label_problem(path: Path, variable: str, trait: Trait, labels: Mapping[str, str], recode: Mapping[str, int]) -> str:
    """Evidence that the file's own labels run against the catalogue's; "" when they do not."""
    if is_reversed(trait, labels) and not recode:
        low, high = min(trait.labels), max(trait.labels)
        return (
            f"{path}: {variable} ({trait.name}) is labelled {labels[str(low)]!r} at {low} and {labels[str(high)]!r} "
            f"at {high}: the scale is reversed against the catalogue's"
        )
    return ""


def is_reversed(trait: Trait, labels: Mapping[str, str]) -> bool:
    """Whether the file gives the catalogue's end labels to the opposite ends of the scale."""
    if len(trait.labels) < 2:
        return False
    low, high = min(trait.labels), max(trait.labels)
    return (_plain(labels.get(str(low), "")), _plain(labels.get(str(high), ""))) == (
        _plain(trait.labels[high]),
        _plain(trait.labels[low]),
    )


def _plain(label: str) -> str:
    """Lower case, without braces' content or punctuation, words sorted: "Strongly disagree" is "Disagree strongly"."""
    return " ".join(sorted(re.sub(r"[^\w]+", " ", re.sub(r"\{.*?\}", "", label.lower())).split()))

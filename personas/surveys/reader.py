"""Reads survey files as their description says, into harmonised respondents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from personas.countries import country_number
from personas.errors import InputError
from personas.people.respondents import META, Respondents, Source, in_order, refuse_repeated
from personas.surveys.checks import (
    check_columns,
    is_reversed,
    label_problem,
    read_countries,
    read_ids,
    scale_problem,
)
from personas.surveys.clean import MissingRule
from personas.surveys.data_file import Table, open_table, text
from personas.surveys.extended import extended_trait, is_declared, merged
from personas.surveys.harmonise import Codes, Harmonised, deciles, harmonise
from personas.surveys.survey import CountryColumn, Survey, TraitSource, known_surveys, load_survey, reason
from personas.traits import NOT_ASKED, OTHER, Trait, catalogue

__all__ = ["Reading", "known_surveys", "load_survey", "read_files", "read_survey"]

# Cells read at a time: a wide file is never in memory as a whole.
_CELLS = 20_000_000


@dataclass
class Reading:
    """What was read of a survey: the respondents, and what a report should say of the way there."""

    respondents: Respondents
    rows: int = 0
    columns: int = 0
    absent: list[str] = field(default_factory=list)
    strays: dict[str, dict[str, int]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    sparse: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class _Part:
    """One file's share of a survey while it is read."""

    table: Table
    keep: np.ndarray
    start: int
    stop: int
    waves: pd.Series
    countries: pd.Series | str = ""
    weights: np.ndarray = field(default_factory=lambda: np.empty(0))
    traits: dict[str, Trait] = field(default_factory=dict)
    codes: dict[str, Codes] = field(default_factory=dict)

    def read(self, variables: Sequence[str]) -> pd.DataFrame:
        """The wanted rows of these columns."""
        frame = self.table.read(variables, self.start, self.stop)
        return frame if self.keep.all() else frame.loc[self.keep].reset_index(drop=True)


def read_survey(survey: Survey, directory: Path) -> Respondents:
    """The respondents of a survey whose one file comes as an asset, from the file in `directory`.

    Raises InputError where the file lacks a column, or holds values that the description does not know.
    """
    return read_files(survey, [directory / survey.file]).respondents


def read_files(
    survey: Survey,
    paths: Sequence[Path],
    waves: Sequence[int] = (),
    rule: MissingRule | None = None,
    tolerant: bool = False,
) -> Reading:
    """The respondents of one survey, from one file or from many (one a country, or one a year).

    `waves` replaces the waves that the description keeps. With `rule`, an extended variable that the rule drops
    within a single file is not kept in memory. Raises InputError, with the evidence, where a file is not what the
    description says; a `tolerant` reading lists columns that are not what they should be among its `problems` instead.
    """
    reading = Reading(Respondents(pd.DataFrame(), {}))
    defined = survey.defined()
    source = Source(survey.survey, survey.title, survey.restricted, survey.licence, survey.citation)
    frames: list[pd.DataFrame] = []
    traits: dict[str, Trait] = {"country": catalogue().traits["country"]}
    variables: dict[str, str] = {}
    for path in paths:
        kept = rule if len(paths) == 1 else None
        frame, part, names = _read_file(survey, defined, path, waves, kept, tolerant, reading)
        for name, trait in part.traits.items():
            traits[name] = _same(path, traits[name], trait) if name in traits else trait
        variables |= names
        source = replace(source, weighted=bool(part.weights.size) and (source.weighted or not frames))
        frames.append(frame)
    traits = in_order(traits)
    columns = [name for name in traits if name != "country"]
    filled = [frame.reindex(columns=[*META, "region", *columns], fill_value=NOT_ASKED) for frame in frames]
    frame = pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]
    refuse_repeated(frame["persona_id"])
    source = replace(
        source,
        variables=variables,
        recodes={name: dict(each.recode) for name, (_, each) in defined.items() if name in traits and each.recode},
        proxies={name: each.proxy for name, (_, each) in defined.items() if name in traits and each.proxy},
    )
    reading.absent = [name for name in defined if name not in traits]
    reading.respondents = Respondents(frame, traits, {survey.survey: source})
    return reading


def _same(path: Path, before: Trait, trait: Trait) -> Trait:
    """A trait of several files as one. Raises InputError where one file's labels run against those of the others."""
    if trait.use != "extended":
        return trait
    if is_reversed(before, {str(code): label for code, label in trait.labels.items()}):
        raise InputError(f"{path}: the scale of {trait.name} runs the other way than in the files before it")
    return merged(before, trait)


def _read_file(
    survey: Survey,
    defined: dict[str, tuple[Trait, TraitSource]],
    path: Path,
    waves: Sequence[int],
    rule: MissingRule | None,
    tolerant: bool,
    reading: Reading,
) -> tuple[pd.DataFrame, _Part, dict[str, str]]:
    table = open_table(path)
    check_columns(survey, table)
    part = _rows(survey, table, waves)
    reading.rows, reading.columns = reading.rows + len(part.waves), max(reading.columns, len(table.variables))
    head = _head(survey, part, reading)
    variables = _defined_traits(survey, defined, part, reading)
    if reading.problems and not tolerant:
        raise InputError(reading.problems[0])
    taken = {*variables.values(), *_head_variables(survey, table)}
    others = [name for name in table.variables if name not in taken and survey.extra_for(name)]
    for batch in _batches(others, part.stop - part.start):
        cells = part.read(batch)
        for variable in batch:
            _add_extended(survey, part, variable, cells[variable], rule, reading)
            variables[f"{survey.survey}:{variable}"] = variable
    frame = pd.concat([head, pd.DataFrame(part.codes)], axis=1)
    return frame, part, {name: variable for name, variable in variables.items() if name in part.traits}


def _rows(survey: Survey, table: Table, waves: Sequence[int]) -> _Part:
    """The rows of the wanted waves. Raises InputError for a file of another wave."""
    column = survey.columns.wave
    variable = table.find(column.variable) if column else None
    everyone = _Part(table, np.ones(table.rows, dtype=bool), 0, table.rows, pd.Series([survey.wave] * table.rows))
    if waves and not (column and column.per_row):
        raise InputError(f"--wave {survey.survey}: this survey has one wave only: leave --wave out")
    if column is None:
        return everyone
    if variable is None:
        if column.per_row:
            raise InputError(f"{table.path}: column {column.variable!r}, which says the wave, is missing")
        return everyone
    found = pd.to_numeric(table.read([variable])[variable], errors="coerce")
    held = sorted(int(value) for value in found.dropna().unique())
    wanted = list(waves) or column.expected
    if not column.per_row:
        if strange := [value for value in held if column.expected and value not in column.expected]:
            raise InputError(
                f"{table.path}: {variable} holds wave {strange[0]}, but {survey.survey!r} is wave "
                f"{', '.join(map(str, column.expected))}: give the files of one wave"
            )
        return everyone
    chosen = found.isin(wanted).to_numpy() if wanted else found.notna().to_numpy()
    if not chosen.any():
        raise InputError(
            f"{table.path}: {variable} holds {_span(held)}, none of the waves {', '.join(map(str, wanted))}: "
            f"choose others with --wave {survey.survey}=WAVE"
        )
    places = np.flatnonzero(chosen)
    start, stop = int(places[0]), int(places[-1]) + 1
    names = found[chosen].astype(int).astype(str).reset_index(drop=True)
    return _Part(table, chosen[start:stop], start, stop, names)


def _span(held: list[int]) -> str:
    return " to ".join(str(wave) for wave in sorted({held[0], held[-1]})) if held else "nothing"


def _head_variables(survey: Survey, table: Table) -> list[str]:
    columns = survey.columns
    named = [columns.id, columns.region, columns.wave.variable if columns.wave else ""]
    weights = [columns.weight] if isinstance(columns.weight, str) else columns.weight
    country = columns.country.variable if isinstance(columns.country, CountryColumn) else ""
    found = [table.find(name) for name in [*named, *weights, country] if name]
    return [name for name in found if name]


def _head(survey: Survey, part: _Part, reading: Reading) -> pd.DataFrame:
    """The columns that say who the respondents are; fills the part's countries and weights."""
    table, columns = part.table, survey.columns
    cells = part.read(_head_variables(survey, table))
    values = cells[table.find(columns.id)]
    keys = pd.Series(read_ids(table.path, values) if part.waves.nunique() < 2 else [text(value) for value in values])
    part.countries = columns.country
    if isinstance(columns.country, CountryColumn):
        part.countries = read_countries(table.path, columns.country, cells[table.find(columns.country.variable)])
    part.weights = _weights(survey, table, cells, reading)
    head = pd.DataFrame(
        {
            "persona_id": survey.survey + ":" + part.waves + ":" + keys,
            "survey": survey.survey,
            "wave": part.waves,
            "country": part.countries,
            "weight": part.weights if part.weights.size else 1.0,
        }
    )
    if region := columns.region and table.find(columns.region):
        labels = table.labels.get(region, {})
        head["region"] = [_region(text(value), labels) for value in cells[region]]
    else:
        head["region"] = ""
    return head


def _region(key: str, labels: Mapping[str, str]) -> str:
    return "" if key in ("nan", "") or key.startswith("-") else labels.get(key, key).strip()


def _weights(survey: Survey, table: Table, cells: pd.DataFrame, reading: Reading) -> np.ndarray:
    """The weights (shape (respondents,)), empty where the file has none; a missing one counts as 1, and is noted."""
    names = [survey.columns.weight] if isinstance(survey.columns.weight, str) else survey.columns.weight
    found = [name for name in map(table.find, names) if name]
    if not found:
        return np.empty(0)
    numbers = [
        pd.to_numeric(cells[name].astype(str).str.replace(",", "."), errors="coerce").to_numpy() for name in found
    ]
    weights = numbers[0]
    for other in numbers[1:]:
        weights = np.where(weights > 0, weights, other)
    missing = ~(weights > 0)
    if missing.all():
        return np.empty(0)
    if missing.any():
        reading.notes.append(f"{table.path.name}: {int(missing.sum())} respondents without a weight count as 1")
    return np.where(missing, 1.0, weights).astype(float)


def _batches(names: list[str], rows: int) -> Iterator[list[str]]:
    size = max(100, _CELLS // max(1, rows))
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _defined_traits(
    survey: Survey, defined: dict[str, tuple[Trait, TraitSource]], part: _Part, reading: Reading
) -> dict[str, str]:
    """Reads every trait that the description defines and the file has; returns each one's variable."""
    table, variables, backwards = part.table, {}, set()
    for name, (_, source) in defined.items():
        variable = table.find(source.variable)
        if variable is None and survey.reversed_suffix:
            variable = table.find(source.variable + survey.reversed_suffix)
            backwards |= {name} if variable else set()
        if variable:
            variables[name] = variable
    others = [table.find(each.variable) for name in variables for each in defined[name][1].overrides]
    cells = part.read([*variables.values(), *(each for each in others if each)])
    for name, variable in variables.items():
        trait, source = defined[name]
        found = _translated(survey, part, cells, trait, source, variable)
        if name in backwards:
            found = _turned(trait, found, variable, table, reading)
        elif wrong := label_problem(table.path, variable, trait, table.labels.get(variable, {}), source.recode):
            reading.problems.append(wrong)
        if wrong := scale_problem(table.path, variable, trait, found):
            reading.problems.append(wrong)
        if found.strays:
            counts = reading.strays.setdefault(name, {})
            counts.update({value: counts.get(value, 0) + count for value, count in found.strays.items()})
        part.traits[name], part.codes[name] = trait, found.codes
    return variables


def _translated(
    survey: Survey, part: _Part, cells: pd.DataFrame, trait: Trait, source: TraitSource, variable: str
) -> Harmonised:
    """The trait's codes from its variable, then whatever the description lays over them."""
    table = part.table
    labels = table.labels.get(variable, {})

    def translate(key: str) -> int | None:
        if key in source.recode:
            return source.recode[key]
        if (why := reason(survey.missing, key, labels.get(key, ""))) is not None:
            return why
        number = int(key) if key.lstrip("-").isdecimal() else None
        if number is not None and is_declared(table, variable, number):
            return OTHER
        fits = number is not None and number >= 0 and (source.deciles or trait.holds(number))
        return number if fits and not source.recode else source.otherwise

    found = harmonise(cells[variable], translate, text, survey.missing.blank)
    codes = found.codes
    if source.deciles:
        weights = part.weights if part.weights.size else np.ones(len(codes))
        for rows in part.waves.groupby(part.waves).indices.values():
            codes[rows] = deciles(codes[rows], weights[rows])
    for override in source.overrides:
        if other := table.find(override.variable):
            over = harmonise(cells[other], partial(_listed, override.recode), text, OTHER).codes
            codes = np.where(over >= 0, over, codes)
    if source.own_country:
        own = pd.Series(part.countries, index=cells.index).map(country_number).to_numpy()
        codes = np.where(np.isin(codes, source.own_country), own, codes).astype(np.int16)
    return Harmonised(codes.astype(np.int16), found.strays)


def _listed(recode: Mapping[str, int], key: str) -> int:
    return recode.get(key, OTHER)


def _turned(trait: Trait, found: Harmonised, variable: str, table: Table, reading: Reading) -> Harmonised:
    """A column whose scale runs the other way, turned round (unless the file's labels say that it does not)."""
    labels = table.labels.get(variable, {})
    if not trait.labels or (labels and not is_reversed(trait, labels)):
        return found
    ends = min(trait.labels) + max(trait.labels)
    reading.notes.append(f"{table.path.name}: {variable} has a reversed scale, read as {ends} - value")
    return Harmonised(np.where(found.codes >= 0, ends - found.codes, found.codes).astype(np.int16), found.strays)


def _add_extended(
    survey: Survey, part: _Part, variable: str, values: pd.Series, rule: MissingRule | None, reading: Reading
) -> None:
    extra = survey.extra_for(variable)
    if extra is None:
        return
    made = extended_trait(survey, part.table, variable, values, extra)
    if isinstance(made, str):
        reading.skipped[variable] = made
        return
    trait, found = made
    if rule and rule.by == "survey" and (rate := rule.rate(found.codes)) > rule.limit:
        reading.sparse[trait.name] = rate
        return
    part.traits[trait.name], part.codes[trait.name] = trait, found.codes

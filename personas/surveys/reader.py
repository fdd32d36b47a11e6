"""Reads survey files as their description says, into harmonised respondents."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from personas.countries import subdivision
from personas.errors import InputError
from personas.people.respondents import META, Respondents, Source, in_order, refuse_repeated
from personas.surveys.checks import ROW, check_columns, ids_by_row, is_reversed, read_countries, read_ids
from personas.surveys.clean import MissingRule
from personas.surveys.codebook import CodebookEntry
from personas.surveys.data_file import open_table
from personas.surveys.described import Defined, described_traits
from personas.surveys.extended import asked, extended_trait, merged
from personas.surveys.label_cleaning import clean
from personas.surveys.reading import FilePart, Reading
from personas.surveys.survey import CountryColumn, Survey, known_surveys, load_survey
from personas.surveys.table import Table, text
from personas.traits import NOT_ASKED, Trait, catalogue

__all__ = ["Reading", "known_surveys", "load_survey", "read_files", "read_survey"]

# Cells read at a time: a wide file is never in memory as a whole.
_CELLS = 20_000_000


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
    country: str = "",
) -> Reading:
    """The respondents of one survey, from one file or from many (one a country, or one a year).

    `waves` replaces the waves that the description keeps; `country` (alpha-3) is that of a file without a column of
    countries. With `rule`, an extended variable that the rule drops
    within a single file is not kept in memory. Raises InputError, with the evidence, where a file is not what the
    description says; a `tolerant` reading lists columns that are not what they should be among its `problems` instead,
    and traces every value.
    """
    reading = Reading(Respondents(pd.DataFrame(), {}), traced=tolerant, notes=survey.remarks())
    defined = survey.defined()
    source = Source(survey.survey, survey.title, survey.restricted, survey.licence, survey.citation)
    frames: list[pd.DataFrame] = []
    traits: dict[str, Trait] = {"country": catalogue().traits["country"]}
    variables: dict[str, str] = {}
    for path in paths:
        kept = rule if len(paths) == 1 else None
        frame, part, names = _read_file(survey, defined, path, waves, kept, tolerant, country, reading)
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
    defined: Defined,
    path: Path,
    waves: Sequence[int],
    rule: MissingRule | None,
    tolerant: bool,
    country: str,
    reading: Reading,
) -> tuple[pd.DataFrame, FilePart, dict[str, str]]:
    table = open_table(path)
    check_columns(survey, table, country)
    part = _rows(survey, table, waves)
    reading.rows, reading.columns = reading.rows + len(part.waves), max(reading.columns, len(table.variables))
    head = _head(survey, part, country, reading)
    variables = described_traits(survey, defined, part, reading)
    if reading.problems and not tolerant:
        raise InputError(reading.problems[0])
    taken = {*variables.values(), *_head_variables(survey, table)}
    others = [name for name in table.variables if name not in taken and survey.extra_for(name)]
    repeated = _repeated(survey, table, others)
    for batch in _batches(others, part.stop - part.start):
        cells = part.read(batch)
        for variable in batch:
            _add_extended(survey, part, variable, cells[variable], rule, repeated, reading)
            variables[f"{survey.survey}:{variable}"] = variable
    reading.notes += [note for note in table.notes if note not in reading.notes]
    frame = pd.concat([head, pd.DataFrame(part.codes)], axis=1)
    return frame, part, {name: variable for name, variable in variables.items() if name in part.traits}


def _repeated(survey: Survey, table: Table, variables: Sequence[str]) -> Set[str]:
    """The questions that several variables have: what they ask apart from one another is cut off."""
    entries = ((variable, survey.entry(variable)) for variable in variables)
    counts = Counter(entry.question if entry else asked(table, variable) for variable, entry in entries)
    return {question for question, count in counts.items() if count > 1}


def _rows(survey: Survey, table: Table, waves: Sequence[int]) -> FilePart:
    """The rows of the wanted waves. Raises InputError for a file of another wave."""
    column = survey.columns.wave
    variable = table.find(column.variable) if column else None
    everyone = FilePart(table, np.ones(table.rows, dtype=bool), 0, table.rows, pd.Series([survey.wave] * table.rows))
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
    return FilePart(table, chosen[start:stop], start, stop, names)


def _span(held: list[int]) -> str:
    return " to ".join(str(wave) for wave in sorted({held[0], held[-1]})) if held else "nothing"


def _head_variables(survey: Survey, table: Table) -> list[str]:
    columns = survey.columns
    named = [columns.id, columns.region, columns.wave.variable if columns.wave else ""]
    weights = [columns.weight] if isinstance(columns.weight, str) else columns.weight
    country = columns.country.variable if isinstance(columns.country, CountryColumn) else ""
    found = [table.find(name) for name in [*named, *weights, country] if name]
    return [name for name in found if name]


def _head(survey: Survey, part: FilePart, country: str, reading: Reading) -> pd.DataFrame:
    """The columns that say who the respondents are; fills the part's countries and weights."""
    table, columns = part.table, survey.columns
    cells = part.read(_head_variables(survey, table))
    part.countries = columns.country if isinstance(columns.country, str) else country
    if isinstance(columns.country, CountryColumn) and (variable := table.find(columns.country.variable)):
        part.countries = read_countries(table.path, columns.country, cells[variable], table.labels.get(variable, {}))
    keys = pd.Series(_ids(survey, part, cells, reading))
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
        labels, entry = table.labels.get(region, {}), survey.entry(region)
        names = {value: _region(text(value), labels, entry) for value in cells[region].unique()}
        head["region"] = cells[region].map(names).astype(object)
    else:
        head["region"] = ""
    return head


def _ids(survey: Survey, part: FilePart, cells: pd.DataFrame, reading: Reading) -> list[str]:
    """The respondents' ids; where the file has none, the file's hash and the row's number (the first row is 1)."""
    table, column = part.table, survey.columns.id
    if ids_by_row(survey, table):
        with table.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        reading.notes.append(f"{table.path.name} has no ids: its respondents are named {ROW}-{digest}-NUMBER")
        return [f"{ROW}-{digest}-{number}" for number in np.flatnonzero(part.keep) + part.start + 1]
    values = cells[table.find(column)]
    if survey.columns.ids_by_country:
        # A gap must stay one, so that it is refused.
        values = (pd.Series(part.countries, index=values.index) + "-" + values.map(text)).where(values.notna())
        values = values.rename(table.find(column))
    return read_ids(table.path, values, part.waves.nunique() > 1)


def _region(key: str, labels: Mapping[str, str], entry: CodebookEntry | None) -> str:
    """A region by its name: the codebook's, the file's, or that of ISO 3166-2."""
    if key in ("nan", "None", "") or key.startswith("-"):
        return ""
    named = entry.labels.get(int(key)) if entry and key.isdecimal() else None
    return named or clean(labels.get(key, "")) or subdivision(key) or key


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


def _add_extended(
    survey: Survey,
    part: FilePart,
    variable: str,
    values: pd.Series,
    rule: MissingRule | None,
    repeated: Set[str],
    reading: Reading,
) -> None:
    extra = survey.extra_for(variable)
    if extra is None:
        return
    made = extended_trait(survey, part.table, variable, values, extra, repeated)
    if isinstance(made, str):
        reading.skipped[variable] = made
        return
    trait, found = made
    if found.strays:
        reading.stray(trait.name, dict(found.strays))
    if rule and rule.by == "survey" and (rate := rule.rate(found.codes)) > rule.limit:
        reading.sparse[trait.name] = rate
        return
    part.traits[trait.name], part.codes[trait.name] = trait, found.codes

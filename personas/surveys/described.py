"""Described traits: from the variables that a description names to the catalogue's codes."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from personas.countries import country_number
from personas.surveys.checks import by_code, label_problem, other_questions, question_problem, scale_problem
from personas.surveys.extended import is_declared
from personas.surveys.harmonise import Codes, Harmonised, deciles, harmonise
from personas.surveys.label_cleaning import clean, direction, says_nothing
from personas.surveys.reading import FilePart, Reading, ValueRow
from personas.surveys.survey import Filter, Survey, TraitSource, reason
from personas.surveys.table import Table, text
from personas.traits import NOT_APPLICABLE, OTHER, Trait

Defined = Mapping[str, tuple[Trait, TraitSource]]
_MENTIONED = "mentioned"
_FROM_ZERO = "{}: {} is coded 1 and 0, read as mentioned and not mentioned"


def described_traits(survey: Survey, defined: Defined, part: FilePart, reading: Reading) -> dict[str, str]:
    """Reads every trait that the description defines and the file has; returns each one's variable."""
    table, variables, backwards = part.table, {}, set()
    for name, (_, source) in defined.items():
        variable = _variable(table, source)
        if variable is None and survey.reversed_suffix:
            variable = table.find([each + survey.reversed_suffix for each in source.variables])
            backwards |= {name} if variable else set()
        if variable:
            variables[name] = variable
    cells = part.read([*variables.values(), *_others(part, [defined[name][1] for name in variables])])
    zero_based = any(_coded_from_zero(defined[name][0], cells[variables[name]]) for name in backwards)
    for name, variable in variables.items():
        trait, source = defined[name]
        if name in backwards:
            found = _backwards(survey, part, cells, trait, source, variable, zero_based, reading)
        else:
            found = _forwards(survey, part, cells, trait, source, variable, reading)
        if wrong := scale_problem(table.path, variable, trait, found):
            reading.problems.append(wrong)
        if found.strays:
            reading.stray(name, dict(found.strays))
        part.traits[name], part.codes[name] = trait, found.codes
        _trace(reading, part, name, variable, cells[variable], found.codes)
    for name, variable in variables.items():
        question = table.questions.get(variable, "")
        if not defined[name][1].asks(question):
            reading.problems.append(question_problem(table.path, variable, defined[name][0], question))
    unsure = {name: variable for name, variable in variables.items() if not defined[name][1].asked}
    for name in other_questions(survey, table, unsure, {name: trait for name, (trait, _) in defined.items()}):
        wrong = question_problem(table.path, variables[name], defined[name][0], table.questions[variables[name]])
        (reading.problems if survey.entry(variables[name]) else reading.warnings).append(wrong)
    return variables


def _variable(table: Table, source: TraitSource) -> str | None:
    """The file's variable of a trait: of those that it may have, the first whose question may be the trait's."""
    found = [each for each in map(table.find, source.variables) if each]
    return next((each for each in found if source.asks(table.questions.get(each, ""))), found[0] if found else None)


def _others(part: FilePart, sources: list[TraitSource]) -> list[str]:
    """The variables that overrides and filters name, as far as the file has them."""
    named = [each.variable for source in sources for each in source.overrides]
    named += [source.filter.variable for source in sources if source.filter]
    return [found for found in map(part.table.find, named) if found]


def _forwards(
    survey: Survey,
    part: FilePart,
    cells: pd.DataFrame,
    trait: Trait,
    source: TraitSource,
    variable: str,
    reading: Reading,
) -> Harmonised:
    if not source.recode and _coded_from_zero(trait, cells[variable]):
        source = source.model_copy(update={"recode": {"1": 1, "0": 2}})
        reading.notes.append(_FROM_ZERO.format(part.table.path.name, variable))
    labels = part.table.labels.get(variable, {})
    if wrong := label_problem(part.table.path, variable, trait, labels, source):
        (reading.warnings if source.recode else reading.problems).append(wrong)
    return _translated(survey, part, cells, trait, source, variable)


def _backwards(
    survey: Survey,
    part: FilePart,
    cells: pd.DataFrame,
    trait: Trait,
    source: TraitSource,
    variable: str,
    zero_based: bool,
    reading: Reading,
) -> Harmonised:
    """A column whose scale runs the other way, turned round, unless the file's labels say that it does not.

    Turned mention items are coded 1 and 0 in some files and 2 and 1 in others: a column that holds neither 0 nor 2 is
    read as its neighbours are, else not at all.
    """
    name, labels = part.table.path.name, part.table.labels.get(variable, {})
    if _is_mention(trait):
        values = {text(value) for value in cells[variable].dropna().unique()}
        if "0" in values or (zero_based and "2" not in values):
            recode = {"1": 1, "0": 2}
            if direction(trait.labels, by_code(source.model_copy(update={"recode": recode}), labels)) < 0:
                recode = {"1": 2, "0": 1}
            turned = source.model_copy(update={"recode": recode})
            reading.notes.append(_FROM_ZERO.format(name, variable))
            return _translated(survey, part, cells, trait, turned, variable)
        if "2" not in values and not labels and "1" in values:
            reading.notes.append(f"{name}: {variable} holds 1 only, which may mean either answer: left out")
            found = _translated(survey, part, cells, trait, source, variable)
            return Harmonised(np.where(found.codes >= 0, OTHER, found.codes).astype(np.int16), found.strays)
    found = _translated(survey, part, cells, trait, source, variable)
    if not trait.labels or direction(trait.labels, by_code(source, labels)) > 0:
        return found
    ends = min(trait.labels) + max(trait.labels)
    reading.notes.append(f"{name}: {variable} has a reversed scale, read as {ends} - value")
    return Harmonised(np.where(found.codes >= 0, ends - found.codes, found.codes).astype(np.int16), found.strays)


def _is_mention(trait: Trait) -> bool:
    return trait.labels.get(1) == _MENTIONED and len(trait.labels) == 2


def _coded_from_zero(trait: Trait, values: pd.Series) -> bool:
    """Whether a mention item has 1 and 0 where the catalogue has 1 and 2."""
    if not _is_mention(trait):
        return False
    found = {text(value) for value in values.dropna().unique()}
    return "0" in found and "2" not in found


def _translated(
    survey: Survey, part: FilePart, cells: pd.DataFrame, trait: Trait, source: TraitSource, variable: str
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
    if source.filter and (other := table.find(source.filter.variable)):
        codes = _filtered(survey, part, source.filter, other, cells[other], codes)
    return Harmonised(codes.astype(np.int16), found.strays)


def _filtered(survey: Survey, part: FilePart, rule: Filter, variable: str, values: pd.Series, codes: Codes) -> Codes:
    """Codes after the answers to the question that came before."""
    labels = part.table.labels.get(variable, {})

    def unanswered(key: str) -> int:
        why = reason(survey.missing, key, labels.get(key, ""))
        return 0 if why is None else why

    over = harmonise(values, partial(_listed, rule.recode), text, OTHER).codes
    codes = np.where(over >= 0, over, codes)
    skipped = codes == NOT_APPLICABLE
    if rule.own_country:
        native = values.map(text).isin(rule.own_country).to_numpy() & skipped
        own = pd.Series(part.countries, index=values.index).map(country_number).to_numpy()
        codes = np.where(native, own, codes)
    why = harmonise(values, unanswered, text, survey.missing.blank).codes
    return np.where(skipped & (codes == NOT_APPLICABLE) & (why < 0), why, codes)


def _listed(recode: Mapping[str, int], key: str) -> int:
    return recode.get(key, OTHER)


def _trace(reading: Reading, part: FilePart, name: str, variable: str, values: pd.Series, codes: Codes) -> None:
    """Notes every value with what became of it, and labels that say "no answer" on what was taken as one."""
    if not reading.traced:
        return
    labels = part.table.labels.get(variable, {})
    counts = pd.DataFrame({"value": values.map(text), "code": codes}).value_counts().sort_index()
    rows = [
        ValueRow(str(value), clean(labels.get(value, "")), int(code), int(n)) for (value, code), n in counts.items()
    ]
    reading.values[name] = sorted(rows, key=lambda row: (not row.value.lstrip("-").isdecimal(), _number(row.value)))
    reading.questions[name] = clean(part.table.questions.get(variable, ""))
    for row in rows:
        if row.code >= 0 and row.value in labels and not row.value.startswith("-") and says_nothing(row.label):
            reading.warnings.append(
                f"{part.table.path}: {variable} ({name}) takes {row.value} ({row.label!r}) as an answer: list the code "
                "under [missing] if nobody answered there"
            )


def _number(value: str) -> int:
    return int(value) if value.lstrip("-").isdecimal() else 0

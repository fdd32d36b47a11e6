"""Every described trait of every shipped survey reads as the codebook means it: a table, and every value through it."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from personas.prompt.render import Variant, render
from personas.surveys.reader import read_files
from personas.surveys.survey import CountryColumn, Survey, known_surveys, load_survey
from personas.traits import MISSING, Persona, Trait

TABLE = Path(__file__).parent / "golden" / "meanings.tsv"
Row = dict[str, str]
REASONS = {name: code for code, name in MISSING.items()}

# What a file's codes for missing answers mean, by the codebooks.
NEGATIVE = {"-1": "don't know", "-2": "no answer", "-3": "not applicable", "-4": "not asked", "-5": "other"}
EVS = NEGATIVE | {"-6": "no answer", "-7": "no answer", "-8": "no answer", "-9": "not asked", "-10": "other"}
LETTERS = {"d": "don't know", "i": "not asked", "n": "no answer", "r": "no answer", "s": "not asked", "x": "not asked"}
ISSP = {"-1": "not applicable", "-2": "not applicable", "-4": "not asked", "-7": "no answer", "-8": "don't know"}
UNANSWERED = {
    "wvs7": NEGATIVE | {"-99": "other", "-999": "other"},
    "evs2017": EVS,
    "evs_wvs_joint": EVS,
    "gss": LETTERS,
    "issp2018": ISSP | {"-9": "no answer"},
    "afrobarometer9": {"-1": "no answer"},
    "starter_gss2018": {},
    "starter_wvs3": {},
}


def meanings() -> list[Row]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def columns_of(survey: Survey) -> dict[str, object]:
    """The columns that say who somebody is, as the survey's files name them."""
    columns = survey.columns
    heads: dict[str, object] = {}
    if isinstance(columns.country, CountryColumn):
        variable = columns.country.variable
        first = variable if isinstance(variable, str) else variable[0]
        heads[first] = next(iter(columns.country.recode), "HRV")
    if columns.wave:
        heads[columns.wave.variable] = columns.wave.expected[0]
    return heads


def clause(survey: Survey, trait: str, codes: pd.DataFrame, row: int, traits: Mapping[str, Trait]) -> str:
    """What a prompt says of one answer after "You are answering as "; the reason where there is none."""
    code = int(codes[trait].iloc[row])
    if code < 0:
        return f"({MISSING[code]})"
    persona = Persona("p", survey.survey, "", "", 1.0, {trait: code})
    return render(persona, traits, [trait], Variant("oneliner")).removeprefix("You are answering as ")


def written(survey: Survey, values: dict[str, list[str]], folder: Path) -> Path:
    """A file in which each variable takes each of its values in turn."""
    rows = max(map(len, values.values()))
    columns = {name: [cells[at % len(cells)] for at in range(rows)] for name, cells in values.items()}
    ids = survey.columns.id if isinstance(survey.columns.id, str) else survey.columns.id[0]
    frame = pd.DataFrame({**columns_of(survey), ids: range(1, rows + 1), **columns})
    frame.to_csv(folder / "data.csv", index=False)
    return folder / "data.csv"


# Those that no real file was read with are in test_untried.py.
@pytest.mark.parametrize("name", [name for name in known_surveys() if not load_survey(name).untried])
def test_every_value_of_every_trait_reads_as_the_codebook_means_it(name: str, tmp_path: Path) -> None:
    survey, unanswered = load_survey(name), UNANSWERED[name]
    table = [row for row in meanings() if row["survey"] == name]
    sources = {trait: source for trait, (_, source) in survey.defined().items()}
    told = {row["trait"] for row in table}
    assert told == set(sources), "the table has every trait of the description"
    values: dict[str, list[str]] = {}
    for row in table:
        values.setdefault(sources[row["trait"]].variables[0], []).append(row["value"])
    values = {variable: [*dict.fromkeys(cells), *unanswered] for variable, cells in values.items()}
    found = read_files(survey, [written(survey, values, tmp_path)], tolerant=True).respondents
    for row in table:
        if sources[row["trait"]].deciles:
            continue
        at = values[sources[row["trait"]].variables[0]].index(row["value"])
        assert clause(survey, row["trait"], found.frame, at, found.traits) == row["reads"], row
    for trait, source in sources.items():
        for value, reason in unanswered.items():
            if value not in source.recode and not (source.filter and reason == "not applicable"):
                at = values[source.variables[0]].index(value)
                assert found.frame[trait].iloc[at] == REASONS[reason], (trait, value)

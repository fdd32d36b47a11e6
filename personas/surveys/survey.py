"""The description of a survey: one TOML file that says where everything stands and how it is harmonised."""

import re
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from personas.bounded import parse_toml, read_text
from personas.countries import called, parse_country
from personas.errors import InputError, nearest
from personas.people.respondents import SYNTHETIC
from personas.surveys.codebook import CodebookEntry, codebook
from personas.traits import OTHER, Trait, catalogue, trait_from

Model = TypeVar("Model", bound=BaseModel)
Reason = int
Reasons = dict[str, Reason]
TO_FILL_IN = "TO FILL IN"  # what a draft writes for what only a person can say


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _alpha3(country: str) -> str:
    found = parse_country(country) or called(country)
    if found is None:
        if country == TO_FILL_IN:
            raise ValueError(
                'still to be filled in: write the country that the file is of, as its code (country = "TUN"), or '
                'the file\'s own column (country = { variable = "NAME" })'
            )
        raise ValueError(f'{country!r} is not a country; for a column of the file write {{ variable = "{country}" }}')
    return found


class CountryColumn(_Table):
    """The column of countries.

    It holds ISO 3166-1 codes of any kind, names, codes labelled with names, or values recoded to alpha-3.
    """

    variable: str | list[str]
    recode: dict[str, str] = {}

    @field_validator("recode")
    @classmethod
    def _known(cls, recode: dict[str, str]) -> dict[str, str]:
        return {value: _alpha3(country) for value, country in recode.items()}


class WaveColumn(_Table):
    """The wave's column.

    `expected` are its only values; with `per_row` they are the waves that are kept, and each respondent's wave is the
    value itself.
    """

    variable: str
    expected: list[int] = []
    per_row: bool = False


class Columns(_Table):
    """Where the respondent's id, country, weight, wave and region stand; a bare country holds for the whole file.

    Of several names the first that the file has is taken; of several weights, the first that a row has. The id `row`
    is in every file: the row's number after a hash of the file. With `ids_by_country` every country has its own 1, 2, 3
    …, and a respondent is named by country and number: "AUT-10009".
    """

    id: str | list[str]
    ids_by_country: bool = False
    country: str | CountryColumn
    weight: str | list[str] = []
    wave: WaveColumn | None = None
    region: str = ""

    @field_validator("country")
    @classmethod
    def _known(cls, country: str | CountryColumn) -> str | CountryColumn:
        return _alpha3(country) if isinstance(country, str) else country


class MissingCodes(_Table):
    """How the survey says why an answer is missing; every reason is a code of `personas.traits.MISSING`.

    `codes` are numbers as the file has them, `letters` Stata's extended missings, `labels` the first words of a value
    label, in lower case without punctuation. A label goes before a letter; a blank cell is `blank`.
    """

    codes: Reasons = {}
    letters: Reasons = {}
    labels: Reasons = {}
    blank: Reason = Field(default=-2, lt=0)


class Override(_Table):
    """Another variable that settles the answer where its value is listed."""

    variable: str
    recode: dict[str, int]


class Filter(_Table):
    """The question that decides whether the trait's own was asked.

    Its answers under `recode` settle the trait; those under `own_country` say that "not applicable" is the country of
    the interview. Where it was not answered, the trait is missing for the same reason.
    """

    variable: str
    recode: dict[str, int] = {}
    own_country: list[str] = []


class TraitSource(_Table):
    """Which variable a catalogue trait comes from, and how its values become catalogue codes.

    Of several variables the first that the file has is taken; with `asked`, the first whose question has one of its
    words, and a file whose variable asks something else is refused.
    `otherwise` is the reason for values that neither `recode` nor the trait's scale has (without it they are
    suspect). `deciles` ranks the file's brackets into ten steps.
    """

    variable: str | list[str]
    asked: list[str] = []
    recode: dict[str, int] = {}
    overrides: list[Override] = []
    filter: Filter | None = None
    otherwise: int | None = Field(default=None, lt=0)
    deciles: bool = False
    proxy: str = ""

    @property
    def variables(self) -> list[str]:
        """The names that the trait's variable may have."""
        return [self.variable] if isinstance(self.variable, str) else self.variable

    def asks(self, question: str) -> bool:
        """Whether a question may be the trait's, by the words of `asked`; one that the file does not have may be."""
        return not (question and self.asked) or any(word.lower() in question.lower() for word in self.asked)


class Extra(_Table):
    """The variables that become extended traits as the file itself describes them.

    They are names, globs ("con*") or ranges ("Q1..Q45").
    """

    variables: list[str]
    domain: str
    section: str = "Opinions"


class Survey(_Table):
    """One survey, as its TOML file describes it.

    `codebook` names the codebook that comes with the program; `asset` and `file` say where the starter surveys come
    from. `synthetic` people were made up by a model or a census; their survey's name begins with "synthetic_".
    `untried` says of a description that was not run on a real file what it was checked against.
    """

    survey: str
    title: str
    wave: str = ""
    asset: str = ""
    file: str = ""
    restricted: bool
    synthetic: bool = False
    untried: str = ""
    licence: str
    citation: str
    codebook: str = ""
    contains: list[str] = []
    reversed_suffix: str = ""
    columns: Columns
    missing: MissingCodes = MissingCodes()
    traits: dict[str, TraitSource]
    scales: dict[str, dict[str, Any]] = {}
    extended: dict[str, dict[str, Any]] = {}
    skip: list[str] = []
    extra: list[Extra] = []

    @model_validator(mode="after")
    def _says_that_it_is_synthetic(self) -> "Survey":
        if self.synthetic != self.survey.startswith(SYNTHETIC):
            raise ValueError(f'a survey of synthetic people, and no other, has a name that begins with "{SYNTHETIC}"')
        return self

    def remarks(self) -> list[str]:
        """What whoever builds from it must know first."""
        made_up = "these people are synthetic: a model made them up, and nobody was asked"
        return [*([self.untried] if self.untried else []), *([made_up] if self.synthetic else [])]

    def defined(self) -> dict[str, tuple[Trait, TraitSource]]:
        """The traits that the description itself defines, catalogue traits first, each with its source."""
        core, result = catalogue().traits, {}
        for name, source in self.traits.items():
            if name not in core:
                raise InputError(f"survey {self.survey!r}: unknown catalogue trait {name!r}; {nearest(name, core)}")
            result[name] = (core[name], source)
        for short, table in self.extended.items():
            name = f"{self.survey}:{short}"
            shared = table.get("answers")
            merged = {**(self.scales.get(str(shared), {}) if shared else {}), **table}
            if table.get("labels") == "codebook":
                named = merged.get("variable")
                entry = self.entry(str(named[0] if isinstance(named, list) and named else named))
                table = {**table, "labels": entry.labels if entry else {}}
            trait = trait_from(name, table, catalogue().domains, {**catalogue().scales, **self.scales}, "extended")
            keys = TraitSource.model_fields.keys() & merged.keys()
            result[name] = (trait, _checked(TraitSource, {key: merged[key] for key in keys}, self.survey))
        return result

    def entry(self, variable: str) -> CodebookEntry | None:
        """What the survey's codebook says of a variable, whatever the case of its letters."""
        return codebook(self.codebook).get(variable.lower())

    def extra_for(self, variable: str) -> Extra | None:
        """The rule under which a variable of the file becomes an extended trait; None when it does not."""
        if any(matches(variable, pattern) for pattern in self.skip):
            return None
        return next((rule for rule in self.extra if any(matches(variable, each) for each in rule.variables)), None)


def matches(variable: str, pattern: str) -> bool:
    """Whether a variable is meant by a name, a glob, or a range such as "Q1..Q45", whatever the case."""
    variable, pattern = variable.lower(), pattern.lower()
    if ends := _range(pattern):
        prefix, first, last = ends
        number = variable.removeprefix(prefix)
        return variable.startswith(prefix) and number.isdecimal() and first <= int(number) <= last
    return fnmatchcase(variable, pattern)


@cache
def _range(pattern: str) -> tuple[str, int, int] | None:
    found = re.fullmatch(r"([a-z_]+)(\d+)\.\.\1(\d+)", pattern)
    return (found[1], int(found[2]), int(found[3])) if found else None


def known_surveys() -> list[str]:
    """The names of the surveys that come with the program."""
    folder = files("personas.surveys")
    return sorted(entry.name[: -len(".toml")] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_survey(name: str) -> Survey:
    """The description of a built-in survey, or of a TOML file of the user's.

    Raises InputError for an unknown name, a file that cannot be read, and a key that a description does not have.
    """
    if name.endswith(".toml"):
        try:
            text = read_text(Path(name))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"survey description {name}: {getattr(error, 'strerror', None) or error}") from None
    elif name in known_surveys():
        text = files("personas.surveys").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise InputError(f"unknown survey {name!r}; {nearest(name, known_surveys())} (or give a .toml of your own)")
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise InputError(f"survey description {name}: {error}") from None
    survey = _checked(Survey, table, name)
    codebook(survey.codebook)
    survey.defined()
    for rule in survey.extra:
        if rule.domain not in catalogue().domains:
            raise InputError(
                f"survey {name!r}, extra: unknown domain {rule.domain!r}; {nearest(rule.domain, catalogue().domains)}"
            )
    return survey


def _checked(model: type[Model], table: dict[str, Any], name: str) -> Model:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"survey {name!r}, key {place!r}: {message}") from None


def reason(missing: MissingCodes, value: str, label: str) -> Reason | None:
    """Why a value is missing, from its code or letter and its label; None for an answer.

    >>> reason(MissingCodes(labels={"dk": -1}), "98", "DK/uncoded")
    -1
    """
    if value in missing.codes:
        return missing.codes[value]
    words = f"{_plain(label)} "
    for start, code in missing.labels.items():
        if words.startswith(f"{start} "):
            return code
    letter = value.removeprefix(".").lower()
    if len(letter) == 1 and letter.isalpha():
        return missing.letters.get(letter, OTHER)
    return None


def _plain(label: str) -> str:
    """Lower case, apostrophes gone (the mis-decoded ones too), other punctuation a blank."""
    text = label.lower().replace("â€™", "").replace("'", "").replace("’", "")
    return " ".join(re.sub(r"[^\w]+", " ", text).split())

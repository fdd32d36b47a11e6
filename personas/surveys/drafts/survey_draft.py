"""A first description of a survey file, drafted from what the file says of itself for a person to correct."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from personas.countries import called, parse_country
from personas.surveys.data_file import open_table
from personas.surveys.drafts import draft_words as words
from personas.surveys.label_cleaning import clean, clean_question, direction, plain, says_nothing, stems
from personas.surveys.survey import TO_FILL_IN
from personas.surveys.table import Table, text
from personas.traits import Trait, catalogue

_ADULT = range(14, 121)
_MOST = 0.9  # of the answers
_SAME_QUESTION = 0.75  # of the words of a trait's question
_MANY = 400
_WIDTH = 100
_COUNTRY = (
    'country in [columns]: the file has no column of countries; write the code of the country it is of, such as "TUN"'
)


@dataclass
class _Draft:
    """What the draft says so far, and the variables that it has used."""

    table: Table
    lines: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)

    def named(self, names: Sequence[str]) -> Iterator[str]:
        """The variables by these names that the file has."""
        yield from (found for found in map(self.table.find, names) if found)

    def question(self, variable: str) -> str:
        return clean_question(self.table.questions.get(variable, ""))

    def labels(self, variable: str) -> dict[str, str]:
        """The file's labels of a variable's answers; those that say nothing are left out."""
        labels = {value: clean(label) for value, label in self.table.labels.get(variable, {}).items()}
        return {value: label for value, label in labels.items() if label and not _is_silent(value, label)}

    def trait(self, name: str, variable: str, recode: Mapping[str, int] | None = None, proxy: str = "") -> None:
        """A trait's table, with the file's question and labels behind what became of them."""
        self.used.add(variable)
        self.found.append(f"{name} from {variable}")
        self.lines += ["", f"[traits.{name}]  # {_remark(self.question(variable) or variable)}"]
        self.lines.append(f"variable = {_toml(variable)}")
        for value, code in (recode or {}).items():
            label, ours = self.labels(variable).get(value, ""), catalogue().traits[name].label(code)
            self.lines.append(f"recode.{_toml(value)} = {code}  # {_remark(label)} → {ours}")
        if recode:
            self.lines.append("otherwise = -5")
        if proxy:
            self.lines.append(f"proxy = {_toml(proxy)}")


@dataclass(frozen=True)
class Drafted:
    """The text of a description, the traits of the catalogue that were found, and what a person still has to say."""

    text: str
    found: tuple[str, ...]
    open: tuple[str, ...]


def draft(path: Path, country: str = "") -> Drafted:
    """The description of a survey file; `country` (alpha-3) is that of a file without a column of countries.

    Raises InputError for a file that cannot be read.
    """
    table = open_table(path)
    made = _Draft(table)
    for find in (_age, _gender, _place, _education, _religion, _born_here):
        find(made)
    _values(made)
    traits, made.lines = made.lines, []
    missing = _columns(made, country)
    columns, made.lines = made.lines, []
    name = re.sub(r"\W+", "_", path.stem).strip("_").lower() or "mine"
    file = _remark(path.name)
    head = [
        *([f"# TO FILL IN FIRST: {_COUNTRY}."] if any(TO_FILL_IN in line for line in columns) else []),
        f"# Drafted from {file}: {table.rows:,} rows, {len(table.variables):,} variables. Correct it;",
        f"# `mtpa-run personas check {path.stem}.toml --data {file}` shows what becomes of every value.",
        f"survey = {_toml(name)}",
        f"title = {_toml(path.stem)}  # to be named",
        'wave = ""  # to be named, such as "2022"',
        "restricted = true  # false where the licence lets anybody pass the answers on, or send them to a model",
        'licence = "unknown"  # to be named',
        'citation = "unknown"  # to be named',
    ]
    labels = _missing(made)
    body = [*head, "", *columns, *labels, *traits, *_extra(made)]
    found = {line.split(" from ")[0] for line in made.found}
    missing += [f"no variable was found for {each}" for each in ("age", "gender") if each not in found]
    if not table.labels:
        missing.append("the file labels no values: what its codes mean, and which are no answers, has to be typed in")
    return Drafted("\n".join(body) + "\n", tuple(made.found), tuple(missing))


def _columns(made: _Draft, country: str) -> list[str]:
    """Who the respondents are; what is still to be said."""
    table, to_say = made.table, []
    column = (
        None if country else next((name for name in made.named(words.COUNTRIES) if _holds_countries(table, name)), None)
    )
    identity = _identity(made, column or "")
    if column:
        made.lines.append(f"country = {{ variable = {_toml(column)} }}")
    else:
        made.lines.append(f'country = "{country or TO_FILL_IN}"' + ("" if country else '  # such as "TUN"'))
        to_say += [] if country else [f"{_COUNTRY}, or draft again with --country TUN"]
    if weights := list(made.named(words.WEIGHTS)):
        made.lines.append(f"weight = {_toml(weights)}  # the first that a respondent has")
    if region := next(made.named(words.REGIONS), None):
        made.lines.append(f"region = {_toml(region)}")
    made.used |= {identity, column or "", region or "", *weights}
    return to_say


def _identity(made: _Draft, country: str) -> str:
    """The variable that tells respondents apart: by itself, within a country, or "row" where the file has none."""
    names = list(made.named(words.IDS))
    identity = next((name for name in names if _is_unique(made.table, name)), "")
    within = next((name for name in names if country and _is_unique(made.table, name, country)), "")
    made.lines += ["[columns]", f"id = {_toml(identity or within or 'row')}"]
    if not (identity or within):
        made.lines[-1] += "  # the file has no ids"
    elif not identity:
        made.lines.append("ids_by_country = true  # every country has its own 1, 2, 3 …")
    return identity or within or "row"


def _is_unique(table: Table, variable: str, country: str = "") -> bool:
    """Whether no two rows have the same value of a variable, or, with `country`, no two of one country."""
    values = table.read([variable])[variable].map(text)
    named = values if not country else table.read([country])[country].map(text) + "-" + values
    return named.is_unique and not values.isin(["", "nan", "None"]).any()


def _holds_countries(table: Table, variable: str) -> bool:
    labels = table.labels.get(variable, {})
    keys = table.read([variable])[variable].dropna().map(text)
    known = {key: called(labels.get(key, "")) or parse_country(key) or called(key) for key in keys.unique()}
    return bool(known) and all(known.values())


def _candidates(made: _Draft, pattern: re.Pattern[str]) -> Iterator[str]:
    """The variables whose name or question says it of the respondent, those of the shortest question first."""
    free = (name for name in made.table.variables if name not in made.used)
    texts = {name: f"{made.question(name)}" for name in free}
    fitting = [name for name in texts if pattern.search(name) or pattern.search(texts[name])]
    yield from sorted(
        (name for name in fitting if not words.OF_OTHERS.search(texts[name])), key=lambda name: len(texts[name])
    )


def _age(made: _Draft) -> None:
    for name in _candidates(made, words.AGE):
        values = pd.to_numeric(made.table.read([name])[name], errors="coerce").dropna()
        silent = {value for value, label in made.table.labels.get(name, {}).items() if _is_silent(value, label)}
        values = values[~values.map(text).isin(silent)]
        if len(values) and values.isin(_ADULT).mean() >= _MOST and values.nunique() > len(words.IDS):
            made.trait("age", name)
            made.lines.append("otherwise = -2")
            return


def _gender(made: _Draft) -> None:
    trait = catalogue().traits["gender"]
    for name in _candidates(made, words.GENDER):
        labels = made.labels(name)
        pairs = [(low, high) for low in labels for high in labels if low != high]
        same = [pair for pair in pairs if direction(trait.labels, {1: labels[pair[0]], 2: labels[pair[1]]}) == 1]
        if same:
            made.trait("gender", name, {same[0][0]: 1, same[0][1]: 2})
            return


def _place(made: _Draft) -> None:
    for name in _candidates(made, words.PLACE):
        codes = {
            value: 2 if words.RURAL.search(label) and not words.URBAN.search(label) else 1
            for value, label in made.labels(name).items()
            if words.RURAL.search(label) or words.URBAN.search(label)
        }
        if {*codes.values()} == {1, 2}:
            made.trait("urban_rural", name, codes)
            return


def _education(made: _Draft) -> None:
    _by_label(made, "education", words.EDUCATION, words.EDUCATION_LABELS, least=4)


def _religion(made: _Draft) -> None:
    _by_label(made, "religion", words.RELIGION, words.RELIGION_LABELS, least=3)


def _by_label(
    made: _Draft, trait: str, asked: re.Pattern[str], meanings: Mapping[re.Pattern[str], int], least: int
) -> None:
    """A trait whose codes are recognised by words in the labels, from the variable with the most labels recognised."""
    best: tuple[str, dict[str, int]] = ("", {})
    for name in _candidates(made, asked):
        labels = made.labels(name)
        codes = {
            value: code
            for value, label in labels.items()
            if (code := next((code for pattern, code in meanings.items() if pattern.search(label)), None)) is not None
        }
        if len(codes) >= _SAME_QUESTION * len(labels) and len(set(codes.values())) > len(set(best[1].values())):
            best = (name, codes)
    if len(set(best[1].values())) >= least:
        made.trait(trait, *best, proxy="drafted from the words of the labels")


def _born_here(made: _Draft) -> None:
    for name in _candidates(made, words.BORN_HERE):
        codes = {
            value: 1 if words.YES.search(label) else 2
            for value, label in made.labels(name).items()
            if words.YES.search(label) or words.NO.search(label)
        }
        if {*codes.values()} == {1, 2}:
            made.trait("immigrant_background", name, codes)
            return


def _values(made: _Draft) -> None:
    """Value traits: the same words in the question, as many labels, and ends that mean the same."""
    for name, trait in catalogue().traits.items():
        if trait.use != "value":
            continue
        ours = stems(trait.question)
        for variable in made.table.variables:
            theirs, labels = stems(made.question(variable)), made.labels(variable)
            if (
                variable in made.used
                or len(labels) != len(trait.labels)
                or len(ours & theirs) < _SAME_QUESTION * len(ours)
            ):
                continue
            if recode := _same_ends(trait, labels):
                made.trait(name, variable, recode)
                break


def _same_ends(trait: Trait, labels: Mapping[str, str]) -> dict[str, int]:
    """Each value's code, in the file's order or turned round; empty where the ends do not tell which."""
    values = sorted((value for value in labels if value.lstrip("-").isdecimal()), key=int)
    codes = sorted(trait.labels)
    if len(values) != len(codes):
        return {}
    way = direction(trait.labels, {code: labels[value] for code, value in zip(codes, values, strict=True)})
    return dict(zip(values, codes if way > 0 else codes[::-1], strict=True)) if way else {}


def _missing(made: _Draft) -> list[str]:
    """The file's own labels that say that nobody answered, each with the reason."""
    labels = {
        plain(label) for of in made.table.labels.values() for value, label in of.items() if _is_silent(value, label)
    }
    reasons = {label: next(code for words_, code in words.REASONS.items() if words_.search(label)) for label in labels}
    lines = ["", "[missing.labels]  # -1 don't know, -2 no answer, -3 not applicable, -4 not asked"]
    return (
        [*lines, *(f"{_toml(label)} = {code}" for label, code in sorted(reasons.items()) if label)] if reasons else []
    )


def _is_silent(value: str, label: str) -> bool:
    """Whether a label says that nobody answered; many files keep negative values for nothing else."""
    return says_nothing(label) or value.startswith("-")


def _extra(made: _Draft) -> list[str]:
    """Every other question, under the domain that its words are of; what is of the fieldwork is skipped."""
    skipped: list[str] = []
    domains: dict[str, list[str]] = {}
    for name in made.table.variables:
        asked = f"{name} {made.question(name)}"
        if name in made.used:
            continue
        if words.TECHNICAL.search(asked) or not made.labels(name) or len(made.labels(name)) > _MANY:
            skipped.append(name)
            continue
        domain = next((each for each, of in words.DOMAIN_WORDS.items() if of.search(asked)), "social_values")
        domains.setdefault(domain, []).append(name)
    lines = []
    for domain, names in domains.items():
        lines += ["", "[[extra]]", f"variables = {_list(names)}", f'domain = "{domain}"', 'section = "Opinions"']
    if skipped:
        lines += [
            "",
            "# Not taken: of the sample or the fieldwork by their words, or without labels.",
            *_wrapped([_remark(name) for name in skipped], "#"),
        ]
    return lines


def _list(names: Sequence[str]) -> str:
    return "[\n" + "\n".join(_wrapped([f"{_toml(name)}," for name in names], "   ")) + "\n]"


def _wrapped(names: Sequence[str], start: str) -> Iterator[str]:
    """The names on lines of no great length, each line after `start`."""
    line = start
    for name in names:
        if len(line) + len(name) > _WIDTH and line != start:
            yield line
            line = start
        line += f" {name}"
    yield line


def _remark(text_: str) -> str:
    """A text as a comment may have it: one line, of no great length."""
    return clean(text_)[:_WIDTH]


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

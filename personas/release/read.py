"""Persona files: MTPA.jsonl and MTPA-base.jsonl, personas.parquet, and the paper's authors' mpta.json.

A line of the JSONL files is one respondent: id, survey, wave, country, weight, split, and `data`, a list of what was
answered: trait, domain, use, question, scale, value, label.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from personas.countries import parse_country
from personas.errors import InputError
from personas.people.respondents import META, OPTIONAL, Respondents, Source, in_order
from personas.release.card import PAPER
from personas.release.parquet import read_store, replaced
from personas.surveys.extended import PHRASE
from personas.surveys.survey import load_survey
from personas.traits import NO_ANSWER, NOT_ASKED, Trait, catalogue

_AUTHORS = "mpta"
_HIGHEST = np.iinfo(np.int16).max


def read_personas(path: Path) -> Respondents:
    """The respondents of a personas.parquet, an MTPA.jsonl (or .jsonl.gz), or the authors' mpta.json.

    Raises InputError for anything else, with the line where it stops making sense.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        return read_store(path)[0]
    if name.endswith((".jsonl", ".jsonl.gz")):
        return _read_jsonl(path)
    if name.endswith(".json"):
        return _read_authors(path)
    raise InputError(f"{path}: a persona file is a .parquet, .jsonl, .jsonl.gz or .json file")


def write_jsonl(path: Path, respondents: Respondents, core_only: bool) -> int:
    """Write a line a respondent; returns how many. `core_only` leaves extended traits out.

    Whether the rows may be passed on is the caller's to ask (`refuse_restricted`). Raises MachineError where the disk
    refuses.
    """
    traits = respondents.traits
    names = [name for name in respondents.columns() if not (core_only and traits[name].use == "extended")]
    fragments: dict[tuple[str, int], str] = {}
    with replaced(path) as raw:
        file = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
        for head, row in _rows(respondents, names):
            answers = []
            for at in np.flatnonzero(row >= 0):
                key = (names[at], int(row[at]))
                if key not in fragments:
                    fragments[key] = _dumps(_answer(traits[key[0]], key[1]))
                answers.append(fragments[key])
            start = _dumps(head)[:-1]
            file.write(f'{start},"data":[{",".join(answers)}]}}\n'.encode())
        if file is not raw:
            file.close()
    return len(respondents)


def refuse_restricted(respondents: Respondents) -> None:
    """Raises InputError where the terms of a survey forbid passing its rows on."""
    if sources := respondents.restricted():
        first = sources[0]
        raise InputError(
            f"{first.title} may not be passed on as you please ({first.licence}): if you have leave, say --i-may-share"
        )


def _rows(respondents: Respondents, names: list[str]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    codes = respondents.frame[names].to_numpy()
    columns = [name for name in (*META, *OPTIONAL) if name in respondents.frame]
    for meta, row in zip(respondents.frame[columns].itertuples(index=False), codes, strict=True):
        values = dict(zip(columns, meta, strict=True))
        yield {"id": values.pop("persona_id"), **values, "weight": round(float(meta.weight), 6)}, row


def _answer(trait: Trait, code: int) -> dict[str, Any]:
    return {
        "trait": trait.name,
        "domain": trait.domain,
        "use": trait.use,
        "question": trait.question,
        "scale": trait.range(),
        "value": code,
        "label": trait.label(code),
    }


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read_jsonl(path: Path) -> Respondents:
    """The inverse of `write_jsonl`, as far as a line says: phrases of extended traits come from the survey's
    description where there is one."""
    heads: list[dict[str, Any]] = []
    answers: list[dict[str, int]] = []
    traits: dict[str, Trait] = {"country": catalogue().traits["country"]}
    defined: dict[str, Mapping[str, Trait]] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            data = record.pop("data")
            texts = {name: str(record.get(name, "")) for name in ("survey", "wave", "country", *OPTIONAL)}
            head = {**texts, "persona_id": str(record["id"]), "weight": float(record.get("weight", 1.0))}
            for each in data:
                _learn(traits, each, texts["survey"], defined)
            answers.append({each["trait"]: int(each["value"]) for each in data})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}, line {number}: not a persona ({type(error).__name__}: {error})") from None
        heads.append(head)
    return _respondents(path, heads, answers, traits)


def _lines(path: Path) -> Iterator[str]:
    opened: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            yield from file
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _learn(
    traits: dict[str, Trait], answer: Mapping[str, Any], survey: str, defined: dict[str, Mapping[str, Trait]]
) -> None:
    """Adds the trait of an answer, and its label, to what is known."""
    name, code = str(answer["trait"]), int(answer["value"])
    if name not in traits:
        if survey not in defined:
            defined[survey] = _defined(survey)
        traits[name] = defined[survey].get(name) or _untold(name, answer)
    trait = traits[name]
    if (
        trait.use == "extended"
        and code not in trait.labels
        and trait.scale is None
        and str(answer["label"]) != str(code)
    ):
        traits[name] = replace(trait, labels={**trait.labels, code: str(answer["label"])})


def _defined(survey: str) -> Mapping[str, Trait]:
    try:
        return {**catalogue().traits, **{name: trait for name, (trait, _) in load_survey(survey).defined().items()}}
    except InputError:
        return catalogue().traits


def _untold(name: str, answer: Mapping[str, Any]) -> Trait:
    """An extended trait as a line of the file describes it."""
    domain = str(answer.get("domain", ""))
    if domain not in catalogue().domains:
        raise ValueError(f"unknown domain {domain!r}")
    section = "Background" if domain == "demographics" else "Opinions"
    return Trait(name, str(answer["question"]), domain, "extended", section, phrase=PHRASE)


def _respondents(
    path: Path, heads: list[dict[str, Any]], answers: list[dict[str, int]], traits: dict[str, Trait]
) -> Respondents:
    if not heads:
        raise InputError(f"{path} holds no persona")
    ids = [head["persona_id"] for head in heads]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise InputError(f"{path}: persona id {twice!r} occurs more than once")
    for at, (head, given) in enumerate(zip(heads, answers, strict=True), 1):
        if head["country"] and parse_country(head["country"]) != head["country"]:
            raise InputError(f"{path}, persona {at}: {head['country']!r} is no ISO 3166-1 alpha-3 country code")
        for name, code in given.items():
            if not (0 <= code <= _HIGHEST and traits[name].holds(code)):
                raise InputError(f"{path}, persona {at}: {name} = {code} is no answer to {traits[name].question!r}")
    traits = in_order(traits)
    names = [name for name in traits if name != "country"]
    codes = np.full((len(names), len(heads)), NOT_ASKED, dtype=np.int16)
    place = {name: row for row, name in enumerate(names)}
    for column, given in enumerate(answers):
        for name, code in given.items():
            codes[place[name], column] = code
    head_frame = pd.DataFrame(heads, columns=[*META, *OPTIONAL])
    head_frame = head_frame.drop(columns=[name for name in OPTIONAL if not head_frame[name].any()])
    frame = pd.concat([head_frame, pd.DataFrame(codes.T, columns=names)], axis=1)
    weighted = head_frame["weight"].ne(1.0).groupby(head_frame["survey"]).any()
    sources = {name: replace(source_of(name), weighted=bool(weighted[name])) for name in sorted(weighted.index) if name}
    return Respondents(frame, traits, sources)


def source_of(name: str) -> Source:
    """A survey by its name: its terms from its description; of an unknown survey the careful guess."""
    if name == _AUTHORS:
        licence = "CC-BY-NC-4.0 as released by the paper's authors; the answers are under the terms of WVS, EVS and GSS"
        return Source(name, "MTPA personas of Tehenan, Chamoun and Vlachos", True, licence, PAPER)
    try:
        survey = load_survey(name)
    except InputError:
        return Source(name, name, True, "unknown terms: ask who gave you the file", name)
    return Source(name, survey.title, survey.restricted, survey.licence, survey.citation)


def _read_authors(path: Path) -> Respondents:
    """mpta.json: a list of {"id", "data": [{"question_id", "answer_value"}]}, questions and codes those of WVS-7.

    An answer is a code or its label. A question that neither the catalogue nor WVS-7 has becomes an extended trait.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(records, list):
            raise ValueError("not a list")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is not the authors' mpta.json ({error})") from None
    survey = load_survey("wvs7")
    names = {source.variable.lower(): name for name, (_, source) in survey.defined().items()}
    names |= {name: name for name in catalogue().traits}
    traits = {name: catalogue().traits[name] for name in ("country", "age", "gender")}
    heads, answers = [], []
    for number, record in enumerate(records, 1):
        try:
            head = {"persona_id": f"{_AUTHORS}::{record['id']}", "survey": _AUTHORS, "wave": "", "country": ""}
            given: dict[str, int] = {}
            for each in record["data"]:
                _authors_answer(str(each["question_id"]), each["answer_value"], names, traits, head, given)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}, persona {number}: {type(error).__name__}: {error}") from None
        heads.append({**head, "weight": 1.0, "region": "", "split": ""})
        answers.append(given)
    return _respondents(path, heads, answers, traits)


def _authors_answer(
    question: str,
    value: Any,
    names: Mapping[str, str],
    traits: dict[str, Trait],
    head: dict[str, str],
    given: dict[str, int],
) -> None:
    """Puts one answer where it belongs; one that is missing, or says nothing on the scale, is left out."""
    if question.lower() in ("b_country_alpha", "b_country", "country"):
        head["country"] = parse_country(str(value)) or ""
        return
    name = names.get(question.lower(), f"{_AUTHORS}:{question}")
    if name not in traits:
        known = catalogue().traits.get(name)
        traits[name] = known or Trait(name, question, "social_values", "extended", "", scale=(0, _HIGHEST))
    trait = traits[name]
    if isinstance(value, str) and not value.lstrip("-").isdecimal():
        labels = {label.lower(): code for code, label in trait.labels.items()}
        code = labels.get(value.strip().lower(), NO_ANSWER)
    else:
        code = int(value)
    if code >= 0 and trait.holds(code):
        given[name] = code

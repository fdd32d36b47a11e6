"""MTPA.jsonl and MTPA-base.jsonl: a line is one respondent.

A line has id, survey, wave, country, weight, split, and `data`, a list of what was answered: trait, domain, use,
question, scale, value, label. The label is "" where nothing says what the code means.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from personas.bounded import check_file, lines, parse_json
from personas.errors import InputError
from personas.people.respondents import META, OPTIONAL, Respondents
from personas.release.assemble import respondents_of
from personas.surveys.extended import PHRASE
from personas.surveys.survey import load_survey
from personas.traits import Trait, catalogue
from personas.whole_file import replaced


def write_jsonl(path: Path, respondents: Respondents, core_only: bool) -> int:
    """Write a line a respondent; returns how many. `core_only` leaves extended traits out.

    Whether the rows may be passed on is the caller's to ask (`refuse_restricted`). Raises MachineError where the disk
    refuses.
    """
    traits = respondents.traits
    names = [name for name in respondents.columns() if not (core_only and traits[name].use == "extended")]
    fragments: dict[tuple[str, int], str] = {}
    with replaced(path, bool(respondents.restricted())) as raw:
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
        "label": trait.label(code) if trait.section or trait.use != "extended" else "",
    }


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_jsonl(path: Path) -> Respondents:
    """The inverse of `write_jsonl`, as far as a line says.

    The phrases of extended traits come from the survey's description where there is one.
    """
    heads: list[dict[str, Any]] = []
    answers: list[dict[str, int]] = []
    traits: dict[str, Trait] = {"country": catalogue().traits["country"]}
    defined: dict[str, Mapping[str, Trait]] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = parse_json(line)
            data = record.pop("data")
            texts = {name: str(record.get(name, "")) for name in ("survey", "wave", "country", *OPTIONAL)}
            head = {**texts, "persona_id": str(record["id"]), "weight": float(record.get("weight", 1.0))}
            for each in data:
                _learn(traits, each, texts["survey"], defined)
            answers.append({each["trait"]: int(each["value"]) for each in data})
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise InputError(f"{path}, line {number}: not a persona ({type(error).__name__}: {error})") from None
        heads.append(head)
    return respondents_of(path, heads, answers, traits)


def _lines(path: Path) -> Iterator[str]:
    check_file(path)
    opened: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            yield from lines(file)
    except (OSError, EOFError, UnicodeDecodeError, ValueError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _learn(
    traits: dict[str, Trait], answer: Mapping[str, Any], survey: str, defined: dict[str, Mapping[str, Trait]]
) -> None:
    """Adds the trait of an answer, and its label, to what is known."""
    name, code = str(answer["trait"]), int(answer["value"])
    if name not in traits:
        if survey not in defined:
            defined[survey] = _defined(survey)
        traits[name] = defined[survey].get(name) or _trait_of_line(name, answer)
    trait = traits[name]
    if (
        trait.use == "extended"
        and code not in trait.labels
        and trait.scale is None
        and str(answer["label"]) not in ("", str(code))
    ):
        traits[name] = replace(trait, labels={**trait.labels, code: str(answer["label"])})


def _defined(survey: str) -> Mapping[str, Trait]:
    try:
        return {**catalogue().traits, **{name: trait for name, (trait, _) in load_survey(survey).defined().items()}}
    except InputError:
        return catalogue().traits


def _trait_of_line(name: str, answer: Mapping[str, Any]) -> Trait:
    """An extended trait as a line of the file describes it; without a label it is never told."""
    domain = str(answer.get("domain", ""))
    if domain not in catalogue().domains:
        raise ValueError(f"unknown domain {domain!r}")
    section = "Background" if domain == "demographics" else "Opinions"
    if not answer["label"]:
        return Trait(name, str(answer["question"]), domain, "extended", "")
    return Trait(name, str(answer["question"]), domain, "extended", section, phrase=PHRASE)

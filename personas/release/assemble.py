"""Respondents from the records of a persona file, checked against what their traits hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from personas.countries import parse_country
from personas.errors import InputError
from personas.people.respondents import META, OPTIONAL, Respondents, Source, in_order
from personas.release.card import PAPER
from personas.surveys.survey import load_survey
from personas.traits import NOT_ASKED, Trait

AUTHORS = "mpta"


HIGHEST = np.iinfo(np.int16).max


def respondents_of(
    path: Path, heads: list[dict[str, Any]], answers: list[dict[str, int]], traits: dict[str, Trait]
) -> Respondents:
    """Respondents from a file of personas, a head and its answers each; raises InputError where there is none."""
    if not heads:
        raise InputError(f"{path} holds no persona")
    ids = [head["persona_id"] for head in heads]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise InputError(f"{path}: persona id {twice!r} occurs more than once")
    for at, (head, given) in enumerate(zip(heads, answers, strict=True), 1):
        if head["country"] and parse_country(head["country"]) != head["country"]:
            raise InputError(f"{path}, persona {at}: {head['country']!r} is not an ISO 3166-1 alpha-3 country code")
        for name, code in given.items():
            if not (0 <= code <= HIGHEST and traits[name].holds(code)):
                raise InputError(f"{path}, persona {at}: {name} = {code} is not an answer to {traits[name].question!r}")
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
    if name == AUTHORS:
        licence = "CC-BY-NC-4.0 as released by the paper's authors; the answers are under the terms of WVS, EVS and GSS"
        return Source(name, "MTPA personas of Tehenan, Chamoun and Vlachos", True, licence, PAPER)
    try:
        survey = load_survey(name)
    except InputError:
        return Source(name, name, True, "unknown terms: ask who gave you the file", name)
    return Source(name, survey.title, survey.restricted, survey.licence, survey.citation)

"""A study made ready to ask: what it names is fetched and read, its file opened, its rows made."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from personas.errors import MtpaError
from personas.people.respondents import Respondents
from personas.prompt.trait_sets import trait_sets
from runner.backends.catalogue.parameters import adapted
from runner.backends.likelihoods.continuations import method
from runner.backends.local import local_identity, weights
from runner.backends.request import METHOD, AnswerKind, ModelIdentity
from runner.crossing.cross import cross
from runner.crossing.trials import Crossing
from runner.store.assigned.deals import known_starts
from runner.store.cache import ResultCache
from runner.store.database import database_errors, keep_private, make_private, refuse_redacted
from runner.store.foreign import reading_file
from runner.store.resolutions import has_answers, in_file, in_sibling_file
from runner.store.runs import sampling_rule
from runner.study.assets import assets
from runner.study.config import Study
from runner.study.sections import ModelSection
from runner.study.sources import load_benchmarks, load_fidelity, load_personas


class Prepared(NamedTuple):
    """A study with its file open and its rows made.

    `rule` is the sampling rule by which its people are drawn; `remarks` is what to know of its benchmarks.
    """

    study: Study
    cache: ResultCache
    crossing: Crossing
    rule: int
    remarks: tuple[str, ...] = ()


@contextmanager
def prepared(study: Study, enter: Callable[[str], None] = lambda phase: None) -> Iterator[Prepared]:
    """Fetch and read what the study names, open its database and make the rows of its crossing.

    `enter` hears what goes on, in words.
    """
    with reading_file(study.database):
        yield from _prepared(study, enter)


def _prepared(study: Study, enter: Callable[[str], None]) -> Iterator[Prepared]:
    names = dict.fromkeys(section.name for section in study.benchmarks)
    enter(f"fetching and reading {', '.join(names) or 'nothing but people'}")
    selections = load_benchmarks(study)
    rule = sampling_rule(study.database, study.other_files)
    enter(f"fetching and reading the people of {', '.join(study.personas.sources)}")
    respondents = load_personas(study, rule)
    selections += load_fidelity(study, respondents)
    if study.study.is_private(bool(respondents.restricted())):
        make_private(study.database)
        if study.study.private:  # said anew of a file that is there
            keep_private(study.database)
    cache = ResultCache(study.database)
    try:
        refuse_redacted(cache.connection, study.database)
        enter("planning who is asked what")
        identities = [identity_of(section, cache.connection, study.whole_database) for section in study.models]
        with database_errors(study.database):
            known = known_starts(cache.connection)
            crossing = cross(study, cache.connection, respondents, selections, identities, known, rule)
        remarks = (*_same_sets(study, respondents), *(each for found in selections for each in found.remarks))
        yield Prepared(study, cache, crossing, rule, remarks)
    finally:
        cache.close()


def _same_sets(study: Study, respondents: Respondents) -> tuple[str, ...]:
    """That selections of traits come to the same for these people, where they do."""
    named = study.trait_sets
    if len(trait_sets(named, respondents.traits)) == len(named):
        return ()
    words = ", ".join(f"{each!r}" if isinstance(each, str) else str(list(each)) for each in named)
    return (f"[variants] traits: of {words} some are the same for these people, and asked once",)


def identity_of(section: ModelSection, connection: sqlite3.Connection, whole: Path) -> ModelIdentity:
    """What of the model is part of every key.

    For a local model, `dtype = "auto"` is as the file already resolved it. For another, the parameters are those that
    its endpoint takes, as this file knows, or that of the `whole` study beside it.
    """
    if section.is_local:
        sql = "SELECT dtype FROM model WHERE provider = 'local' AND model = ? ORDER BY id LIMIT 1"
        row = connection.execute(sql, (section.id,)).fetchone()
        identity = local_identity(section, row[0] if row else None)
        return replace(identity, methods=_methods(identity, connection))
    parameters = _parameters(section, connection, whole)
    methods: dict[AnswerKind, str] = {"loglik": method(section.endpoint)} if section.endpoint.loglikelihoods else {}
    return ModelIdentity(section.backend, section.id, section.revision, "", parameters, methods)


def _parameters(section: ModelSection, connection: sqlite3.Connection, whole: Path) -> Mapping[str, Any]:
    """The decoding parameters as they are sent.

    As the endpoint was found to take them; else as an older file has them, so that its answers stay valid; else as the
    table of families guesses.
    """
    known = in_file(connection, section)
    if known is None and not has_answers(connection, section):
        known = in_sibling_file(section, whole)
    if known is not None:
        return known.parameters
    now, before = adapted(section)[0], adapted(section, before=True)[0]
    if now == before:
        return now
    sql = "SELECT parameters FROM model WHERE provider = ? AND model = ? AND revision = ? AND answer = ?"
    rows = connection.execute(sql, (section.backend, section.id, section.revision, section.answer))
    return before if any(json.loads(row[0]) == before for row in rows) else now


def _methods(identity: ModelIdentity, connection: sqlite3.Connection) -> Mapping[AnswerKind, str]:
    """Which answers of a local model are computed by another method than before.

    As the file knows, else as its tokenizer and template show.
    """
    known_before = "provider = 'local' AND model = ? AND revision = ? AND methods IS NOT NULL"
    sql = f"SELECT methods FROM model WHERE {known_before} LIMIT 1"
    if row := connection.execute(sql, (identity.model, identity.revision)).fetchone():
        known: Mapping[AnswerKind, str] = json.loads(row[0])
        return known
    entry = assets().get(identity.model)
    if entry is not None and entry.changed is not None:
        return dict.fromkeys(entry.changed, METHOD)
    try:
        from runner.serve.method import changed_of_model  # loads transformers, which takes seconds

        found = changed_of_model(*weights(identity.model), None if entry else identity.revision or None)
    except (
        MtpaError,
        ImportError,
    ):  # another machine has the model: what is not known is never paired with old answers
        return dict.fromkeys(("text", "letters", "loglik"), METHOD)
    return dict.fromkeys(sorted(found), METHOD)

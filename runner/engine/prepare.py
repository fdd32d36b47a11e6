"""A study made ready to ask: what it names is fetched and read, its file opened, its rows made."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from runner.backends.catalogue.parameters import adapted
from runner.backends.local import local_identity
from runner.backends.request import ModelIdentity
from runner.engine.cross import cross
from runner.engine.trials import Crossing
from runner.store.cache import ResultCache
from runner.store.database import database_errors, refuse_redacted
from runner.study.config import Study
from runner.study.sections import ModelSection
from runner.study.sources import load_benchmarks, load_personas


class Prepared(NamedTuple):
    """A study with its file open and its rows made."""

    study: Study
    cache: ResultCache
    crossing: Crossing


@contextmanager
def prepared(study: Study, say: Callable[[str], None] = lambda line: None) -> Iterator[Prepared]:
    """Fetch and read what the study names, open its database and make the rows of its crossing."""
    selections = load_benchmarks(study, say)
    respondents = load_personas(study, say)
    cache = ResultCache(study.database)
    try:
        refuse_redacted(cache.connection, study.database)
        identities = [identity_of(section, cache.connection) for section in study.models]
        with database_errors(study.database):
            crossing = cross(study, cache.connection, respondents, selections, identities)
        yield Prepared(study, cache, crossing)
    finally:
        cache.close()


def identity_of(section: ModelSection, connection: sqlite3.Connection) -> ModelIdentity:
    """What of the model is part of every key: for a local one, `dtype = "auto"` is as the file has it already."""
    if section.backend == "local":
        sql = "SELECT dtype FROM model WHERE provider = 'local' AND model = ? ORDER BY id LIMIT 1"
        row = connection.execute(sql, (section.id,)).fetchone()
        return local_identity(section, row[0] if row else None)
    return ModelIdentity(section.backend, section.id, section.revision, "", adapted(section)[0])

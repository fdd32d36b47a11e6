"""Restricted survey text goes only where the study says, after one acknowledgement that quotes its terms."""

import sqlite3
from collections.abc import Sequence

from personas.errors import InputError
from personas.people.respondents import Respondents
from runner.store.database import now
from runner.study.sections import ModelSection


def require_acknowledgement(
    connection: sqlite3.Connection, respondents: Respondents, models: Sequence[ModelSection], acknowledged: bool
) -> None:
    """Raises InputError where restricted text would leave this machine and nobody has agreed to its terms yet.

    An acknowledgement is kept in the file, so that it is asked for once.
    """
    away = [model.name for model in models if model.leaves_machine]
    known = {survey for (survey,) in connection.execute("SELECT survey FROM acknowledgement")}
    asked = [source for source in respondents.restricted() if source.survey not in known]
    if not away or not asked:
        return
    if not acknowledged:
        terms = "; ".join(f"{source.title}: {source.licence}" for source in asked)
        raise InputError(
            f"this study sends survey answers to {', '.join(away)}, and their terms are: {terms}. "
            "If they allow it, run once with --acknowledge"
        )
    rows = [(source.survey, source.licence, now()) for source in asked]
    connection.executemany("INSERT INTO acknowledgement (survey, licence, at) VALUES (?, ?, ?)", rows)

"""What leaves this machine goes only where the study says, and what is not obvious is agreed to once: restricted survey
text by an acknowledgement that quotes its terms, a key by one that names it and the endpoint."""

import sqlite3
from collections.abc import Collection, Sequence

from personas.errors import InputError
from personas.people.respondents import Respondents, Source
from runner.backends.connection import proxy_for
from runner.backends.keys import Pairing, endpoints, origin, unfamiliar
from runner.store.database import now
from runner.study.sections import ModelSection

_KEY = "key "  # what the name of an agreement about a key begins with; no survey has a space in its name


def require_acknowledgement(
    connection: sqlite3.Connection, respondents: Respondents, models: Sequence[ModelSection], acknowledged: bool
) -> None:
    """Raises InputError where restricted text, or a key that is not known to belong there, would leave this machine and
    nobody has agreed to it yet.

    An acknowledgement is kept in the file, so that it is asked for once.
    """
    sources = _unagreed(connection, respondents, models)
    known = agreed_keys(connection)
    keys = dict.fromkeys(each for model in models for each in unfamiliar(model) if each not in known)
    if not (sources or keys):
        return
    if not acknowledged:
        asked = _about_surveys(sources, models) if sources else ""
        raise InputError(" ".join(filter(None, (asked, _about_keys(list(keys)) if keys else ""))))
    rows = [(each.survey, each.licence) for each in sources] + [(f"{_KEY}{each}", "belongs there") for each in keys]
    values = [(*row, now()) for row in rows]
    connection.executemany("INSERT INTO acknowledgement (survey, licence, at) VALUES (?, ?, ?)", values)


def agreed_keys(connection: sqlite3.Connection) -> Collection[Pairing]:
    """The keys and endpoints that somebody has agreed to."""
    sql = "SELECT substr(survey, ?) FROM acknowledgement WHERE substr(survey, 1, ?) = ?"
    names = connection.execute(sql, (len(_KEY) + 1, len(_KEY), _KEY)).fetchall()
    return {Pairing(*name.split(" to ", 1)) for (name,) in names}


def _unagreed(connection: sqlite3.Connection, respondents: Respondents, models: Sequence[ModelSection]) -> list[Source]:
    """The restricted sources that would leave the machine without an acknowledgement."""
    known = {survey for (survey,) in connection.execute("SELECT survey FROM acknowledgement")}
    if not any(model.leaves_machine for model in models):
        return []
    return [each for each in respondents.restricted() if each.survey not in known]


def _about_surveys(sources: Sequence[Source], models: Sequence[ModelSection]) -> str:
    away = [f"{model.name}{_on_the_way(model)}" for model in models if model.leaves_machine]
    terms = "; ".join(f"{each.title}: {each.licence}" for each in sources)
    return (
        f"this study sends survey answers to {', '.join(away)}, and their terms are: {terms}. "
        "If they allow it, run once with --acknowledge."
    )


def _on_the_way(model: ModelSection) -> str:
    """Which proxies see a model's requests."""
    proxies = dict.fromkeys(origin(proxy) for url in endpoints(model) if (proxy := proxy_for(url)))
    return f" (through the proxy {', '.join(proxies)})" if proxies else ""


def _about_keys(keys: Sequence[Pairing]) -> str:
    named = ", ".join(map(str, keys))
    return (
        f"This study sends a key where it is not known to belong: {named}. "
        "If it is the key of that endpoint, run once with --acknowledge; else correct key_env or base_urls."
    )

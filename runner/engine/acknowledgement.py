"""What leaves this machine goes only where the study says, and what is not obvious is agreed to once.

Restricted survey text needs an acknowledgement that quotes its terms; a key, one that names it and the endpoint; a
sampling parameter that a model does not take, one that names both.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from itertools import starmap

from personas.errors import InputError
from personas.people.respondents import Respondents, Source
from runner.backends.catalogue.parameters import dropped
from runner.backends.connection import proxy_for
from runner.backends.keys import Pairing, endpoints, origin, unfamiliar
from runner.store.database import now
from runner.study.sections import ModelSection

# what the names of agreements about keys and about parameters begin with; no survey has a space in its name
_KEY = "key "
_PARAMETER = "parameter "


def require_acknowledgement(
    connection: sqlite3.Connection, respondents: Respondents, models: Sequence[ModelSection], acknowledged: bool
) -> None:
    """Raises InputError where something needs an agreement that nobody has given yet.

    That is: restricted text, or a key that is not known to belong there, would leave this machine, or a new model would
    not be sampled as the study says.

    An acknowledgement is kept in the file, so that it is asked for once.
    """
    sources = _unagreed(connection, respondents, models)
    known = agreed_keys(connection)
    keys = dict.fromkeys(each for model in models for each in unfamiliar(model) if each not in known)
    parameters = list(_unagreed_parameters(connection, models))
    if not (sources or keys or parameters):
        return
    if not acknowledged:
        asked = _about_surveys(sources, models) if sources else ""
        about_keys = _about_keys(list(keys)) if keys else ""
        raise InputError(" ".join(filter(None, (asked, about_keys, *starmap(about_parameter, parameters)))))
    rows = [(each.survey, each.licence) for each in sources] + [(f"{_KEY}{each}", "belongs there") for each in keys]
    rows += [(_agreement(model, name), "is left out") for model, name in parameters]
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


def _unagreed_parameters(
    connection: sqlite3.Connection, models: Sequence[ModelSection]
) -> Iterator[tuple[ModelSection, str]]:
    """The sampling parameters that a model would be asked without; one that has answers stays as it was asked."""
    sql = "SELECT 1 FROM completion WHERE model IN (SELECT id FROM model WHERE provider = ? AND model = ?) LIMIT 1"
    known = {survey for (survey,) in connection.execute("SELECT survey FROM acknowledgement")}
    for model in models:
        names = [name for name in dropped(model) if _agreement(model, name) not in known]
        if names and connection.execute(sql, (model.backend, model.id)).fetchone() is None:
            yield from ((model, name) for name in names)


def agreed(connection: sqlite3.Connection, model: ModelSection, names: Sequence[str], acknowledged: bool) -> bool:
    """Whether a model may be asked without these sampling parameters, which its study names; an agreement is kept."""
    known = {survey for (survey,) in connection.execute("SELECT survey FROM acknowledgement")}
    new = [name for name in names if _agreement(model, name) not in known]
    if new and not acknowledged:
        return False
    rows = [(_agreement(model, name), "is left out", now()) for name in new]
    connection.executemany("INSERT INTO acknowledgement (survey, licence, at) VALUES (?, ?, ?)", rows)
    return True


def _agreement(model: ModelSection, name: str) -> str:
    return f"{_PARAMETER}{name} of {model.id}"


def about_parameter(model: ModelSection, name: str) -> str:
    """What to do about a sampling parameter that a model does not take."""
    return (
        f"{model.name}: {model.id} takes no {name}, so that its answers would not be drawn as the study says. Take "
        f'{name} out of decoding, or agree with allow_dropped = ["{name}"] or, once, with --acknowledge.'
    )


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

"""Why a trial was, or was not, answered from the file: the fields behind its key, and the nearest cached request."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from personas.errors import InputError
from personas.prompt.messages import compose
from personas.prompt.render import Variant
from runner.backends.catalogue.answer_forms import parameters_for
from runner.backends.request import ModelIdentity, digest, key_fields
from runner.crossing.prepare import Prepared
from runner.crossing.trials import Asked, AskedModel

Difference = tuple[str, str, str]
CANDIDATES = 1000

_SQL = """
SELECT c.key, m.provider, m.model, m.revision, m.dtype, m.parameters, iif(m.method = '', '{}', m.methods),
    coalesce(p.text, ''), i.text, coalesce(s.text, '')
FROM completion AS c JOIN model AS m ON m.id = c.model JOIN text AS i ON i.id = c.item_text
LEFT JOIN text AS p ON p.id = c.persona_text LEFT JOIN text AS s ON s.id = c.system_text
WHERE i.sha = ? AND c.key != ? ORDER BY coalesce(p.text, '') = ? DESC, c.id DESC LIMIT ?
"""


@dataclass(frozen=True)
class Explanation:
    """A trial's key and fields, whether it is answered, and the nearest other answered request with its differences."""

    key: str
    fields: Mapping[str, Any]
    cached: bool
    nearest: str | None
    differences: list[Difference]


def explain(ready: Prepared, which: str) -> Explanation:
    """Explain `ITEM`, `ITEM@PERSONA` or the beginning of a key (hex). Raises InputError where the study has none."""
    model, asked = _find(ready, which)
    fields = _fields(model.identity, asked, asked.request.messages, model.section.backend)
    compared = [(differences(fields, other), key) for key, other in _answered(ready, asked)]
    found, nearest = min(compared, key=lambda pair: _distance(pair[0]), default=([], None))
    cached = bool(ready.cache.find([asked.key]))
    return Explanation(asked.key.hex(), fields, cached, nearest, found)


def differences(one: Any, other: Any, place: str = "") -> list[Difference]:
    """Field by field: (place, one's value, the other's value), values as JSON."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(set(one) | set(other))
        return [each for name in names for each in differences(one.get(name), other.get(name), f"{place}.{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [each for number, pair in pairs for each in differences(*pair, f"{place}[{number}]")]
    return [] if one == other else [(place.lstrip("."), json.dumps(one), json.dumps(other))]


def _distance(found: list[Difference]) -> tuple[int, int]:
    return len(found), sum(len(one) + len(other) for _, one, other in found)


def _find(ready: Prepared, which: str) -> tuple[AskedModel, Asked]:
    matches = _matcher(which)
    for model in ready.crossing.models:
        for asked in ready.crossing.trials(model):
            if matches(asked):
                return model, asked
    raise InputError(f"no trial of this study is {which!r}; name ITEM, ITEM@PERSONA or the beginning of a key")


def _matcher(which: str) -> Callable[[Asked], bool]:
    if len(which) >= 8 and all(letter in "0123456789abcdef" for letter in which.lower()):
        return lambda asked: asked.key.hex().startswith(which.lower())
    item, _, persona = which.partition("@")
    wanted = "" if persona == "baseline" else persona

    def matches(asked: Asked) -> bool:
        return asked.question.item.id == item and (asked.persona.persona_id if asked.persona else "") == wanted

    return matches


def _answered(ready: Prepared, asked: Asked) -> Iterator[tuple[str, dict[str, Any]]]:
    """Other requests in the file that ask the same question, whatever study, model or setting they are from."""
    question = asked.question.texts[asked.trial.rotation]
    known = {each.id: each.variant for each in ready.crossing.variants}
    variant = known.get(asked.trial.variant, Variant())
    values = (digest(question), asked.key, asked.persona_text, CANDIDATES)
    for key, *named, parameters, methods, persona, item, system in ready.cache.connection.execute(_SQL, values):
        provider, model, revision, dtype = named
        identity = ModelIdentity(provider, model, revision, dtype, json.loads(parameters), json.loads(methods))
        messages = compose(persona or None, item, system, variant)
        yield bytes(key).hex(), _fields(identity, asked, messages, provider)


def _fields(identity: ModelIdentity, asked: Asked, messages: Any, provider: str) -> dict[str, Any]:
    request = asked.request
    identity = replace(identity, parameters=parameters_for(provider, identity.parameters, asked.question.item))
    method = identity.methods.get(request.kind, "")
    return key_fields(identity.fields(), messages, request.kind, request.options, asked.trial.replicate, method)

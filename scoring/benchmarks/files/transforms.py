"""The closed list of transforms that a benchmark file may apply to a column, in order.

A transform is a name ("strip") or, where it takes an argument, a table of one key ({ split = ";" }). Each is a pure
function of the value; it raises ValueError, in a clause, for a value that it cannot take.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from personas import bounded
from scoring.answers.distances import unit_scale
from scoring.answers.items import LETTERS

# How a defaultdict prints itself; GlobalOpinionQA's column of shares is written so.
_DEFAULTDICT = re.compile(r"^defaultdict\(<class '\w+'>,\s*(\{.*\})\)$", re.S)


def _json(value: Any) -> Any:
    try:
        return bounded.parse_json(value)
    except (ValueError, TypeError):
        raise ValueError(f"has {_short(value)} where JSON is expected") from None


def _python(value: Any) -> Any:
    text = str(value).strip()
    unwrapped = _DEFAULTDICT.match(text)
    try:
        found = ast.literal_eval(unwrapped.group(1) if unwrapped else text)
        bounded.check_value(found)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"has {_short(value)} where a Python literal is expected") from None
    return found


def _letter(value: Any) -> int:
    place = LETTERS.find(str(value).strip().upper() or "?")
    if place < 0 or len(str(value).strip()) != 1:
        raise ValueError(f"has {_short(value)} where a letter is expected")
    return place


def _get(value: Any, key: Any) -> Any:
    try:
        return value[key]
    except (LookupError, TypeError):
        raise ValueError(f"has no {key!r} in {_short(value)}") from None


def _map(value: Any, table: Mapping[str, Any]) -> Any:
    if str(value) not in table:
        raise ValueError(f"has {_short(value)}, which the map does not list")
    return table[str(value)]


def _normalise(value: Sequence[float]) -> list[float]:
    numbers = [float(each) for each in value]
    if min(numbers, default=-1.0) < 0 or not sum(numbers):
        raise ValueError(f"has {_short(value)} where shares are expected")
    return [each / sum(numbers) for each in numbers]


def _numbers(value: Any) -> list[float]:
    if isinstance(value, str | bytes):
        raise ValueError(f"has {_short(value)} where a list of numbers is expected")
    return [float(each) for each in value]


def _nonzero(value: Any) -> dict[Any, Any]:
    """The entries of a table whose lists of numbers hold something but 0: the others were not asked."""
    if not isinstance(value, Mapping):
        raise ValueError(f"has {_short(value)} where a table is expected")
    return {key: each for key, each in value.items() if any(_numbers(each))}


def _texts(value: Any) -> list[str]:
    """A list as texts, a whole number without its ".0"."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"has {_short(value)} where a list is expected")
    return [str(int(each)) if isinstance(each, float) and each.is_integer() else str(each) for each in value]


def _parts(value: Any, parts: Sequence[str]) -> list[str]:
    """The parts, trimmed. An empty one at the end is only an end; one before would move every number after it."""
    found = [part.strip() for part in parts]
    while found and not found[-1]:
        found.pop()
    if "" in found:
        place = found.index("") + 1
        raise ValueError(f"has an empty part, number {place} of {len(found)}, in {_short(value)}; fill it in")
    return found


def _split(value: Any, separator: Any) -> list[str]:
    if str(separator) == "":
        raise ValueError("is to be split at an empty text; name the separator")
    return _parts(value, str(value).split(str(separator)))


def _short(value: Any) -> str:
    return repr(value)[:60]


PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "strip": lambda value: str(value).strip(),
    "lower": lambda value: str(value).lower(),
    "upper": lambda value: str(value).upper(),
    "text": str,
    "int": int,
    "float": float,
    "numbers": _numbers,
    "texts": _texts,
    "nonzero": _nonzero,
    "one_based": lambda value: int(value) - 1,
    "letter": _letter,
    "json": _json,
    "python": _python,
    "lines": lambda value: _parts(value, str(value).splitlines()),
    "keys": lambda value: list(value.keys()),
    "values": lambda value: list(value.values()),
    "normalise": _normalise,
    "unit_scale": lambda value: list(unit_scale(_numbers(value))),
}
WITH_ARGUMENT: Mapping[str, Callable[[Any, Any], Any]] = {
    "split": _split,
    "get": _get,
    "map": _map,
    "default": lambda value, other: other if value in (None, "") else value,
}


def check(transform: Any) -> None:
    """Raises ValueError for a transform that is not in the list."""
    if isinstance(transform, str) and transform in PLAIN:
        return
    if isinstance(transform, dict) and len(transform) == 1 and next(iter(transform)) in WITH_ARGUMENT:
        return
    known = ", ".join([*PLAIN, *(f"{{ {name} = … }}" for name in WITH_ARGUMENT)])
    raise ValueError(f"unknown transform {transform!r}; known: {known}")


def apply(value: Any, transforms: Sequence[Any]) -> Any:
    """The value after all transforms, which `check` has seen."""
    for transform in transforms:
        if isinstance(transform, str):
            value = PLAIN[transform](value)
        else:
            name, argument = next(iter(transform.items()))
            value = WITH_ARGUMENT[name](value, argument)
    return value

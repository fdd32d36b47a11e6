"""A study's tables as TOML text, so that a study made in Python is kept with its results like one from a file."""

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import PurePath
from typing import Any


def toml_text(tables: Mapping[str, Any]) -> str:
    """TOML that reads as `tables`; keys whose value is None are left out. Raises TypeError for what TOML cannot say."""
    lines = [f"{_key(name)} = {_value(value)}" for name, value in tables.items() if not _has_header(value)]
    for name, value in tables.items():
        if _has_header(value):
            many = isinstance(value, list | tuple)
            for table in value if many else [value]:
                lines += ["", f"[[{_key(name)}]]" if many else f"[{_key(name)}]"]
                lines += [f"{_key(key)} = {_value(each)}" for key, each in table.items() if each is not None]
    return "\n".join(lines).lstrip("\n") + "\n"


def _has_header(value: Any) -> bool:
    many = isinstance(value, list | tuple) and value and all(isinstance(each, Mapping) for each in value)
    return bool(many) or isinstance(value, Mapping)


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items() if each is not None) + " }"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, str | PurePath):
        return _text(str(value))
    raise TypeError(f"{type(value).__name__} {value!r:.60} is nothing that a study file can say")


def _text(text: str) -> str:
    """A basic string; JSON's differ in DEL alone."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

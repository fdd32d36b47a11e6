"""The reference of a study file, made from the models that read it: a page for people, a JSON schema for editors."""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from runner.study.config import NOT_IN_FILE, Study
from runner.study.sections import Section
from runner.study.tables.endpoint_section import EndpointSection

Json = dict[str, Any]

_HEAD = """# Every key of a study file

<!-- Made by `make docs` from runner/study/sections.py: change the descriptions there. -->

A study is one TOML file. A misspelled key is refused with the nearest right one, and `mtpa-run plan` names all faults
at once. `mtpa-run init` writes a study to start from, and beside it `mtpa.schema.json`: an editor that knows TOML
schemas (Taplo, Even Better TOML) completes and explains every key by its first line, `#:schema ./mtpa.schema.json`.
"""


def json_schema() -> Json:
    """The JSON schema of a study file."""
    whole = Study.model_json_schema()
    for name in NOT_IN_FILE:
        del whole["properties"][name]
    whole["$defs"] = {name: each for name, each in whole["$defs"].items() if name != "Shard"}
    tables = {"Study": whole, **whole["$defs"]}
    classes: list[type[BaseModel]] = [*_sections(Section), EndpointSection]
    for section in classes:
        for base in reversed(section.__mro__[: section.__mro__.index(BaseModel)]):
            _describe(tables.get(section.__name__, {}).get("properties", {}), base)
    plain: Json = _without_titles(whole)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mtpa study", **plain}


def _sections(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield base
    for each in base.__subclasses__():
        yield from _sections(each)


def _describe(properties: Json, section: type) -> None:
    """Add what stands below each field of a class.

    Pydantic would read it whenever a study is loaded, which takes a third of that time.
    """
    (made,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(made, ast.ClassDef)
    for field, below in pairwise(made.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            name, text = field.target.id, inspect.cleandoc(ast.literal_eval(below.value))
            if name in properties:
                properties[name] = dict(sorted({**properties[name], "description": text}.items()))


def schema_text() -> str:
    """The schema as its file has it."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def page() -> str:
    """The reference as Markdown: a table for each section."""
    schema = json_schema()
    parts = [_HEAD]
    for path, table, many in _tables(schema):
        heading = f"[[{path}]]" if many else f"[{path}]"
        parts.append(f"## `{heading}`\n\n{table['intro']}\n\n{_rows(schema, table)}\n")
    return "\n".join(parts)


def _tables(schema: Json, at: Json | None = None, path: str = "") -> Iterator[tuple[str, Json, bool]]:
    """Every table with its path, depth first; whether it may stand several times."""
    for name, entry in (at or schema)["properties"].items():
        where = f"{path}.{name}" if path else name
        if (found := _table_of(schema, entry)) is not None:
            yield where, {**found, "intro": entry["description"]}, entry.get("type") == "array"
            yield from _tables(schema, found, where)


def _table_of(schema: Json, entry: Mapping[str, Any]) -> Json | None:
    """The section that a key holds, if it holds one."""
    for each in (entry, entry.get("items", {}), *entry.get("anyOf", ())):
        if "$ref" in each:
            found: Json = schema["$defs"][each["$ref"].rpartition("/")[2]]
            return found
    return None


def _rows(schema: Json, table: Json) -> str:
    lines = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, entry in table["properties"].items():
        default = "required" if name in table.get("required", ()) else _default(schema, entry)
        cells = (f"`{name}`", _kind(schema, entry), default, entry["description"])
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def _default(schema: Json, entry: Json) -> str:
    value = entry.get("default")
    if value is None or (_table_of(schema, entry) and isinstance(value, dict)):
        return "–"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _kind(schema: Json, entry: Mapping[str, Any]) -> str:
    """A key's type and bounds in words."""
    if _table_of(schema, entry) is not None:
        return "tables" if entry.get("type") == "array" else "table"
    if "anyOf" in entry:
        return " or ".join(_kind(schema, each) for each in entry["anyOf"] if each.get("type") != "null")
    if "enum" in entry:
        return ", ".join(f"`{each}`" for each in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    if entry.get("type") == "array":
        if "prefixItems" in entry:
            return f"{len(entry['prefixItems'])} texts"
        inner = _kind(schema, entry["items"])
        return f"list of ({inner})" if " or " in inner else f"list of {inner}"
    if entry.get("type") == "object":
        values = entry.get("additionalProperties", True)
        return f"table of {_kind(schema, values)}" if isinstance(values, dict) else "table"
    words = {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}
    name = words.get(str(entry.get("type")), str(entry.get("type", "any")))
    return f"{name}{_bounds(entry)}"


def _bounds(entry: Mapping[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return "".join(f" {sign} {entry[key]:g}" for key, sign in signs.items() if key in entry)


def _without_titles(value: Any) -> Any:
    """Without the titles that pydantic makes of names, which editors would show in place of the description."""
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if not (name == "title" and isinstance(each, str))}
        return {name: _without_titles(each) for name, each in kept.items()}
    return [_without_titles(each) for each in value] if isinstance(value, list) else value

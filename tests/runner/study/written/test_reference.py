"""The reference of a study file is whole, and as the models are."""

import json
import tomllib
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from studies import ROOT

from runner.study.config import Study
from runner.study.written.reference import json_schema, page, schema_text

TEMPLATES = sorted(path.stem for path in (ROOT / "runner" / "study" / "templates").glob("*.toml"))


def test_every_key_is_described() -> None:
    schema = json_schema()
    tables = {"": schema, **schema["$defs"]}
    blank = [
        f"{table}.{key}"
        for table, each in tables.items()
        for key, of in each["properties"].items()
        if not of.get("description")
    ]
    assert blank == []


def test_the_page_has_a_row_for_every_key_that_a_study_may_have() -> None:
    lines = page().splitlines()
    for table in json_schema()["$defs"].values():
        for key in table["properties"]:
            assert any(line.startswith(f"| `{key}` |") for line in lines), key
    assert "path" not in json_schema()["properties"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_editor_finds_the_schema_of_a_template_and_no_fault_in_it(name: str) -> None:
    text = files("runner.study").joinpath(f"templates/{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("#:schema ./mtpa.schema.json\n")
    tables: dict[str, Any] = tomllib.loads(text)
    check = jsonschema.Draft202012Validator(json.loads(schema_text()))
    assert [error.message for error in check.iter_errors(tables)] == []
    tables["models"][0]["bakend"] = tables["models"][0].pop("backend")
    assert any("bakend" in error.message for error in check.iter_errors(tables))
    assert Study.parse(text, ROOT / f"{name}.toml").study.name == name


def test_the_default_study_names_a_schema_that_is_there() -> None:
    first = (ROOT / "mtpa.toml").read_text(encoding="utf-8").splitlines()[0]
    assert (ROOT / first.removeprefix("#:schema ")).samefile(ROOT / "runner" / "study" / "schema.json")

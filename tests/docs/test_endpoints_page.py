"""The page that says what each endpoint can tell says what the code does."""

from typing import get_args

from studies import ROOT

from runner.backends.catalogue.parameters import without_loglikelihoods
from runner.cli.init import Kind
from runner.study.backend_kinds import backend_kind, backend_kinds
from runner.study.sections import ModelSection

PAGE = (ROOT / "docs" / "how-to" / "endpoints.md").read_text(encoding="utf-8")


def section(backend: str, **endpoint: str) -> ModelSection:
    urls = ["http://127.0.0.1:1/v1"] if backend == "openai-compatible" else []
    table = {"name": "m", "backend": backend, "id": "m", "base_urls": urls, "answer": "text", "endpoint": endpoint}
    return ModelSection.model_validate({**table, "decoding": {"max_tokens": 1}})


def test_the_table_of_backends_is_what_they_can() -> None:
    table = {row[0].strip("`"): row[1:] for row in rows("| backend | letter")}
    assert set(table) == {kind.name for kind in backend_kinds() if not kind.from_logs}
    for backend, (letters, logliks, batches, seed, templates) in table.items():
        asked = section(backend, **({"loglikelihoods": "echo"} if backend == "openai-compatible" else {}))
        assert (logliks == "no") == bool(without_loglikelihoods(asked))
        assert batches.startswith("yes") == asked.has_batches
        assert (seed == "yes") == ("seed" in (backend_kind(backend).decoding or ()))
        assert (letters == "no") == (backend == "anthropic")
        assert {name.strip(" `") for name in templates.split(",")} <= set(get_args(Kind))
    assert without_loglikelihoods(section("openai-compatible"))


def rows(heading: str) -> list[list[str]]:
    """The cells of a table's rows."""
    lines = PAGE[PAGE.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]

"""The pages that are made from the code are as the code is."""

from studies import ROOT

from runner.cli.pages import pages, view_columns
from scoring.report.dictionary import meaning


def test_the_pages_are_as_the_code_is() -> None:
    stale = [path for path, text in pages().items() if (ROOT / path).read_text(encoding="utf-8") != text]
    assert stale == [], "run `make docs`"


def test_every_column_of_the_views_has_a_meaning() -> None:
    columns = [(view, name) for view, names in view_columns().items() for name in names]
    assert len(columns) > 40
    assert [(view, name) for view, name in columns if not meaning(f"view {view}", name)] == []

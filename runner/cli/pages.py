"""The pages that are made from the code: `make docs` writes them, a test fails where they are not as the code is."""

import sys
from pathlib import Path

import sqlite_utils

from migrations.steps import schema
from migrations.views import VIEWS
from runner.cli.app import app
from runner.cli.terminal import help
from runner.study.written import reference
from scoring.report import dictionary


def pages() -> dict[str, str]:
    """The text of each, by its path in the tree."""
    return {
        "docs/reference/cli.md": help.page(app, "mtpa-run"),
        "docs/reference/study.md": reference.page(),
        "docs/reference/data.md": dictionary.page(view_columns()),
        "runner/study/schema.json": reference.schema_text(),
    }


def view_columns() -> dict[str, list[str]]:
    """The columns of the views of a study's file."""
    database = sqlite_utils.Database(memory=True)
    schema.apply(database)
    return {name: [column.name for column in database[name].columns] for name in VIEWS}


def main(root: Path) -> None:
    """Write them into the tree at `root`."""
    for path, text in pages().items():
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(*sys.argv[1:]))

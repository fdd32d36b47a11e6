"""The schema's steps, and what a file says of those that it has."""

from pathlib import Path

import pytest
from sqlite_utils import Database

from migrations import STEPS
from migrations.steps import schema
from personas.errors import InputError
from runner.store.database import open_database


def test_the_steps_are_listed_as_they_are_applied(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "a.sqlite")
    assert tuple(step.name for step in schema.applied(Database(connection))) == STEPS
    connection.execute("ALTER TABLE _sqlite_migrations RENAME COLUMN name TO other")
    connection.close()
    with pytest.raises(InputError, match="list of schema steps"):
        open_database(tmp_path / "a.sqlite")

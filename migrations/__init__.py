"""The database schema's history: which steps there are, and which of them a file has. `steps` holds the steps."""

import sqlite3

STEPS = (
    "0001_tables",
    "0002_model_exactness",
    "batch_jobs",
    "0002_scores_not_ok",
    "0003_runs_planned",
    "letters_mass_and_method",
    "whole_ledger",
    "estimated_costs",
    "run_prices",
    "resolved_parameters",
    "named_views",
    "key_usage",
    "registrations",
    "labelled_views",
    "people_who_were_asked",
    "drawn_rounds",
)
"""The names in order; the library that applies them takes longer to load than most commands run."""


def applied(connection: sqlite3.Connection) -> set[str]:
    """The steps that a file has. Raises LookupError where its list of them is not as it is written here."""
    table = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations')"
    if not connection.execute(table).fetchone()[0]:
        return set()
    rows = connection.execute("SELECT * FROM _sqlite_migrations")
    columns = [column[0] for column in rows.description]
    if not {"migration_set", "name"} <= set(columns):
        raise LookupError("_sqlite_migrations")
    found = (dict(zip(columns, row, strict=True)) for row in rows)
    names = {each["name"] for each in found if each["migration_set"] == "mtpa"}
    if not all(isinstance(name, str) for name in names):
        raise LookupError("_sqlite_migrations")
    return names

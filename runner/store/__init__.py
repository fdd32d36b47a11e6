"""The one SQLite file of a study."""

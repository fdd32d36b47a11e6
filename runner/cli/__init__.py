"""The commands that come in groups."""

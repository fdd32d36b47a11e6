"""Tables of a study file that have a module of their own; the others are in sections.py."""

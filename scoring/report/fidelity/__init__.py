"""Fidelity as the report shows it."""

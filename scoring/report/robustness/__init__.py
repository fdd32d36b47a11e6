"""Robustness in words, in tables and as a figure."""

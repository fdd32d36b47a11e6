"""A study's results for others."""

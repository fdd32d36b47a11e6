"""Asking: from a study's trials to recorded answers and scores."""

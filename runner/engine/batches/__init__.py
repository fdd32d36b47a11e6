"""Asking in batches: jobs fed with requests, and tended until their answers are down."""

"""Benchmarks without code: TOML files and tasks of lm-evaluation-harness."""

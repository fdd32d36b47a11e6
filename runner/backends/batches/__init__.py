"""Batch jobs at a provider."""

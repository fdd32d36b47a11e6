"""From one answer of a model to one number."""

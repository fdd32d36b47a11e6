"""A first description of a survey that nobody has described, from its file alone."""

"""Texts for a paper: the methods section and its bibliography."""

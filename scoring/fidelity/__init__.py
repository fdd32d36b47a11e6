"""Fidelity: whether a model answers a survey as its respondents do, beside whether it stays truthful as them."""

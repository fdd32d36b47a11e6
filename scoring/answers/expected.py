"""What an answer is worth in expectation over the letters' probabilities, beside what the likeliest letter is worth."""

from collections.abc import Sequence

from scoring.answers.items import Item
from scoring.answers.responses import Response, option_probabilities


def option_values(item: Item) -> tuple[float, ...] | None:
    """What choosing each option is worth: its weight, or 1 for the stereotyped of a pair; None where neither is set."""
    if item.weights is not None:
        return item.weights
    if item.roles is not None and "stereo" in item.roles:
        return tuple(float(role == "stereo") for role in item.roles)
    return None


def expected_value(item: Item, order: Sequence[int], response: Response) -> float | None:
    """Σ_k p_k · value_k over the letters shown, their probabilities renormalised: the mean score of answers drawn from
    them.

    It moves where the likeliest letter stays the same. None without letter probabilities or option values.
    """
    values = option_values(item)
    if values is None or response.letter_logprobs is None:
        return None
    probabilities = option_probabilities(item, order, response)
    return None if probabilities is None else sum(p * value for p, value in zip(probabilities, values, strict=True))

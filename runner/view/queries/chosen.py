"""An answer as people read it: the option chosen, its probability, the right one, and who was asked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from personas.traits import catalogue
from runner.store.cache import unpack
from scoring.answers.items import Item, option_order
from scoring.answers.responses import Response, letter_probabilities, option_probabilities
from scoring.report.names import person
from scoring.statistics.pairs import CONTROL

BASELINE = "baseline"
NEUTRAL = "neutral text"
# The option that a score's value is of, and the baseline's trial beside a trial `t`, as SQL.
CHOSEN = "coalesce({0}.chosen_by_probability, {0}.chosen_by_text)"
BASELINE_OF = (
    "{0}.model = t.model AND {0}.persona = 0 AND {0}.variant = 0 AND {0}.item = t.item AND {0}.rotation = t.rotation "
    "AND {0}.replicate = t.replicate"
)


class Choice(NamedTuple):
    """What one side answered: the option's text, its number and its probability, where there are any.

    Where no option could be read, the text is the beginning of the answer; "" where there is neither.
    """

    text: str
    number: int | None = None
    probability: float | None = None


@dataclass(frozen=True)
class Probabilities:
    """Of each option, in the item's own order, and of anything but the letters."""

    options: tuple[float, ...] | None
    outside: float | None


def probabilities(item: Item, order: Sequence[int], blob: bytes | None) -> Probabilities:
    """What a completion's packed logarithms are worth; None where it has none."""
    numbers = unpack(blob)
    loglik = item.ask == "loglik"
    response = Response(None, None if loglik else numbers, numbers if loglik else None)
    letters = letter_probabilities(numbers) if numbers is not None and not loglik else None
    return Probabilities(option_probabilities(item, order, response), letters.outside if letters else None)


def read_item(record: Any) -> Item | None:
    """The item of a row; None where its record cannot be read."""
    try:
        return Item(**json.loads(record))
    except (ValueError, TypeError):
        return None


def choice(item: Item | None, rotation: int, number: int | None, blob: bytes | None, answer: str | None) -> Choice:
    """An answer in words."""
    if item is None or number is None or not 0 <= number < len(item.choices):
        return Choice(answer or "")
    try:
        likely = probabilities(item, option_order(item, rotation), blob).options
    except (ValueError, TypeError, IndexError):
        likely = None
    return Choice(option_text(item, number), number, likely[number] if likely else None)


def option_text(item: Item, number: int) -> str:
    """An option, with its role where it has one."""
    role = (item.roles[number] or "") if item.roles else ""
    return f"{item.choices[number]} ({role})" if role else item.choices[number]


def label_of(item: Item) -> str:
    """The benchmark with the item's part, and how the answer was asked for where that was not by a letter."""
    label = f"{item.benchmark}:{item.part}" if item.part else item.benchmark
    return label if item.elicitation == "letter" else f"{label} [{item.elicitation}]"


def right_options(item: Item) -> list[int]:
    """The numbers of the options that are right: those of the full weight; none where nothing is."""
    return [number for number, weight in enumerate(item.weights or ()) if weight == 1]


def right_answer(item: Item | None) -> str:
    """The text of the right option, or of several; "" where there is none."""
    return " / ".join(item.choices[number] for number in right_options(item)) if item else ""


def who(persona_id: Any, country: Any, answers: Any, format: Any) -> str:
    """Who was asked: "man, 42, United States", or that nobody was; the id where nothing is known."""
    if not persona_id:
        return BASELINE
    try:
        known = json.loads(answers or "{}")
        words = person(_label("gender", known.get("gender")), str(known.get("age", "")), str(country or ""))
    except (ValueError, AttributeError):
        words = ""
    words = words or str(persona_id)
    return f"{NEUTRAL}, for {words}" if format == CONTROL else words


def _label(trait: str, code: Any) -> str:
    return catalogue().traits[trait].label(code) if isinstance(code, int) and code >= 0 else ""

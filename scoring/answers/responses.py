"""What came back, read: which option a response chooses, by its text and by its probabilities."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from scoring.answers.elicited import read_elicited, stated_probabilities
from scoring.answers.items import Item
from scoring.answers.refusals import is_refusal

Status = Literal["ok", "unparsed", "refused", "no probabilities", "pending"]
MOST_MASS = 1.05  # what rounded logs make of probabilities that sum to 1; more is no probability
ROUNDING = 0.999  # numbers are kept in float32


_ENDS = frozenset({"stop", "length", "", "redacted"})  # "": the endpoint never says; "redacted": left out when shared


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: text, the log-probability of each letter shown, or the summed log-likelihood of each continuation.

    Natural logs, in the order shown; `finish` is why the endpoint stopped ("content_filter": it declined).

    `letter_logprobs` is None where text was asked for, and empty where probabilities were asked for and none came.
    `ceiling` is the most that a letter which was not among the tokens shown may have had; None where that is unknown,
    or no letter is missing. `likeliest` is the likeliest first token, where the endpoint tells it.
    """

    text: str | None = None
    letter_logprobs: tuple[float, ...] | None = None
    logliks: tuple[float, ...] | None = None
    finish: str = "stop"
    ceiling: float | None = None
    likeliest: str = ""

    @property
    def mass(self) -> float | None:
        """The probability that the letters hold together; None without letter probabilities."""
        return _mass(self.letter_logprobs) if self.letter_logprobs else None

    @property
    def ended(self) -> bool:
        """Whether it is all of an answer, or as much as there was room for; of any other, nothing is scored."""
        return self.finish in _ENDS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer is worth: option numbers in the item's own order, and the part's own value.

    `value` is None where nothing was chosen, where the part's metric needs probabilities and none came, and where the
    item has no gold answer for this persona.
    """

    status: Status
    chosen_by_text: int | None = None
    chosen_by_probability: int | None = None
    value: float | None = None

    @property
    def chosen(self) -> int | None:
        """The option that the value is of: by probability where probabilities were asked for, else by text."""
        return self.chosen_by_text if self.chosen_by_probability is None else self.chosen_by_probability


@dataclass(frozen=True, slots=True)
class LetterProbabilities:
    """The letters' probabilities, in the order shown.

    `probabilities` sum to 1 over the letters that came back; a letter that did not counts 0. An endpoint shows its most
    likely tokens only, so a missing letter may have had up to `ceiling` (before renormalising): what the response says,
    else the smallest letter shown, or what was left over if that is less. `outside` is the mass on anything but the
    letters.
    """

    probabilities: tuple[float, ...]
    missing: tuple[int, ...]
    ceiling: float
    outside: float


def letter_probabilities(logprobs: Sequence[float], ceiling: float | None = None) -> LetterProbabilities | None:
    """Raw natural logs (-inf or NaN where a letter is absent) as probabilities.

    None where no letter came back, and where they add up to more than 1.
    """
    raw = [math.exp(each) if math.isfinite(each) else 0.0 for each in logprobs]
    mass = math.fsum(raw)
    if not 0 < mass <= MOST_MASS:
        return None
    missing = tuple(place for place, each in enumerate(raw) if not each)
    outside = max(0.0, 1 - mass)
    most = min(each for each in raw if each) if ceiling is None else ceiling
    return LetterProbabilities(
        tuple(each / mass for each in raw), missing, min(most, outside) if missing else 0.0, outside
    )


def _mass(logprobs: Sequence[float]) -> float:
    return math.fsum(math.exp(each) for each in logprobs if math.isfinite(each))


def choose(item: Item, order: Sequence[int], response: Response) -> Outcome:
    """Which option a response chooses, without a value: no answer is invented.

    Where probabilities were asked for, they decide or nothing does: the text never stands in for them. The first of
    several equally likely options is taken, as numpy's argmax and the usual harnesses do.
    """
    if not response.ended:
        return no_answer(response)
    if item.elicitation != "letter":
        return _elicited(item, order, response)
    by_text = by_probability = None
    if response.text is not None:
        place = _letter_reader()(response.text, [item.choices[option] for option in order])
        by_text = None if place is None else order[place]
    if response.letter_logprobs is not None:
        letters = _known_letters(response)
        if letters is None:
            return no_answer(response) if response.mass == 0 else Outcome("no probabilities")
        by_probability = order[_largest(letters.probabilities)]
    if response.logliks is not None:
        if not response.logliks or any(math.isnan(each) for each in response.logliks):
            return Outcome("no probabilities")
        by_probability = _largest(response.logliks)
    if by_text is None and by_probability is None:
        return no_answer(response)
    return Outcome("ok", by_text, by_probability)


@cache
def _letter_reader() -> Callable[[str, Sequence[str]], int | None]:
    """`read_letter`, loaded when it is first wanted: its patterns take longest to compile."""
    from scoring.answers.letters import read_letter

    return read_letter


def _elicited(item: Item, order: Sequence[int], response: Response) -> Outcome:
    """The option chosen in an answer that was not asked for as a letter.

    What was cut off is no such answer, but for a JSON object, whose end can be seen; of probabilities that are equally
    large none is chosen.
    """
    text, is_cut = response.text or "", response.finish == "length"
    if item.elicitation == "probability":
        shares = option_probabilities(item, order, response)
        if shares is None:
            return no_answer(response)
        likeliest = [option for option, share in enumerate(shares) if share == max(shares)]
        return Outcome("ok", chosen_by_probability=likeliest[0] if len(likeliest) == 1 else None)
    if is_cut and item.elicitation != "json":
        return no_answer(response)
    place = read_elicited(item.elicitation, text, [item.choices[option] for option in order])
    return no_answer(response) if place is None else Outcome("ok", order[place])


def _known_letters(response: Response) -> LetterProbabilities | None:
    """The letters' probabilities; None where there are none, or one that was not shown may be the likeliest."""
    letters = letter_probabilities(response.letter_logprobs or (), response.ceiling)
    if letters is None or max(letters.probabilities) * (1 - letters.outside) < ROUNDING * letters.ceiling:
        return None
    return letters


def no_answer(response: Response) -> Outcome:
    """The outcome of a response that chooses nothing: refused, or unparsed."""
    says_so = response.ended and response.text is not None and is_refusal(response.text)
    refused = response.finish == "content_filter" or says_so
    return Outcome("refused" if refused else "unparsed")


def option_probabilities(item: Item, order: Sequence[int], response: Response) -> tuple[float, ...] | None:
    """A response's probability of each option, in the item's own order; None where no probabilities came back.

    Letter probabilities are renormalised over the letters shown, log-likelihoods over the continuations; stated ones
    are read from the text, unless it was cut off.
    """
    if item.elicitation == "probability":
        whole = response.ended and response.finish != "length"
        stated = stated_probabilities(response.text or "", len(order)) if whole else None
        return None if stated is None else _in_own_order(order, stated)
    if response.letter_logprobs is not None:
        letters = _known_letters(response)
        if letters is None:
            return None
        return _in_own_order(order, letters.probabilities)
    if response.logliks and not any(math.isnan(each) for each in response.logliks):
        largest = max(response.logliks)
        raw = [math.exp(each - largest) for each in response.logliks]
        return tuple(each / math.fsum(raw) for each in raw)
    return None


def _in_own_order(order: Sequence[int], shown: Sequence[float]) -> tuple[float, ...]:
    return tuple(value for _, value in sorted(zip(order, shown, strict=True)))


def _largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)

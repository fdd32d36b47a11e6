"""The pilot gate: a new model's first requests run alone, and stop it where most of the money would be wasted."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from runner.backends.request import AnswerKind
from scoring.answers.items import LETTERS
from scoring.answers.responses import Outcome, Response

REQUESTS = 50
MOST_BAD = 0.2
MOST_COST = 1.5
LEAST_MASS = 0.5
GO_ON = "The answers are kept; run again with --no-pilot to go on all the same"
_AS_TEXT = "set answer = 'text', with room in decoding.max_tokens"
_SPREAD = f"a letter is the likeliest token, but most of the probability is on others; {_AS_TEXT}"
_THOUGHT = re.compile(r"think|thought|reason|channel|analysis|scratchpad", re.I)


@dataclass(frozen=True)
class Piloted:
    """One answered request of the pilot: what it cost, and what was expected of it (micro-dollars)."""

    response: Response
    outcome: Outcome
    cost: int
    expected_cost: int
    kind: AnswerKind = "text"

    @property
    def bad(self) -> str:
        """Why the answer is of no use; "" where it is."""
        if self.outcome.status not in ("unparsed", "refused"):
            return ""
        if self.response.finish == "length":
            return "cut off"
        return "empty" if not (self.response.text or "").strip() else self.outcome.status

    @property
    def begins_with_a_letter(self) -> bool:
        """Whether the likeliest first token is an option's letter."""
        letters = LETTERS[: len(self.response.letter_logprobs or ())]
        return len(token := self.response.likeliest.strip()) == 1 and token in letters


def verdict(pilot: Sequence[Piloted], is_local: bool = False) -> str | None:
    """Why the model should not go on, with up to three such answers and the remedy; None where it should."""
    if reason := letters_verdict(pilot, is_local):
        return reason
    bad = [each for each in pilot if each.bad]
    if len(bad) > MOST_BAD * len(pilot):
        kinds = dict.fromkeys(f"{each.bad}: {(each.response.text or '')[:80]!r}" for each in bad)
        shown = "; ".join(list(kinds)[:3])
        cut = sum(each.bad in ("cut off", "empty") for each in bad)
        remedy = (
            "give it room to finish: raise decoding.max_tokens"
            if 2 * cut >= len(bad)
            else "ask it another way, or use answer = 'probabilities' where the model has them"
        )
        return f"{len(bad)} of the first {len(pilot)} answers cannot be used ({shown}); {remedy}. {GO_ON}"
    cost, expected = sum(each.cost for each in pilot), sum(each.expected_cost for each in pilot)
    if expected and cost > MOST_COST * expected:
        return (
            f"the first {len(pilot)} requests cost ${cost / 1e6:.4f}, {cost / expected:.1f} times the plan's "
            f"${expected / 1e6:.4f}; check the price and max_tokens, then run again with --no-pilot"
        )
    return None


def letters_verdict(pilot: Sequence[Piloted], is_local: bool = False) -> str | None:
    """Why letter probabilities cannot be had of this model as it is asked; None where they can, or none were asked for.

    They need no more than a few answers to be judged, unlike the rest of the verdict. A local model (`is_local`) costs
    nothing and shows the probability of every token, so it goes on while a letter is what most answers begin with: a
    small one spreads the rest over other words, and its report says how little the letters hold.
    """
    asked = [each for each in pilot if each.kind == "letters" and each.outcome.status != "refused"]
    without = [each for each in asked if each.outcome.status == "no probabilities"]
    if len(without) > MOST_BAD * len(asked):
        return (
            f"{len(without)} of the first {len(asked)} answers came without probabilities of their first token, which "
            "answer = 'probabilities' asks for; have the endpoint show them (logprobs, top_logprobs), or set "
            f"answer = 'text'. {GO_ON}"
        )
    masses = [each.response.mass or 0.0 for each in asked if each not in without]
    if masses and (held := median(masses)) < LEAST_MASS:
        other = [each.response.likeliest for each in asked if not each.begins_with_a_letter]
        spread = 2 * len(other) < len(asked)
        if spread and is_local:
            return None
        what = _SPREAD if spread else _first_token(Counter(other).most_common(1)[0][0])
        return (
            f"the letters hold only {held:.1%} of the first token's probability (median of the first {len(asked)} "
            f"answers): {what}. {GO_ON}"
        )
    return None


def _first_token(token: str) -> str:
    """What answers begin with instead of a letter, and the remedy."""
    if not token:
        return f"they begin with something else; {_AS_TEXT}"
    if not token.strip():
        name = "a newline" if "\n" in token else "a space"
        return f"the first token is {name}; have the endpoint's template end with it, or {_AS_TEXT}"
    if _THOUGHT.search(token):
        return f"the first token is {token.strip()[:40]}; turn the model's thinking off at the endpoint, or {_AS_TEXT}"
    return f"the likeliest first token is {token.strip()[:40]!r}; {_AS_TEXT}"

"""The pilot gate: a new model's first requests run alone, and stop it where most of the money would be wasted."""

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.answers.responses import Outcome, Response

REQUESTS = 50
MOST_BAD = 0.2
MOST_COST = 1.5


@dataclass(frozen=True)
class Piloted:
    """One answered request of the pilot: what it cost, and what was expected of it (micro-dollars)."""

    response: Response
    outcome: Outcome
    cost: int
    expected_cost: int

    @property
    def bad(self) -> str:
        """Why the answer is of no use; "" where it is."""
        if self.outcome.status not in ("unparsed", "refused"):
            return ""
        if self.response.finish == "length":
            return "cut off"
        return "empty" if not (self.response.text or "").strip() else self.outcome.status


def verdict(pilot: Sequence[Piloted]) -> str | None:
    """Why the model should not go on, with the three worst answers and the remedy; None where it should."""
    bad = [each for each in pilot if each.bad]
    if len(bad) > MOST_BAD * len(pilot):
        shown = "; ".join(f"{each.bad}: {(each.response.text or '')[:80]!r}" for each in bad[:3])
        cut = sum(each.bad in ("cut off", "empty") for each in bad)
        remedy = (
            "give it room to finish: raise decoding.max_tokens"
            if 2 * cut >= len(bad)
            else "ask it another way, or use answer = 'probabilities' where the model has them"
        )
        return (
            f"{len(bad)} of the first {len(pilot)} answers cannot be used ({shown}); {remedy}. "
            "The answers are kept; run again with --no-pilot to go on all the same"
        )
    cost, expected = sum(each.cost for each in pilot), sum(each.expected_cost for each in pilot)
    if expected and cost > MOST_COST * expected:
        return (
            f"the first {len(pilot)} requests cost ${cost / 1e6:.4f}, {cost / expected:.1f} times the plan's "
            f"${expected / 1e6:.4f}; check the price and max_tokens, then run again with --no-pilot"
        )
    return None

"""A gate for releases: does even the worst tenth of the people stay above a floor?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from scoring.robustness.worst_tenth import LEAST_TEXTS


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether one model passes on one benchmark, with the bound that it was judged by and the reason in a sentence.

    `floor` and `bound` are differences of scores; `loss` is how much worse the bound lets the worst tenth be.
    """

    model: str
    benchmark: str
    measure: str
    floor: float
    effect: float
    bound: float
    passed: bool
    reason: str


def gate_verdicts(worst: pd.DataFrame, floor: float) -> Sequence[GateVerdict]:
    """A verdict for each model and benchmark by the measure that resolves most, which stands last.

    Passed where the one-sided 95 % bound on Δ of the worst tenth is no worse than the floor: Δ ≥ floor where higher is
    better, Δ ≤ −floor where lower is. Without a bound nothing is shown, and the gate is not passed.
    """
    if worst.empty:
        return []
    shown = worst.groupby(["model", "benchmark"], observed=True, sort=False).tail(1)
    return [_verdict(row, floor) for row in shown.to_dict("records")]


def _verdict(row: dict[str, object], floor: float) -> GateVerdict:
    bound, effect, side = float(str(row["bound"])), float(str(row["effect"])), str(row["side"])
    lower = side == "at least"
    limit = floor if lower else -floor
    head = (str(row["model"]), str(row["benchmark"]), str(row["measure"]), limit, effect, bound)
    if math.isnan(bound):
        why = (
            f"there is no bound: the worst tenth needs at least {LEAST_TEXTS} persona texts that differ in Δ, "
            f"and the items at least {2 * LEAST_TEXTS} groups (it has {row['chosen']} and {row['groups']})"
        )
        return GateVerdict(*head, False, why)
    passed = bound >= limit if lower else bound <= limit
    word = "holds" if passed else "does not hold"
    why = f"Δ of the worst tenth is {side} {bound:+.4f} (95 % one-sided); the floor of {limit:+g} {word}"
    return GateVerdict(*head, passed, why)

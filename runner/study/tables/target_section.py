"""[target] in a study file."""

from typing import Literal, Self

from pydantic import Field, model_validator

from runner.study.sections import Section
from scoring.statistics.designs.adaptive_floor import FLOOR, MOST_ADAPTIVE_ROUNDS


class TargetSection(Section):
    """[target]: ask no more than makes Δ's interval ± `half_width`, for everybody or for each level of `by`.

    The interval is looked at once a round, `rounds` times at most.
    """

    half_width: float = Field(gt=0, lt=1)
    """Asking ends once Δ is known to ± this, for these items."""
    by: str | None = None
    """For each level of this attribute, which must be in `[report] by`; for everybody if absent."""
    rounds: int = Field(8, ge=2, le=64)
    """How often the interval is looked at, at most."""
    allocation: Literal["equal", "neyman"] = "equal"
    """Whether every round asks all item groups alike, or later ones ask more of those that vary ("neyman")."""
    strata: tuple[str, ...] = ()
    """Attributes, in `[report] by`, of whose levels those that vary more are asked more; for "neyman"."""

    @model_validator(mode="after")
    def _has_use_of_strata(self) -> Self:
        if self.strata and self.allocation != "neyman":
            raise ValueError('strata are for allocation = "neyman"; leave them out, or say so')
        if self.allocation == "neyman" and self.rounds > MOST_ADAPTIVE_ROUNDS:
            raise ValueError(
                f"rounds = {self.rounds}: no item group's chance is under {FLOOR:g}, which leaves more than "
                f'{MOST_ADAPTIVE_ROUNDS} rounds no choice; name fewer, or leave allocation = "neyman" out'
            )
        return self

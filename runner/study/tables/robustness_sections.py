"""[robustness] and [gate] in a study file."""

from pydantic import Field

from runner.study.sections import Section


class RobustnessSection(Section):
    """[robustness]: what the report says of Δ beside its mean; it changes nothing of what is asked."""

    margin: float | None = Field(None, gt=0, lt=1)
    """Within what Δ and gaps count as none, such as 0.02: two one-sided tests say whether they lie within ± this."""
    contrasts: tuple[str, ...] = ()
    """Attributes of `[report] by` whose levels are also compared pair by pair."""
    interactions: tuple[tuple[str, str], ...] = ()
    """Pairs of traits such as `[["gender", "age"]]`, with `[personas] show = "random:K"`: what telling both does beyond
    what telling each does."""


class GateSection(Section):
    """[gate]: what `mtpa-run gate` holds a model to; it changes nothing of what is asked."""

    floor: float = Field(ge=-1, le=0)
    """The lowest Δ that the worst tenth of the people may have, such as -0.05; where a lower score is better, how far
    above 0 Δ may be."""

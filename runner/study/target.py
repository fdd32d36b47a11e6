"""The [target] section as the statistics take it."""

from runner.study.config import Study
from scoring.statistics.designs.sequential import Target


def target_of(study: Study) -> Target | None:
    """How narrow Δ's interval is to be, and for whom; None where the study has no target."""
    section = study.target
    if section is None:
        return None
    adaptive = section.allocation == "neyman"
    return Target(section.half_width, section.by, section.rounds, study.study.seed, adaptive, section.strata)

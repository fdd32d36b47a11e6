"""Running a study. In Python: `study = Study.load("mtpa.toml")`, `await run(study)`, `load_scores(study.database)`,
`effects(scores, by=["country"])`, or `persona_effect(scores)` of one model and benchmark."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.engine.run import rescore, run
    from runner.store.scores import load_scores
    from runner.study.config import Study
    from scoring.statistics.effect import persona_effect
    from scoring.statistics.subgroups import effects

__all__ = ["Study", "effects", "load_scores", "persona_effect", "rescore", "run"]

_HOMES = {
    "Study": "runner.study.config",
    "effects": "scoring.statistics.subgroups",
    "load_scores": "runner.store.scores",
    "persona_effect": "scoring.statistics.effect",
    "rescore": "runner.engine.run",
    "run": "runner.engine.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for, so that `mtpa-run --help` need not wait for all of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'runner' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

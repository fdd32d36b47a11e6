"""mtpa in Python: the public names, each imported when it is first used.

    import mtpa

    study = mtpa.Study.load("mtpa.toml")          # or mtpa.Study.from_dict({...})
    await mtpa.run(study)                         # in a script: asyncio.run(mtpa.run(study))
    scores = mtpa.load_scores(study.database)     # one row a trial
    mtpa.effects(scores, by=["country"])          # Δ of each model and benchmark, overall and by level
    mtpa.persona_effect(scores[scores["benchmark"] == "bbq"])
    mtpa.findings(study).tables["effects"]        # what `mtpa-run report` shows

Errors are `MtpaError`: `InputError` where a study, a file or an argument is wrong, `MachineError` where this machine
cannot do it; each is one sentence with the remedy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from personas.errors import InputError, MachineError, MtpaError
    from runner.progress.notebook import run
    from runner.results.study_report import study_findings as findings
    from runner.store.scores import load_scores
    from runner.study.config import Study
    from scoring.statistics.effect import persona_effect
    from scoring.statistics.subgroups import effects

__all__ = [
    "InputError",
    "MachineError",
    "MtpaError",
    "Study",
    "effects",
    "findings",
    "load_scores",
    "persona_effect",
    "run",
]

_HOMES = {
    "InputError": "personas.errors:InputError",
    "MachineError": "personas.errors:MachineError",
    "MtpaError": "personas.errors:MtpaError",
    "Study": "runner.study.config:Study",
    "effects": "scoring.statistics.subgroups:effects",
    "findings": "runner.results.study_report:study_findings",
    "load_scores": "runner.store.scores:load_scores",
    "persona_effect": "scoring.statistics.effect:persona_effect",
    "run": "runner.progress.notebook:run",
}


def __getattr__(name: str) -> Any:
    """A public name, or the version of what is installed."""
    if name == "__version__":
        from importlib.metadata import version

        return version("mtpa")
    if name not in _HOMES:
        raise AttributeError(f"module 'mtpa' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

from personas.errors import InputError as InputError
from personas.errors import MachineError as MachineError
from personas.errors import MtpaError as MtpaError
from runner.progress.notebook import run as run
from runner.results.study_report import study_findings as findings
from runner.store.scores import load_scores as load_scores
from runner.study.config import Study as Study
from scoring.statistics.effect import persona_effect as persona_effect
from scoring.statistics.subgroups import effects as effects

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
__version__: str

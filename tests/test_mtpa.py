"""`import mtpa`: the names that are promised, and what importing them costs."""

import subprocess
import sys

import mtpa
from runner.progress.notebook import run
from runner.study.config import Study

NAMES = {
    "InputError",
    "MachineError",
    "MtpaError",
    "Study",
    "effects",
    "findings",
    "load_scores",
    "persona_effect",
    "run",
}


def test_the_public_names_are_these() -> None:
    assert set(mtpa.__all__) == NAMES
    assert all(getattr(mtpa, name) for name in NAMES)
    assert mtpa.Study is Study
    assert mtpa.run is run
    assert issubclass(mtpa.InputError, mtpa.MtpaError)
    assert not hasattr(mtpa, "Studdy")
    assert {*NAMES, "__version__"} == set(dir(mtpa))


def test_what_is_slow_is_imported_when_it_is_used() -> None:
    slow = ("numpy", "pandas", "pyarrow", "statsmodels", "openai", "torch")
    code = f"import sys, mtpa, runner.cli.app; print([name for name in {slow} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"

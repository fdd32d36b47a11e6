"""`import mtpa`: the names that are promised, and what importing them costs."""

import ast
import subprocess
import sys

from studies import ROOT

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


def test_a_type_checker_sees_the_names_that_python_does() -> None:
    stub = ast.parse((ROOT / "mtpa-stubs" / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    named = {alias.asname: f"{node.module}:{alias.name}" for node in imports for alias in node.names}
    assert named == mtpa._HOMES
    listed = next(node.value for node in stub.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(listed) == mtpa.__all__

"""What opening a study for reading loads: nothing that asks, no provider's SDK, no model."""

import subprocess
import sys

import pytest

ASKS = ("runner.engine", "runner.serve", "runner.backends.base", "aiohttp", "openai", "google.genai", "torch")
READS = (
    "runner.results.study_report",
    "runner.view.app",
    "runner.view.server",
    "runner.progress.status",
    "runner.sharing.bundle",
    "runner.sharing.huggingface",
    "runner.sharing.inspect_logs",
    "runner.cli.report",
)


@pytest.mark.parametrize("module", READS)
def test_what_reads_a_study_loads_nothing_that_asks(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in {ASKS!r} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_planning_does_not_load_what_sends() -> None:
    code = "import sys, runner.planning.plan, runner.planning.explain, runner.sharing.rehydrate; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"runner.crossing.trials", "runner.planning.plan"} <= set(loaded)
    assert not {"runner.engine.run", "runner.engine.live", "runner.engine.recorder", "openai", "torch"} & set(loaded)

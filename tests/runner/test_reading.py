"""What a command loads: to read a study, nothing that asks; to look at one, nothing that takes longer than the look."""

import subprocess
import sys

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


def loaded(*modules: str) -> dict[str, set[str]]:
    """All that is loaded in a fresh process once each of the modules is imported, in this order."""
    code = "import sys\nfor name in sys.argv[1:]: __import__(name); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, check=True)
    return dict(zip(modules, map(set, map(str.split, found.stdout.splitlines())), strict=True))


def test_what_reads_a_study_loads_nothing_that_asks() -> None:
    assert {name: found & set(ASKS) for name, found in loaded(*READS).items() if found & set(ASKS)} == {}


def test_planning_does_not_load_what_sends() -> None:
    *_, found = loaded("runner.planning.plan", "runner.planning.explain", "runner.sharing.rehydrate").values()
    assert {"runner.crossing.trials", "runner.planning.plan"} <= found
    assert not {"runner.engine.run", "runner.engine.live", "runner.engine.recorder", "openai", "torch"} & found


def test_help_and_status_load_little_and_a_report_no_more_than_it_needs() -> None:
    found = loaded("runner.cli.app", "runner.progress.status", "runner.results.study_report")
    assert not {"pydantic", "pandas", "numpy", "yaml"} & found["runner.cli.app"]
    assert not {"pandas", "numpy", "sqlite_utils"} & found["runner.progress.status"]
    assert not {"scipy.stats", "sqlite_utils", "plotly", "pooch"} & found["runner.results.study_report"]

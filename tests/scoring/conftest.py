"""Real data for the scorers' tests: the project's own assets, and the golden numbers of the official scripts."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.study.assets import cache_directory, fetch

LM_EVAL = "lm_eval==0.4.13"


def absent(reason: str) -> None:
    """Golden numbers must be there where the project is checked for good; elsewhere the test is skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Path]:
    """A file of golden numbers by name."""

    def find(name: str) -> Path:
        path = Path(os.environ.get("MTPA_DATA_DIR", "absent")) / "golden" / name
        if not path.exists():
            absent(f"no golden file {name}: set MTPA_DATA_DIR")
        return path

    return find


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """The directory of an asset; what only MTPA_DATA_DIR has is absent without it."""

    def find(name: str) -> Path:
        if name in ("truthfulqa", "normad") and "MTPA_DATA_DIR" not in os.environ:
            absent(f"no asset {name}: set MTPA_DATA_DIR")
        return fetch(name)

    return find


@pytest.fixture(scope="session")
def lm_eval_tasks() -> Path:
    """lm-evaluation-harness's own task files, from its wheel, which is never installed."""
    folder = cache_directory() / "tests" / LM_EVAL.replace("==", "-")
    if not folder.exists():
        partial = folder.with_suffix(f".{os.getpid()}")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(partial), LM_EVAL]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next(partial.glob("*.whl"))) as wheel:
            names = [name for name in wheel.namelist() if name.startswith("lm_eval/tasks/")]
            wheel.extractall(partial, names)
        shutil.move(partial / "lm_eval", folder)
        shutil.rmtree(partial)
    return folder / "tasks"

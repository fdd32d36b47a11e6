"""Runs studies in processes of their own, which start quickly and may be killed at any moment."""

import asyncio
import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from runner.config import Study
from runner.engine import run

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["runner.engine", "runner.backends.openai_batch", "runner.backends.gemini_batch"])


def run_in_process(study: Path) -> BaseProcess:
    """A started process that runs a study without a pilot and exits with its exit code."""
    process = _context.Process(target=_run, args=(study, dict(os.environ)), daemon=True)
    process.start()
    return process


def _run(study: Path, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    sys.exit(asyncio.run(run(Study.load(study), pilot=False)).exit_code)

"""Runs studies in processes of their own, which start quickly and may be killed at any moment."""

import asyncio
import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

from waiting import HUNG

from runner.engine.run import run
from runner.store.database import open_database
from runner.study.config import Study

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["runner.engine.run", "runner.backends.batches.openai_jobs", "runner.backends.batches.gemini_jobs"]
)


def run_in_process(study: Path) -> BaseProcess:
    """A started process that runs a study without a pilot and exits with its exit code."""
    process = _context.Process(target=_run, args=(study, dict(os.environ)), daemon=True)
    process.start()
    return process


def _run(study: Path, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    sys.exit(asyncio.run(run(Study.load(study), pilot=False)).exit_code)


def open_at_once(path: Path, processes: int) -> list[int | None]:
    """Exit codes of processes that open a database file at the same moment."""
    together = _context.Barrier(processes)
    started = [_context.Process(target=_open, args=(path, together), daemon=True) for _ in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join(HUNG)
    return [process.exitcode for process in started]


def _open(path: Path, together: Barrier) -> None:
    together.wait(HUNG)
    open_database(path).close()

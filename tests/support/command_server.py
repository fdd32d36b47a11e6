"""Runs the `mtpa-run` and `python` of a bash script in processes that have everything imported already.

In the script's path, both commands are a few lines of shell that ask this server and hand on what came of it.
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

from waiting import HUNG, wait_until

PRELOADED = ["runner.cli.app", "runner.cli.report", "runner.engine.run", "runner.results.study_report", "openai"]
CLIENT = """#!/bin/bash
env -0 > {folder}/environment
printf '%s\\0' "$PWD" "${{0##*/}}" "$@" > {folder}/ask
read -r code < {folder}/told
cat {folder}/out
cat {folder}/err >&2
exit "$code"
"""
STAYS = ("serve", "view")  # commands that go on until they are interrupted
_context = multiprocessing.get_context("forkserver")


class CommandServer:
    """Use it as a context manager; `path` goes in front of a script's PATH. `before` sees each command's folder and
    arguments first."""

    def __init__(self, folder: Path, before: Callable[[Path, list[str]], None]) -> None:
        self.folder, self.before, self.path = folder, before, folder / "bin"
        self.staying: list[BaseProcess] = []
        self.path.mkdir(parents=True)
        for name in ("ask", "told"):
            os.mkfifo(folder / name)
        for name in ("mtpa-run", "python"):
            self.add(name, CLIENT.format(folder=folder))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def add(self, name: str, text: str) -> None:
        """Another command of the script's."""
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def __enter__(self) -> Self:
        _context.set_forkserver_preload(PRELOADED)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.staying:
            process.terminate()
            process.join(HUNG)
        (self.folder / "ask").write_bytes(b"")
        self._thread.join(HUNG)

    def _serve(self) -> None:
        while asked := (self.folder / "ask").read_bytes().decode().split("\0")[:-1]:
            where, name, *arguments = asked
            try:
                code = self._answer(Path(where), name, arguments)
            except Exception as error:  # said where the command's own words would stand
                (self.folder / "err").write_text(f"the test's own fault: {error!r}\n")
                code = 99
            (self.folder / "told").write_text(f"{code}\n")

    def _answer(self, where: Path, name: str, arguments: list[str]) -> int | None:
        self.before(where, arguments)
        for said in (
            self.folder / "out",
            self.folder / "err",
        ):  # one that stays writes on into its own
            said.unlink(missing_ok=True)
            said.touch()
        lines = (self.folder / "environment").read_bytes().decode().split("\0")[:-1]
        environment = dict(line.partition("=")[::2] for line in lines)
        process = _context.Process(target=_run, args=(self.folder, where, name, arguments, environment), daemon=True)
        process.start()
        if not set(STAYS) & set(arguments[:1]):
            process.join(HUNG)
            return process.exitcode
        printed = [self.folder / "out", self.folder / "err"]
        wait_until(lambda: not process.is_alive() or any(b"http://" in each.read_bytes() for each in printed))
        self.staying.append(process)
        return 0 if process.is_alive() else process.exitcode or 98


def _run(folder: Path, where: Path, name: str, arguments: list[str], environment: dict[str, str]) -> None:
    os.chdir(where)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in ((1, "out"), (2, "err")):
        descriptor = os.open(folder / file, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if name == "python":
        with contextlib.suppress(KeyboardInterrupt):
            runpy.run_path(arguments[0], run_name="__main__")
        return
    from runner.cli.app import main

    sys.argv = [name, *arguments]
    main()

"""How the command starts."""

import resource
import subprocess
import sys

import pytest
from studies import ROOT

from runner.__main__ import LEAST_MEMORY, main


class Interrupting:
    """Ctrl-C while the command's modules are imported."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "runner.cli.app":
            raise KeyboardInterrupt


def test_an_interrupt_while_it_loads_leaves_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "runner.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


def test_too_little_memory_to_load_is_a_sentence() -> None:
    """Libraries abort or hang where they cannot have what they ask for while they load."""
    little = LEAST_MEMORY // 2
    done = subprocess.run(
        [sys.executable, "-m", "runner", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (little, little)),
    )
    assert (done.returncode, done.stdout) == (5, "") and "needs at least 1.3 GB" in done.stderr

"""How the command starts."""

import sys

import pytest

from runner.__main__ import main


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

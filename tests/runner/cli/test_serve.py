"""The command that serves a local model: what it refuses before a model is loaded."""

import sys

import pytest

from personas.errors import InputError, MachineError
from runner.cli.serve import TOKEN, serve


def test_only_loopback_is_served_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    with pytest.raises(InputError, match=TOKEN):
        serve("tiny", host="0.0.0.0")


def test_without_torch_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "a-token")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MachineError, match=r"pip install"):
        serve("tiny", host="0.0.0.0")

"""The log is silent until somebody shows it, and shows no key."""

import logging
import subprocess
import sys

import pytest

from runner.study import masking
from runner.study.logs import logger

PROGRAM = """
import logging, sys
import mtpa
from runner.engine.state import State
if len(sys.argv) > 1:
    logging.basicConfig(level=sys.argv[1], format="%(levelname)s %(name)s %(message)s")
state = State()
state.enter("asking")
state.stop("m", "no 100% luck")
"""


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ([], ""),
        (["WARNING"], "WARNING mtpa.runner.engine.state model m stops: no 100% luck\n"),
        (
            ["INFO"],
            "INFO mtpa.runner.engine.state asking\nWARNING mtpa.runner.engine.state model m stops: no 100% luck\n",
        ),
    ],
)
def test_a_program_sees_what_it_asks_for(level: list[str], shown: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *level], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", shown)


def test_no_handler_sees_a_key(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_secrets", {"sk-abcdefgh12345678"})
    with caplog.at_level(logging.INFO, logger="mtpa"):
        logger("runner.anything").info("sent with %s to %d", "sk-abcdefgh12345678", 5)
    assert caplog.messages == ["sent with [API key] to 5"]

"""A server that a run started ends with it, however the run ends."""

import os
import signal
import sys
from threading import Thread


def end_with_parent() -> None:
    """End this process once its standard input, a pipe from the parent, is closed; also while a model is loaded."""
    Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

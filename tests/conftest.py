"""What every test shares."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from runner.study import masking

# A busy machine is slow, and that is no failure.
settings.register_profile("mtpa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mtpa")

# What starts the tests in the background has interrupts ignored, and so would every command that they interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Threads of one computation wait for each other on a machine that has other work; servers inherit this.
os.environ["OMP_NUM_THREADS"] = "1"
# Without a network, a look-up at the hub is tried again for most of a minute.
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parent / "support"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: a long file that starts last leaves the other cores without work."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _secrets_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that one test has read is not taken out of what another prints."""
    monkeypatch.setattr(masking, "_secrets", set(masking._secrets))

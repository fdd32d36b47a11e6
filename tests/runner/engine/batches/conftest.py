"""Every provider's key, and jobs that are looked at all the time."""

import pytest
from batch_studies import KEYS


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.engine.batches.feeding.POLL_SECONDS", 0.05)
    monkeypatch.setattr("runner.engine.batches.tending.POLL_SECONDS", 0.05)
    for name in KEYS.values():
        monkeypatch.setenv(name, "k")

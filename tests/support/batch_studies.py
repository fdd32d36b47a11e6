"""Small studies in batches, against the providers' own SDKs and an endpoint on this machine."""

from pathlib import Path
from typing import Any

from fake_batches import FakeBatches
from studies import model, rows

KEYS = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
MODELS = {"openai": "openai-model", "gemini": "gemini-model", "anthropic": "claude-haiku-4-5"}
PRICE = {"input": 1.0, "output": 10.0}
QUICK = {"poll": 0.05, "poll_most": 0.2, "lag": 0.0}
COST = 55  # half of 100 tokens in and 1 out


def batched(server: FakeBatches, backend: str = "openai", **changes: Any) -> dict[str, Any]:
    """A [[models]] table for the endpoint."""
    url = getattr(server, f"{backend}_url")
    table = {"backend": backend, "id": MODELS[backend], "price": PRICE, "mode": "batch", "batch": QUICK}
    return model(url, **{**table, **changes})


def every_answer_is_kept_once(server: FakeBatches, folder: Path, trials: int) -> None:
    """Each request was worked on once, each trial has its score, and nothing is left behind."""
    assert set(server.worked_on.values()) == {1}
    assert rows(folder, "SELECT count(*), sum(status = 'ok') FROM score") == [(trials, trials)]
    assert rows(folder, "SELECT count(*) FROM job_trial") == rows(folder, "SELECT count(*) FROM lease") == [(0,)]
    settled = COST * len(server.worked_on)
    assert rows(folder, "SELECT sum(reserved_micro_usd), sum(settled_micro_usd) FROM job") == [(0, settled)]


def _key(line: dict[str, Any]) -> str:
    return str(line.get("custom_id") or line.get("key"))

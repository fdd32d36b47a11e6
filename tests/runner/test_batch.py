"""Batches against both providers' own SDKs and an endpoint on loopback: what goes up, what comes down, what is lost."""

from pathlib import Path
from typing import Any

import pytest
from fake_batches import FakeBatches
from studies import load, model, rows

from runner.engine import run

KEYS = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY"}
PRICE = {"input": 1.0, "output": 10.0}
QUICK = {"poll": 0.05, "poll_most": 0.2, "lag": 0.0}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS.values():
        monkeypatch.setenv(name, "k")


def batched(server: FakeBatches, backend: str = "openai", **changes: Any) -> dict[str, Any]:
    url = server.openai_url if backend == "openai" else server.gemini_url
    table = {"backend": backend, "id": f"{backend}-model", "price": PRICE, "mode": "batch", "batch": QUICK}
    return model(url, **{**table, **changes})


@pytest.mark.parametrize("backend", KEYS)
async def test_a_batch_answers_what_live_requests_would(backend: str, tmp_path: Path) -> None:
    with FakeBatches() as server:
        table = batched(server, backend, batch={**QUICK, "requests": 20})
        study = load(tmp_path, [table], variants={"system": "Be brief."}, budget={"usd": 1.0})
        state = await run(study)
        assert (state.exit_code, state.sent, state.total("answered")) == (0, 50, 50)
        assert len(server.jobs) == 3
        again = await run(study)
    assert (again.sent, again.total("hits")) == (0, 50)
    assert set(server.worked_on.values()) == {1}
    assert server.requests == 0
    assert rows(tmp_path, "SELECT count(*), sum(status = 'ok') FROM score") == [(50, 50)]
    assert rows(tmp_path, "SELECT DISTINCT micro_usd FROM completion") == [(55,)]  # (100 + 10) / 2
    assert rows(tmp_path, "SELECT sum(reserved_micro_usd), sum(settled_micro_usd) FROM job") == [(0, 2750)]
    assert rows(tmp_path, "SELECT count(*) FROM job_trial") == rows(tmp_path, "SELECT count(*) FROM lease") == [(0,)]

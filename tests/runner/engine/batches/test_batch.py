"""A run in batches: the answers of live requests, at the price of batches, beside live ones."""

import asyncio
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from batch_studies import COST, KEYS, PRICE, QUICK, batched, every_answer_is_kept_once
from fake_batches import FakeBatches
from studies import load, model, rows
from waiting import HUNG, until

from personas.errors import InputError
from runner.backends.batches.base import KEY_BYTES
from runner.backends.catalogue.prices import batch_price_of, cost, saved_by_caching
from runner.backends.request import Usage
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import plan
from runner.progress.status import read_status
from runner.study.sections import ModelSection, Price


def _key(line: dict[str, Any]) -> str:
    return str(line.get("custom_id") or line.get("key"))


@pytest.mark.parametrize("backend", KEYS)
async def test_a_batch_answers_what_live_requests_would(backend: str, tmp_path: Path) -> None:
    with FakeBatches() as server:
        table = batched(server, backend, batch={**QUICK, "requests": 20})
        state = await run(load(tmp_path, [table], variants={"system": "Be brief."}, budget={"usd": 1.0}))
        assert (state.exit_code, state.sent, state.total("answered")) == (0, 50, 50)
        assert len(server.jobs) == 3
        line = next(iter(server.files.values())).lines()[0]
        again = await run(load(tmp_path, [table | {"mode": "live"}], variants={"system": "Be brief."}))
    assert (again.sent, again.total("hits"), server.requests) == (0, 50, 0)
    assert rows(tmp_path, "SELECT DISTINCT micro_usd FROM completion") == [(COST,)]
    every_answer_is_kept_once(server, tmp_path, 50)
    sent = [key for file in server.files.values() if file.name != "output" for key in map(_key, file.lines())]
    read_by = dict(rows(tmp_path, "SELECT lower(hex(key)), persona_text FROM completion"))
    read_by |= {key[: 2 * KEY_BYTES]: text for key, text in read_by.items()}
    assert len(list(groupby(read_by[key] for key in sent))) == 5  # what a persona is asked stands together
    if backend == "anthropic":
        assert (line["params"]["system"], line["params"]["max_tokens"]) == ("Be brief.", 3)
    elif backend == "openai":
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
        assert line["body"]["messages"][0] == {"role": "system", "content": "Be brief."}
    else:
        assert line["request"]["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
        assert line["request"]["generationConfig"] == {"maxOutputTokens": 3}


@pytest.mark.parametrize(("mode", "lost"), [("live", True), ("auto", False)])
async def test_a_live_run_and_a_pilot_wait_for_open_jobs_only_where_somebody_brings_them(
    mode: str, lost: bool, tmp_path: Path
) -> None:
    """A job that the provider does not know any more is given up, and what it held is not waited for."""
    with FakeBatches(views=10**6) as server:
        stop = asyncio.Event()
        going = asyncio.create_task(run(load(tmp_path, [batched(server)], n=2), stop=stop, pilot=False))
        await until(lambda: server.jobs, going)
        stop.set()
        await going
        for job in server.jobs.values():
            job.views = 1
        if lost:
            server.jobs.clear()
        state = await asyncio.wait_for(run(load(tmp_path, [batched(server, mode=mode)], n=2)), HUNG)
    assert state.total("done") == (0 if lost else state.total("planned"))
    assert ("no such batch" in state.stopped.get("fake", "")) is lost


async def test_auto_sends_a_pilot_live_and_the_rest_up(tmp_path: Path) -> None:
    with FakeBatches() as server:
        table = batched(server, mode="auto", concurrency=8, answer="probabilities", decoding={})
        state = await run(load(tmp_path, [table], n=9, budget={"usd": 1.0}))
    assert (state.exit_code, state.total("answered"), state.total("hits")) == (0, 100, 0)
    assert (server.requests, len(server.worked_on)) == (50, 50)
    assert state.micro_usd == 50 * 110 + 50 * COST
    assert rows(tmp_path, "SELECT count(*) FROM completion WHERE length(letters) = 8") == [(100,)]
    assert rows(tmp_path, "SELECT sum(settled_micro_usd), sum(reserved_micro_usd) FROM spend") == [(50 * 110, 0)]


async def test_what_the_providers_cache_saved_is_priced_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = ModelSection(name="m", backend="openai", id="x", price=Price(input=2.0, output=8.0, cached=0.5))
    usage = Usage(prompt_tokens=1000, completion_tokens=10, cached_tokens=400)
    assert cost(batch_price_of(section), usage) == 600 + 200 + 40  # a cached token at its own price, not at half of it
    assert saved_by_caching(section.price or Price(input=0, output=0), usage) == 400 * 1.5

    chat = FakeBatches._chat

    def cached(self: FakeBatches, body: str) -> dict[str, Any]:
        reply = chat(self, body)
        reply["usage"]["prompt_tokens_details"] = {"cached_tokens": 40}
        return reply

    monkeypatch.setattr(FakeBatches, "_chat", cached)
    with FakeBatches() as server:
        table = batched(server, mode="live", price={**PRICE, "cached": 0.25})
        study = load(tmp_path, [table], n=3)
        state = await run(study)
    assert state.caching.sentence().startswith("40% of the prompts' tokens came from the provider's cache")
    assert state.caching.saved_micro_usd == state.total("done") * 30
    assert any("saved $0.0012" in line for line in read_status(study.database).lines())
    with prepared(load(tmp_path, [table | {"mode": "batch"}], n=4)) as ready:
        found = plan(ready)
        assert any("saved $0.0012" in remark for remark in found.remarks)
        assert any("caches from 1,024 on: do not count on a discount" in remark for remark in found.remarks)
        assert found.rows[0].usd_high == found.rows[0].usd_batch


def test_what_takes_no_batches_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes no batches"):
        load(tmp_path, [model("http://127.0.0.1:1/v1", mode="batch")])
    with pytest.raises(InputError, match="unknown key"):
        load(tmp_path, [model("http://127.0.0.1:1/v1", batch={"size": 3})])

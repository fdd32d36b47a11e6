"""The cap is never passed: with hundreds in flight, by several models, after kills."""

import asyncio
import json
import random
import signal
import time
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows, start, write_study
from waiting import HUNG

from personas.errors import InputError
from runner.backends.base import Answer
from runner.backends.catalogue.prices import FREE, cost, price_of, worst_cost, worst_prompt_tokens
from runner.backends.errors import Transient
from runner.backends.providers import make_backend
from runner.backends.request import ModelIdentity, Request, Usage
from runner.engine.run import run
from runner.store.cache import ResultCache
from runner.study.sections import ModelSection, Price
from scoring.answers.responses import Response

PRICE = {"input": 1.0, "output": 10.0}
MAX_TOKENS = 50


class Spender:
    """A backend that uses a random number of tokens and watches what could be spent at every moment."""

    def __init__(self, seed: int, cap: int) -> None:
        self.dice, self.cap = random.Random(seed), cap
        self.settled = self.at_risk = self.worst = 0

    def __call__(self, section: ModelSection, identity: ModelIdentity, learn: object) -> "Spender":
        return self

    async def answer(self, request: Request) -> Answer:
        bound = worst_prompt_tokens(request) * 1 + MAX_TOKENS * 10
        self.at_risk += bound
        self.worst = max(self.worst, self.settled + self.at_risk)
        assert self.settled + self.at_risk <= self.cap
        await asyncio.sleep(self.dice.random() * 0.002)
        prompt = self.dice.randrange(1, bound - MAX_TOKENS * 10)
        usage = Usage(prompt_tokens=prompt, completion_tokens=self.dice.randrange(1, MAX_TOKENS + 1))
        self.at_risk -= bound
        self.settled += cost(Price(**PRICE), usage)
        return Answer(Response(text="A"), usage, "fake")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("seed", range(12))
async def test_the_cap_holds_with_hundreds_in_flight(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    cap = dice.randrange(20_000, 400_000)
    spender = Spender(seed, cap)
    table = model("http://127.0.0.1:9", price=PRICE, decoding={"max_tokens": MAX_TOKENS}, concurrency=512)
    study = load(tmp_path, [table], n=19, groups=40, budget={"usd": cap / 1e6})
    state = await run(study, backend=spender, pilot=False)
    assert spender.settled <= cap
    assert rows(tmp_path, "SELECT sum(settled_micro_usd), sum(reserved_micro_usd) FROM spend") == [(spender.settled, 0)]
    if state.total("answered") < 800:
        assert state.exit_code == 4
        largest = 2_500 + MAX_TOKENS * 10
        assert spender.settled > cap - largest  # what is left would not pay for one more
    again = Spender(seed, cap - spender.settled)
    await run(study, backend=again, pilot=False)
    assert spender.settled + again.settled <= cap


async def test_a_model_has_a_cap_of_its_own(tmp_path: Path) -> None:
    with FakeLLM() as server:
        tables = [
            model(server.url, name="a", id="a", price=PRICE, usd=0.005),
            model(server.url, name="b", id="b", price=PRICE),
        ]
        state = await run(load(tmp_path, tables, n=9, groups=20, budget={"usd": 1.0}), pilot=False)
    assert state.over_budget == {"a"}
    assert state.tallies["b", "crows_pairs:choice"].done == 200
    assert rows(tmp_path, "SELECT count(*) FROM spend WHERE settled_micro_usd > 5000") == [(1,)]


@pytest.mark.slow
def test_the_cap_holds_when_the_run_is_killed_and_restarted(tmp_path: Path) -> None:
    dice = random.Random(5)
    with FakeLLM(latency=0.01) as server:
        server.completion_tokens = lambda body: 1 + len(body) % MAX_TOKENS
        server.reports_usage = lambda body: len(body) % 3 > 0  # what is not reported is paid for all the same
        table = model(server.url, price=PRICE, decoding={"max_tokens": MAX_TOKENS}, concurrency=64)
        study = write_study(tmp_path, [table], n=49, groups=100, budget={"usd": 0.8})
        for _ in range(5):
            process = start(study, "--yes", "--no-pilot")
            target = server.requests + dice.randrange(20, 200)
            deadline = time.monotonic() + HUNG
            while server.requests < target and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        process = start(study, "--yes", "--no-pilot")
        output, _ = process.communicate(timeout=HUNG)
    assert process.returncode == 4, output
    assert "The budget is reached" in output
    spent = sum(count * (100 + 10 * (1 + len(body) % MAX_TOKENS)) for body, count in server.bodies.items())
    assert 0.2e6 < spent <= 0.8e6


def test_no_money_is_spent_without_being_asked(tmp_path: Path) -> None:
    with FakeLLM() as server:
        table = model(server.url, price={"input": 1e6, "output": 1e6})
        study = write_study(tmp_path, [table], budget={"confirm_above": 5.0})
        process = start(study)
        output, _ = process.communicate(timeout=HUNG)
    assert process.returncode == 2
    assert "--yes" in output
    assert server.requests == 0


async def test_a_reservation_made_by_another_process_counts(tmp_path: Path) -> None:
    with FakeLLM() as server:
        table = model(server.url, price=PRICE)
        study = load(tmp_path, [table], budget={"usd": 0.01})
        cache = ResultCache(study.database)
        cache.connection.execute("INSERT INTO spend VALUES (999, 1, 9900, 0, 0)")
        cache.close()
        state = await run(study, pilot=False)
    assert state.exit_code == 4
    assert server.requests == 0
    assert json.loads(rows(tmp_path, "SELECT heartbeat FROM run")[0][0])["sent"] == 0


def test_a_paid_endpoint_needs_a_price(tmp_path: Path) -> None:
    section = load(tmp_path, [model("https://example.org/v1")]).models[0]
    with pytest.raises(InputError, match="price"):
        price_of(section)
    assert price_of(section.model_copy(update={"unpriced": "allow"})) == FREE
    assert price_of(section.model_copy(update={"base_urls": ("http://localhost:1",)})) == FREE


UNSAID = {
    "no usage": (None, 1),
    "zeros": ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, 1),
    "reasoning apart": ({"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 701}, 601),
    "reasoning beside": (
        {"prompt_tokens": 100, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 600}},
        601,
    ),
}


@pytest.mark.parametrize("kind", UNSAID)
async def test_the_cap_holds_whatever_usage_says(kind: str, tmp_path: Path) -> None:
    """Also where an answer costs more than `max_tokens` allows, and with many that could be in flight."""
    usage, output = UNSAID[kind]

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        choice = {"message": {"content": "A"}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": usage, "model": server.model})

    with FakeLLM(misbehave=misbehave) as server:
        table = model(server.url, price=PRICE, concurrency=64)
        state = await run(load(tmp_path, [table], n=9, budget={"usd": 0.05}), pilot=False)
    spent = server.requests * (100 + 10 * output)
    sums = "SELECT sum(settled_micro_usd), sum(reserved_micro_usd), sum(estimated_micro_usd) FROM spend"
    ((settled, reserved, estimated),) = rows(tmp_path, sums)
    assert (state.exit_code, reserved, state.micro_usd) == (4, 0, settled)
    assert 0.02e6 < settled <= 0.05e6
    if output == 1:
        assert spent < settled == estimated == state.estimated_micro_usd
        assert rows(tmp_path, "SELECT DISTINCT estimated, prompt_tokens FROM completion") == [(1, None)]
    else:
        assert (spent, estimated) == (settled, 0)


BOOKED = {
    "400": lambda: web.json_response({"error": {"message": "no"}}, status=400),
    "429": lambda: web.json_response({"error": {"message": "no"}}, status=429),
    "error in a 200": lambda: web.json_response({"error": {"message": "lost", "code": 502}}),
    "503": lambda: web.Response(status=503),
    "500 with usage": lambda: web.json_response(
        {"error": {"message": "no"}, "usage": {"prompt_tokens": 40, "completion_tokens": 1}}, status=500
    ),
    "broken off": lambda: web.json_response(
        {
            "choices": [{"message": {"content": "A"}, "finish_reason": "abort"}],
            "usage": {"prompt_tokens": 40, "completion_tokens": 1},
        }
    ),
    "no JSON": lambda: web.Response(text="<html>"),
}
FREE_OF_CHARGE, BY_USAGE = ("400", "429", "error in a 200"), ("500 with usage", "broken off")


async def test_what_failed_is_booked_as_it_may_have_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.backends.retry.ATTEMPTS", 2)
    monkeypatch.setattr("runner.backends.retry._full_jitter", lambda state: 0.0)

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return BOOKED[json.loads(raw)["model"]]()

    with FakeLLM(misbehave=misbehave) as server:
        tables = [model(server.url, name=kind, id=kind, price=PRICE, concurrency=2) for kind in BOOKED]
        await run(load(tmp_path, tables, n=1, groups=1, budget={"usd": 1.0}), pilot=False)
    sums = "SELECT name, settled_micro_usd, estimated_micro_usd FROM spend JOIN model ON model.id = spend.model"
    for kind, settled, estimated in rows(tmp_path, sums):
        sent = sum(count for body, count in server.bodies.items() if json.loads(body)["model"] == kind)
        if kind in FREE_OF_CHARGE:
            assert (kind, settled, estimated) == (kind, 0, 0)
        elif kind in BY_USAGE:
            assert (kind, settled, estimated) == (kind, sent * 50, 0)
        else:
            assert settled == estimated > sent * 100, kind


@pytest.mark.parametrize("backend", ["openai-compatible", "openai", "gemini"])
async def test_only_what_was_sent_may_have_cost_something(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is refused costs nothing; one that is lost, or silent, once the request is there may."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    arrived = 0

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        nonlocal arrived
        arrived += 1
        while arrived == 2 and request.transport is not None:  # silent until the client is gone
            await asyncio.sleep(0.05)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    found = []
    with FakeLLM(misbehave=misbehave) as server:
        for port in (server.port, server.port, 9):
            urls = (f"http://127.0.0.1:{port}",)
            section = ModelSection(name="m", backend=backend, id="m", base_urls=urls, timeout=2)  # type: ignore[arg-type]
            made = make_backend(section, ModelIdentity(backend, "m", "", "", {}), lambda headers: None)
            with pytest.raises(Transient) as caught:
                await made.answer(Request(b"k", [{"role": "user", "content": "q"}], {}, "text", ()))
            found.append(caught.value.charged)
            await made.close()
    assert (found, arrived) == ([True, True, False], 2)


def test_tokens_written_to_the_cache_have_a_price_of_their_own() -> None:
    price = Price(input=1.0, output=10.0, cached=0.1, cache_write=1.25)
    usage = Usage(1000, 10, cached_tokens=400, written_tokens=200)
    assert cost(price, usage) == 400 * 1.0 + 400 * 0.1 + 200 * 1.25 + 100
    request = Request(b"", [{"role": "user", "content": "x" * 84}], {}, "text", ())
    assert worst_cost(price, ModelIdentity("p", "m", "", "", {"max_tokens": 1}), request) == 100 * 1.25 + 10

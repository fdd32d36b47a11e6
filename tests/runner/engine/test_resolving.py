"""What an endpoint takes is found out with a new model's first request, once for a study and all of its shards."""

import asyncio
import fcntl
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from strict_llm import StrictLLM
from studies import load, model, rows
from waiting import until

from personas.errors import InputError
from runner.engine.run import run
from runner.store.cache import ResultCache
from runner.store.leases import Leases
from runner.store.merge import merge
from runner.store.resolutions import in_sibling_file
from runner.study.config import Study

FREE = {"input": 0.0, "output": 0.0}
SHORT = {"temperature": 0.7, "max_tokens": 3}
STILL = {**SHORT, "reasoning_effort": "none"}
Rule = Callable[[Mapping[str, Any]], str | None]


class Refusing(FakeLLM):
    """Refuses what a rule says, in its words; counts what it refused."""

    def __init__(self, rule: Rule, status: int = 400) -> None:
        super().__init__(misbehave=self._refuse)
        self.rule, self.status, self.refused = rule, status, 0

    async def _refuse(self, server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        if (said := self.rule(json.loads(raw))) is None:
            return None
        self.refused += 1
        return web.json_response({"error": {"message": said}}, status=self.status)


def odd(body: Mapping[str, Any]) -> str | None:
    """A model that nobody has heard of: it calls the bound otherwise and wants it to be larger, and it takes no
    temperature but its own."""
    if "max_tokens" in body:
        return "Unknown parameter: 'max_tokens'. Did you mean 'max_completion_tokens'?"
    if body.get("max_completion_tokens", 99) < 16:
        return "max_completion_tokens must be at least 16"
    return "temperature may not be set for this model" if "temperature" in body else None


async def test_a_model_that_nobody_has_heard_of_is_asked_as_it_wants_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    with Refusing(odd) as server:
        study = load(tmp_path, [model(server.url, decoding=SHORT, allow_dropped=["temperature"])])
        state = await run(study)
        assert (state.exit_code, server.refused, server.requests - server.refused) == (0, 3, 50)
        assert (state.total("answered"), state.total("hits"), state.total("done")) == (50, 0, 50)
        assert any("no temperature" in each for each in state.remarks)
        assert any("max_completion_tokens" in each for each in state.remarks)
        again = await run(study)
        assert (again.sent, server.requests, again.total("hits")) == (0, 53, 50)
    ((parameters, resolved),) = rows(tmp_path, "SELECT parameters, resolved FROM model")
    assert json.loads(parameters) == {"max_completion_tokens": 16}
    ((asked,),) = [[each["asked"]["decoding"]] for each in json.loads(resolved).values()]
    assert asked == SHORT
    beside = json.loads((tmp_path / "study.resolved.json").read_text())
    assert [each["parameters"] for each in beside.values()] == [{"max_completion_tokens": 16}]


@pytest.mark.parametrize(
    ("backend", "name", "decoding", "answer", "allowed"),
    [
        ("openai", "gpt-6-luna", {**SHORT, "top_p": 0.5}, "text", ["temperature", "top_p"]),
        ("openai-compatible", "gpt-6-luna", {**SHORT, "top_p": 0.5}, "text", ["temperature", "top_p"]),
        ("openai", "gpt-5.4-nano", STILL, "probabilities", []),
        ("openai-compatible", "gpt-5.4-nano", STILL, "probabilities", []),
        ("gemini", "gemini-3.5-flash-lite", SHORT, "text", []),
    ],
)
async def test_models_of_today_are_asked_with_few_probes_known_to_the_table_or_not(
    backend: str,
    name: str,
    decoding: dict[str, Any],
    answer: str,
    allowed: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key in ("OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(key, "k")
    with StrictLLM() as server:
        url = server.url.removesuffix("/v1") if backend == "gemini" else server.url
        table = {"backend": backend, "id": name, "decoding": decoding, "answer": answer, "allow_dropped": allowed}
        study = load(tmp_path, [model(url, price=FREE, baseline_replicates=1, **table)], n=1, groups=3)
        state = await run(study)
        assert state.exit_code == 0, state.stopped
        assert len(server.refused) <= (3 if backend == "openai-compatible" else 0)
        sent = server.requests
        assert (await run(study)).sent == 0
        assert server.requests == sent
    ((parameters,),) = rows(tmp_path, "SELECT parameters FROM model")
    assert ("temperature" in json.loads(parameters)) == ("temperature" not in allowed)


async def test_what_the_study_needs_is_a_sentence_after_one_request(tmp_path: Path) -> None:
    with Refusing(lambda body: "logprobs are not available" if "logprobs" in body else None, 403) as server:
        state = await run(load(tmp_path, [model(server.url, answer="probabilities")]))
        assert (state.exit_code, server.requests) == (3, 1)
        assert "set answer = 'text'" in state.stopped["fake"]


async def test_a_sampling_parameter_that_the_study_names_is_left_out_only_by_agreement(tmp_path: Path) -> None:
    with Refusing(lambda body: "no `temperature`, please" if "temperature" in body else None) as server:
        study = load(tmp_path, [model(server.url, decoding=SHORT)])
        for _ in range(2):
            state = await run(study)
            assert state.exit_code == 3
            assert 'allow_dropped = ["temperature"]' in state.stopped["fake"]
        assert server.requests == 2
        assert (await run(study, acknowledge=True)).exit_code == 0
        assert (await run(study)).sent == 0
    assert rows(tmp_path, "SELECT survey FROM acknowledgement") == [("parameter temperature of fake",)]


@pytest.mark.parametrize("status", [402, 405])
async def test_what_no_prompt_can_be_the_reason_of_ends_after_one_request(status: int, tmp_path: Path) -> None:
    with Refusing(lambda body: "top up your wallet", status) as server:
        state = await run(load(tmp_path, [model(server.url)], n=20))
        assert (state.exit_code, server.requests) == (3, 1)
        assert "top up your wallet" in state.stopped["fake"]


async def test_a_model_that_takes_nothing_stops_after_four_requests(tmp_path: Path) -> None:
    names = ["seed", "stop", "top_k", "min_p", "max_tokens"]
    rule = lambda body: next((f"no '{name}'" for name in names if name in body), None)  # noqa: E731
    decoding = {"seed": 1, "stop": ["."], "top_k": 3, "min_p": 0.1, "max_tokens": 3}
    with Refusing(rule) as server:
        state = await run(load(tmp_path, [model(server.url, decoding=decoding, allow_dropped=["top_k", "min_p"])]))
        assert (state.exit_code, server.requests) == (3, 4)
        assert "took none of 4 requests" in state.stopped["fake"]


async def test_a_later_change_of_the_endpoint_stops_the_model(tmp_path: Path) -> None:
    with Refusing(lambda body: None) as server:
        await run(load(tmp_path, [model(server.url, decoding=SHORT, concurrency=4)]), limit=20)
        server.rule = lambda body: "`temperature` is deprecated for this model" if "temperature" in body else None
        state = await run(load(tmp_path, [model(server.url, decoding=SHORT, concurrency=4)]))
        assert state.exit_code == 3
        assert "refuses a parameter that it is asked with" in state.stopped["fake"]
        assert server.refused <= 8


async def test_a_model_that_thinks_gets_room_and_the_first_answer_is_paid_for_once(tmp_path: Path) -> None:
    async def thinks(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        bound = json.loads(raw)["max_tokens"]
        cut = bound < 1000
        choice = {"message": {"content": "" if cut else "A"}, "finish_reason": "length" if cut else "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 3}}
        return web.json_response({"choices": [choice], "model": server.model, "usage": usage})

    price = {"input": 0.0, "output": 100.0}
    with FakeLLM(misbehave=thinks) as server:
        study = load(tmp_path, [model(server.url, price=price)])
        state = await run(study)
        assert (state.exit_code, server.requests, state.total("done")) == (0, 51, 50)
        assert (await run(study)).sent == 0
    assert rows(tmp_path, "SELECT count(*), sum(settled_micro_usd) FROM completion, spend")[0][0] > 0
    assert rows(tmp_path, "SELECT sum(settled_micro_usd) FROM spend") == [(51 * 300,)]


async def test_shards_ask_as_the_first_found_out_and_two_ways_are_not_merged(tmp_path: Path) -> None:
    with Refusing(odd) as server:
        study = load(tmp_path, [model(server.url, decoding=SHORT, allow_dropped=["temperature"])])
        for which in ("1/2", "2/2"):
            assert (await run(study.part(which))).exit_code == 0
        assert server.refused == 3
        files = sorted(tmp_path.glob("study.*-of-2.sqlite"))
        merge(files, tmp_path / "study.sqlite")
        assert (await run(Study.load(study.path))).sent == 0
        (tmp_path / "study.resolved.json").unlink()
        server.rule = lambda body: "no 'temperature'" if "temperature" in body else None
        for each in files:
            each.unlink()
        assert (await run(study.part("1/2"))).exit_code == 0
    with pytest.raises(InputError, match="was asked with"):
        merge([files[0]], tmp_path / "study.sqlite")


async def test_a_file_beside_that_another_shard_is_writing_is_read_once_it_is_written(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)])
        assert (await run(study.part("1/2"))).exit_code == 0
        path = tmp_path / "study.resolved.json"
        whole = path.read_text()
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate()
            writing = threading.Timer(0.5, lambda: (file.write(whole), file.close()))
            writing.start()
            found = in_sibling_file(study.models[0], study.whole_database)
            writing.join()
    assert found is not None and found.parameters == {"max_tokens": 3}


async def test_an_unreadable_file_beside_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "study.resolved.json").write_text("{")
    with FakeLLM() as server, pytest.raises(InputError, match=r"study\.resolved\.json.*delete it"):
        await run(load(tmp_path, [model(server.url)]))


async def test_the_first_answer_of_all_is_asked_for_once_while_it_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run knows how to ask and has its first answer; another looks for it before it is committed."""
    commit = ResultCache._commit

    def late(cache: ResultCache, connection: sqlite3.Connection, group: Sequence[Any]) -> None:
        time.sleep(1.0 if any(job.completion for job in group) else 0.0)
        commit(cache, connection, group)

    monkeypatch.setattr(ResultCache, "_commit", late)
    with FakeLLM(latency=0.1) as server:
        study = load(tmp_path, [model(server.url, concurrency=4)], n=3, groups=5)
        one = asyncio.create_task(run(study, pilot=False))
        await until(lambda: server.answered.total() == 1, one)
        await until(lambda: rows(tmp_path, "SELECT count(*) FROM model WHERE resolved != '{}'") == [(1,)], one)
        await asyncio.gather(one, run(study, pilot=False))
    assert server.repeats == 0


async def test_what_another_run_found_out_is_not_found_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run has seen that nothing is known of a model; before it may find out, another has."""
    take, tasks = Leases.take, set[Any]()

    async def late(leases: Leases, cache: ResultCache, keys: Collection[bytes]) -> set[bytes]:
        is_first = (task := asyncio.current_task()) not in tasks
        tasks.add(task)
        if is_first and len(tasks) == 2:
            await until(lambda: rows(tmp_path, "SELECT count(*) FROM completion")[0][0] >= 1)
        return await take(leases, cache, keys)

    monkeypatch.setattr(Leases, "take", late)
    with FakeLLM(latency=0.3) as server:
        study = load(tmp_path, [model(server.url, concurrency=4)], n=3, groups=5)
        await asyncio.gather(run(study, pilot=False), run(study, pilot=False))
    assert len(tasks) == 2
    assert server.repeats == 0

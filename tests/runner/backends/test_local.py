"""A study's local model: the server is started, killed, started again, and nothing is lost."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

pytest.importorskip("torch")

from studies import load, rows
from waiting import HUNG, listens, until

from personas.errors import MachineError
from runner.backends.base import Answer, Learn
from runner.backends.errors import BadRequest
from runner.backends.local import DEATHS, LOSSES, LocalBackend, local_identity
from runner.backends.providers import make_backend
from runner.backends.request import ModelIdentity, Request
from runner.engine.context import BackendFactory
from runner.engine.run import run
from runner.engine.state import State
from runner.study.sections import ModelSection

pytestmark = pytest.mark.slow

LOCAL = {"name": "small", "backend": "local", "id": "smollm2-135m-instruct", "dtype": "float32"}


def server_of(parent: psutil.Process) -> psutil.Process | None:
    """The server that this process started, once it answers."""
    return next((each for each in parent.children() if "serve" in each.cmdline()), None)


class Held(LocalBackend):
    """Lets two requests through, and the others when it is opened."""

    def __init__(self, section: ModelSection, identity: ModelIdentity) -> None:
        super().__init__(section, identity)
        self.asked, self.opened = 0, asyncio.Event()

    async def answer(self, request: Request) -> Answer:
        self.asked += 1
        if self.asked > 2:
            await self.opened.wait()
        return await super().answer(request)


async def test_a_server_that_is_killed_is_started_again_with_half_the_batch(
    tiny: dict[str, Any], tmp_path: Path
) -> None:
    made: list[Held] = []

    def remembering(section: ModelSection, identity: ModelIdentity, learn: Learn) -> LocalBackend:
        made.append(Held(section, identity))
        return made[-1]

    factory: BackendFactory = remembering
    study = load(tmp_path, [{**tiny, "concurrency": 4}], n=2, groups=4)
    state = State()
    running = asyncio.create_task(run(study, state, backend=factory, pilot=False))
    await until(lambda: state.total("answered") == 2, running)
    server = server_of(psutil.Process())
    assert server is not None
    server.suspend()  # so that it is sure to have requests in hand when it is killed
    made[0].opened.set()
    await asyncio.sleep(0.2)
    server.kill()
    await asyncio.wait_for(running, HUNG)
    assert not psutil.pid_exists(server.pid) and server_of(psutil.Process()) is None
    ((trials, completions),) = rows(
        tmp_path, "SELECT COUNT(*), COUNT(DISTINCT completion) FROM score WHERE status='ok'"
    )
    assert trials == completions == 12
    assert state.sent == 12 and not state.failures, "a request was counted, or answered, twice"
    assert made[0]._batch_tokens == 2048
    ((exactness,),) = rows(tmp_path, "SELECT exactness FROM model")
    found = json.loads(exactness)
    assert found["checked"] == 8 and found["changed"] == 0 and found["largest_difference"] < 1e-4


async def test_a_local_model_writes_text(tiny: dict[str, Any], tmp_path: Path) -> None:
    table = {**tiny, "answer": "text", "decoding": {"max_tokens": 3, "temperature": 0}}
    await asyncio.wait_for(run(load(tmp_path, [table], n=1, groups=2), pilot=False), HUNG)
    found = rows(tmp_path, "SELECT answer, completion_tokens, finish FROM completion")
    assert len(found) == 4
    assert all(answer and 0 < tokens <= 3 and finish in ("length", "stop") for answer, tokens, finish in found)


async def test_a_server_that_always_dies_is_given_up_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    section = ModelSection.model_validate(LOCAL)
    backend = make_backend(section, local_identity(section, None), lambda headers: None)
    assert isinstance(backend, LocalBackend)
    sizes: list[int | None] = []

    async def start() -> None:
        sizes.append(backend._batch_tokens)
        backend._batch_tokens = backend._batch_tokens or 4096
        await dying(backend)

    monkeypatch.setattr(backend, "_start", start)
    request = Request(b"", [{"role": "user", "content": "?"}], {}, "letters", ("A", "B"))
    for _ in range(2):
        with pytest.raises(BadRequest, match="died 3 times with this request"):
            await backend.answer(request)
    with pytest.raises(MachineError, match=f"died {DEATHS + 1} times .* free some memory"):
        await backend.answer(request)
    assert sizes == [None, 2048, 1024, 512, 256, 128]
    await backend.close()


LETHAL = """
import asyncio, os, sys
from aiohttp import web

async def choices(request):
    asked = (await request.json())["messages"][0]["content"]
    await asyncio.sleep(0.05)
    if asked == "lethal":
        os._exit(1)
    return web.json_response({"logprobs": [-1.0, -2.0], "usage": {"prompt_tokens": 1}})

app = web.Application()
app.router.add_post("/v1/choices", choices)
web.run_app(app, path=sys.argv[1], print=None)
"""


async def test_a_request_that_kills_the_server_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours are answered by the next server, not blamed for it."""
    section = ModelSection.model_validate(LOCAL)
    backend = LocalBackend(section, local_identity(section, None))
    started = []

    async def start() -> None:
        backend._folder = tempfile.TemporaryDirectory(prefix="mtpa-")
        backend._log.write_text("killed\n")
        socket = Path(backend._folder.name) / "socket"
        backend._process = await asyncio.create_subprocess_exec(sys.executable, "-c", LETHAL, str(socket))
        started.append(socket)
        await until(lambda: listens(socket))
        backend._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)))

    monkeypatch.setattr(backend, "_start", start)
    asked = ["fine", "lethal", *["fine"] * 10]
    requests = [Request(b"", [{"role": "user", "content": each}], {}, "letters", ("A", "B")) for each in asked]
    async with asyncio.timeout(HUNG):
        found = await asyncio.gather(*map(backend.answer, requests), return_exceptions=True)
    await backend.close()
    assert [place for place, each in enumerate(found) if isinstance(each, Exception)] == [1]
    assert isinstance(found[1], BadRequest) and LOSSES <= len(started) <= LOSSES + 1


async def dying(backend: LocalBackend) -> None:
    """A server that takes a connection and is gone."""
    backend._folder = tempfile.TemporaryDirectory(prefix="mtpa-")
    backend._log.write_text("killed\n")
    backend._process = await asyncio.create_subprocess_exec("true")
    await backend._process.wait()
    connector = aiohttp.UnixConnector(str(Path(backend._folder.name) / "socket"))
    backend._session = aiohttp.ClientSession(connector=connector)

"""A local model: a server process of its own, started at the first request, spoken to over a Unix socket."""

import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import Process
from pathlib import Path

import aiohttp

from personas.errors import MachineError
from runner.assets import assets, fetch
from runner.backends.base import Answer
from runner.backends.http import post_json, timeout
from runner.config import ModelSection
from runner.requests import ModelIdentity, Request, Usage
from runner.retry import BadRequest
from scoring.answers import Response

START_SECONDS = 900.0

URL = "http://local"


class LocalBackend:
    """Starts `mtpa-run serve`, awaits it, and stops it on every exit path."""

    def __init__(self, section: ModelSection, identity: ModelIdentity) -> None:
        self._section = section
        self._identity = identity
        self._starting = asyncio.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def answer(self, request: Request) -> Answer:
        """Letter probabilities from one forward pass, or the log-likelihoods of the continuations."""
        session = await self.running()
        if request.kind == "text":
            raise BadRequest("unsupported", "the local server gives probabilities and log-likelihoods, not text")
        letters = request.kind == "letters"
        path, name = ("choices", "choices") if letters else ("loglikelihood", "continuations")
        payload = json.dumps({"messages": request.messages, name: request.options}).encode()
        began = time.monotonic()
        body = await post_json(session, f"{URL}/v1/{path}", payload)
        latency = round(1000 * (time.monotonic() - began))
        usage = Usage(prompt_tokens=int(body["usage"]["prompt_tokens"]), latency_ms=latency)
        numbers = tuple(body["logprobs"])
        response = Response(letter_logprobs=numbers) if letters else Response(logliks=numbers)
        return Answer(response, usage, self._identity.model)

    async def running(self) -> aiohttp.ClientSession:
        """A session with the server, which is started where it is not up yet. Raises MachineError."""
        async with self._starting:
            if self._session is None:
                await self._start()
            assert self._session is not None
            return self._session

    async def close(self) -> None:
        """Stop the server."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mtpa-")
        socket, log = Path(self._folder.name) / "socket", Path(self._folder.name) / "log"
        command = [sys.executable, "-m", "runner.cli", "serve", "--socket", str(socket)]
        with log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *command, *_model_options(self._identity), stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output
            )
        session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket), limit=0), timeout=timeout(START_SECONDS)
        )
        deadline = time.monotonic() + START_SECONDS
        while not await _is_up(session):
            if self._process.returncode is not None or time.monotonic() > deadline:
                await session.close()
                lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise MachineError(f"model {self._section.name!r}: the local server did not start: {lines[-1]}")
            await asyncio.sleep(0.1)
        self._session = session


async def _is_up(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get(f"{URL}/health") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def _model_options(identity: ModelIdentity) -> list[str]:
    options = ["--model", identity.model, "--dtype", identity.dtype]
    if identity.model not in assets() and identity.revision:
        options += ["--revision", identity.revision]
    return options


def local_identity(section: ModelSection, known_dtype: str | None) -> ModelIdentity:
    """The identity of a local model with `dtype = "auto"` resolved: as an earlier run of the file resolved it, so that
    the same file means the same answers on every machine, else what this machine does fastest."""
    revision = section.revision
    if section.id in assets():
        revision = "-".join(entry.sha256[:16] for entry in assets()[section.id].files.values())
    dtype = section.dtype if section.dtype != "auto" else known_dtype or fastest_dtype()
    return ModelIdentity("local", section.id, revision, dtype, section.decoding)


def fastest_dtype() -> str:
    """float16 on CUDA, bfloat16 on a processor that multiplies it, float32 elsewhere."""
    import torch

    if torch.cuda.is_available():
        return "float16"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


def weights(model: str) -> tuple[Path | str, str | None]:
    """Where the weights are: a directory or hub id, and the GGUF file in it where the model is an asset."""
    if model in assets():
        return fetch(model), next(iter(assets()[model].files))
    return model, None

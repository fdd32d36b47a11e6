"""A local model: a server process of its own, started at the first request, spoken to over a Unix socket."""

import asyncio
import contextlib
import json
import re
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from personas.errors import InputError, MachineError
from runner.backends import chat_completions as chat
from runner.backends.base import Answer
from runner.backends.errors import BadRequest, Transient
from runner.backends.http import post_json, timeout
from runner.backends.request import ModelIdentity, Request, Usage
from runner.study.assets import assets, fetch
from runner.study.sections import ModelSection
from scoring.answers.responses import Response

NO_TORCH = "local models need torch: pip install '.[local]' in mtpa's folder"
START_SECONDS = 900.0
URL = "http://local"
DEATHS = 5
LOSSES = 3
CHECK_SECONDS = 120.0
CHECKED = 8  # answers that are compared with unbatched ones at the end of a run


class LocalBackend:
    """Starts `mtpa-run serve`, waits for it, and stops it on every exit path.

    A server that dies is started again with half the batch, and is asked again for what it had not answered.
    """

    def __init__(self, section: ModelSection, identity: ModelIdentity) -> None:
        self._section, self._identity = section, identity
        self._starting, self._alone = asyncio.Lock(), asyncio.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._batch_tokens: int | None = None
        self._deaths = 0
        self._fatal: MachineError | None = None

    async def answer(self, request: Request) -> Answer:
        """Letter probabilities or log-likelihoods from forward passes, or text. Raises BackendError or MachineError."""
        path, asked = _asked(request)
        payload = json.dumps({"messages": request.messages, **asked}).encode()
        began = time.monotonic()
        body = await self.post(path, payload)
        return self._read(request, body, round(1000 * (time.monotonic() - began)))

    async def post(self, path: str, payload: bytes) -> dict[str, Any]:
        """What the server answers to a body.

        What a server died of may be any request that was with it then: each of them is asked again, alone, and given up
        where the server dies of it again. Raises BackendError, MachineError.
        """
        for lost in range(LOSSES):
            async with self._alone if lost else contextlib.nullcontext():
                session = await self.running()
                try:
                    body = await post_json(session, f"{URL}/v1/{path}", payload)
                except Transient:
                    if not await self._has_died():
                        raise
                    continue
                self._deaths = 0
                return body
        raise BadRequest("died", f"the local server died {LOSSES} times with this request")

    async def exactness(self) -> Mapping[str, float] | None:
        """Batched answers against unbatched ones, from the server; None where it was not needed or is not there."""
        if self._session is None:
            return None
        try:
            async with self._session.get(f"{URL}/check", timeout=timeout(CHECK_SECONDS)) as response:
                found: dict[str, float] = await response.json()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return found if found["checked"] else None

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

    def _read(self, request: Request, body: dict[str, Any], latency_ms: int) -> Answer:
        if request.kind == "text":
            return chat.read(body, request, latency_ms)
        numbers = tuple(body["logprobs"])
        letters = request.kind == "letters"
        likeliest = body.get("likeliest", "")
        response = Response(letter_logprobs=numbers, likeliest=likeliest) if letters else Response(logliks=numbers)
        usage = Usage(int(body["usage"]["prompt_tokens"]), 0, latency_ms=latency_ms)
        return Answer(response, usage, self._identity.model)

    async def running(self) -> aiohttp.ClientSession:
        """The session with a server that lives; one that died leaves half its batch.

        Raises MachineError, and then for everybody who asks: what does not start is not started once for each.
        """
        async with self._starting:
            if self._fatal is not None:
                raise self._fatal
            try:
                return await self._alive()
            except MachineError as error:
                self._fatal = error
                raise

    async def _alive(self) -> aiohttp.ClientSession:
        if self._process is not None and self._process.returncode is not None:
            log = self._last_line()
            await self.close()
            self._deaths += 1
            if self._deaths > DEATHS:
                raise MachineError(
                    f"model {self._section.name!r}: the local server died {self._deaths} times without an answer "
                    f"between, the last with: {log}; free some memory, or name a smaller model or dtype"
                )
            self._batch_tokens = max(1, self._batch_tokens // 2) if self._batch_tokens else None
        if self._session is None:
            await self._start()
        assert self._session is not None
        return self._session

    async def _has_died(self) -> bool:
        """Whether the server is gone; the system takes a moment to tell."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 2)
        return process is None or process.returncode is not None

    async def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mtpa-")
        socket = Path(self._folder.name) / "socket"
        # -P: a module in the working directory must not stand in for one of ours
        command = [sys.executable, "-P", "-m", "runner", "serve", "--socket", str(socket), "--with-parent"]
        command += ["--check", str(CHECKED)]
        if self._batch_tokens:
            command += ["--batch-tokens", str(self._batch_tokens)]
        with self._log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                *_model_options(self._identity),
                stdin=asyncio.subprocess.PIPE,  # which closes when this process ends, however it ends
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the run, which lets the server finish what is in flight
            )
        session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket), limit=0), timeout=timeout(START_SECONDS)
        )
        deadline = time.monotonic() + START_SECONDS
        try:
            while (health := await _health(session)) is None:
                if self._process.returncode is not None or time.monotonic() > deadline:
                    raise MachineError(
                        f"model {self._section.name!r}: the local server did not start: {self._last_line()}"
                    )
                await asyncio.sleep(0.1)
        except BaseException:
            await session.close()
            raise
        self._batch_tokens = health["batch_tokens"]
        self._session = session

    @property
    def _log(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "log"

    def _last_line(self) -> str:
        """The last thing that the server said."""
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        return lines[-1].removeprefix("mtpa-run: ")


def _asked(request: Request) -> tuple[str, dict[str, Any]]:
    """Where a request is sent, and what of it beside the messages."""
    if request.kind == "text":
        return "chat/completions", dict(request.parameters)
    name = "choices" if request.kind == "letters" else "continuations"
    return ("choices" if request.kind == "letters" else "loglikelihood"), {name: request.options}


async def _health(session: aiohttp.ClientSession) -> dict[str, Any] | None:
    """What the server says of itself; None while it cannot be reached."""
    try:
        async with session.get(f"{URL}/health") as response:
            found: dict[str, Any] = await response.json()
            return found
    except aiohttp.ClientError:
        return None


def _model_options(identity: ModelIdentity) -> list[str]:
    options = ["--model", identity.model, "--dtype", identity.dtype]
    if identity.model not in assets() and identity.revision:
        options += ["--revision", identity.revision]
    return options


def local_identity(section: ModelSection, known_dtype: str | None) -> ModelIdentity:
    """The identity of a local model with `dtype = "auto"` resolved.

    As an earlier run of the file resolved it, so that the same file means the same answers on every machine; else what
    this machine does fastest.
    """
    revision = section.revision
    if section.id in assets():
        revision = "-".join(entry.sha256[:16] for entry in assets()[section.id].files.values())
    dtype = section.dtype if section.dtype != "auto" else known_dtype or fastest_dtype()
    return ModelIdentity("local", section.id, revision, dtype, section.decoding)


def fastest_dtype() -> str:
    """float16 on CUDA, bfloat16 on a processor that multiplies it, float32 elsewhere.

    Raises MachineError where torch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MachineError(NO_TORCH) from None

    if torch.cuda.is_available():
        return "float16"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


def weights(model: str) -> tuple[Path | str, str | None]:
    """Where the weights are: a directory or hub id, and the GGUF file in it where the model is an asset.

    Raises InputError for a folder that is not there.
    """
    if model in assets():
        return fetch(model), next(iter(assets()[model].files))
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model) and not Path(model).is_dir():
        raise InputError(f"there is no folder {model}; name one, a hub id, or a model of `mtpa-run data list`")
    return model, None

"""OpenAI's, Gemini's and Anthropic's batch endpoints on loopback: requests go up, jobs work on them, results come down.

What arrives is counted by request key: `uploaded` in files, `worked_on` in jobs. `at` hears of every step, and may kill
whoever took it; `fate` decides what becomes of a request, `end` of a job.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from fake_llm import FakeLLM

from runner.backends.batches.anthropic_jobs import key_of

_GEMINI = {"in_progress": "RUNNING", "completed": "SUCCEEDED"}


@dataclass
class FakeFile:
    """A file of requests, or of results."""

    id: str
    name: str
    content: bytes = b""

    def lines(self) -> list[dict[str, Any]]:
        """Its objects."""
        return [json.loads(line) for line in self.content.splitlines()]


@dataclass
class FakeJob:
    """A job; it ends when it has been looked at `views` times."""

    id: str
    marker: str
    file: FakeFile
    views: int
    status: str = "in_progress"
    results: list[FakeFile] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    answered: int = 0
    failed: int = 0
    made: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


class FakeBatches(FakeLLM):
    """All providers."""

    def __init__(self, views: int = 2) -> None:
        super().__init__()
        self.views = views
        self.uploaded: Counter[str] = Counter()
        self.worked_on: Counter[str] = Counter()
        self.files: dict[str, FakeFile] = {}
        self.jobs: dict[str, FakeJob] = {}
        self.steps: Counter[str] = Counter()
        self.at: Callable[[str], bool] = lambda step: False  # true: whoever took the step is gone
        self.fate: Callable[[str], str] = lambda key: "answer"
        self.end: Callable[[FakeJob], str] = lambda job: "completed"
        self.listing = "whole"  # or "empty", as where it lags behind, or "refused"
        self.download: Callable[[bytes], bytes] = lambda content: content

    @property
    def openai_url(self) -> str:
        """OpenAI's base URL."""
        return f"http://127.0.0.1:{self.port}/openai/v1"

    @property
    def gemini_url(self) -> str:
        """Gemini's base URL."""
        return f"http://127.0.0.1:{self.port}/gemini"

    @property
    def anthropic_url(self) -> str:
        """Anthropic's base URL."""
        return f"http://127.0.0.1:{self.port}/anthropic"

    def add_routes(self, app: web.Application) -> None:
        """The batch endpoints before those that answer live."""
        app.router.add_post("/openai/v1/files", self._openai_upload)
        app.router.add_get("/openai/v1/files", self._openai_files)
        app.router.add_get("/openai/v1/files/{id}/content", self._download)
        app.router.add_post("/openai/v1/batches", self._openai_create)
        app.router.add_get("/openai/v1/batches", self._openai_jobs)
        app.router.add_get("/openai/v1/batches/{id}", self._view)
        app.router.add_post("/openai/v1/batches/{id}/cancel", self._cancel)
        app.router.add_post("/gemini/upload/{version}/files", self._gemini_begin)
        app.router.add_post("/gemini/upload/{name}", self._gemini_upload)
        app.router.add_get("/gemini/{version}/files", self._gemini_files)
        app.router.add_get("/gemini/{version}/files/{id}:download", self._download)
        app.router.add_post("/gemini/{version}/models/{model}:batchGenerateContent", self._gemini_create)
        app.router.add_get("/gemini/{version}/batches", self._gemini_jobs)
        app.router.add_get("/gemini/{version}/batches/{id}", self._view)
        app.router.add_post("/gemini/{version}/batches/{id}:cancel", self._cancel)
        batches = "/anthropic/v1/messages/batches"
        app.router.add_post(batches, self._anthropic_create)
        app.router.add_get(batches, self._anthropic_jobs)
        app.router.add_get(f"{batches}/{{id}}", self._view)
        app.router.add_get(f"{batches}/{{id}}/results", self._anthropic_results)
        app.router.add_post(f"{batches}/{{id}}/cancel", self._cancel)
        super().add_routes(app)

    def _step(self, name: str) -> bool:
        self.steps[name] += 1
        return self.at(name)

    def _store(self, name: str, content: bytes, prefix: str = "file") -> FakeFile:
        file = FakeFile(f"{prefix}-{len(self.files)}", name, content)
        self.files[file.id] = file
        return file

    def _keep_upload(self, name: str, content: bytes) -> FakeFile:
        file = self._store(name, content)
        self.uploaded.update(_key(line) for line in file.lines())
        return file

    def _make_job(self, marker: str, file: FakeFile) -> FakeJob:
        job = FakeJob(f"job{len(self.jobs)}", marker, file, self.views)
        self.jobs[job.id] = job
        self.worked_on.update(_key(line) for line in file.lines())
        return job

    def _look(self, job: FakeJob) -> None:
        """One more look at a job; the last one ends it."""
        job.views -= 1
        if job.views > 0 or job.status != "in_progress":
            return
        job.status = self.end(job)
        if job.status == "failed":
            job.errors = job.errors or [{"code": "token_limit_exceeded", "message": "too many enqueued tokens"}]
            return
        good: list[bytes] = []
        bad: list[bytes] = []
        for line in job.file.lines():
            key, fate = _key(line), self.fate(_key(line))
            if fate == "answer":
                good.append(_line(self._answer(line)))
            elif fate != "missing":
                told = _not_succeeded(line["id"], fate) if "params" in line else _failed(key, fate, "request" in line)
                bad.append(_line(told))
        job.answered, job.failed = len(good), len(bad)
        job.results = [self._store("output", b"".join(lines), "results") for lines in (good, bad) if lines]

    def _answer(self, line: dict[str, Any]) -> dict[str, Any]:
        if "request" in line:
            reply = self._gemini(json.dumps(line["request"]))
            reply["candidates"][0]["newerThanTheSDK"] = {"a": 1}
            return {"key": line["key"], "response": {**reply, "newerStill": 1}}
        if "params" in line:
            message = {**self._message(json.dumps(line["params"])), "newerThanTheSDK": {"a": 1}}
            return {"custom_id": line["id"], "result": {"type": "succeeded", "message": message}}
        reply = {"status_code": 200, "request_id": "r", "body": self._chat(json.dumps(line["body"]))}
        return {"id": "x", "custom_id": line["custom_id"], "response": reply, "error": None}

    async def _openai_upload(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert form["purpose"] == "batch"
        part = form["file"]
        assert isinstance(part, web.FileField)
        if self._step("before upload"):
            return _gone(request)
        file = self._keep_upload(part.filename, part.file.read())
        return _gone(request) if self._step("after upload") else web.json_response(_openai_file(file))

    async def _openai_files(self, request: web.Request) -> web.Response:
        found = [_openai_file(file) for file in reversed(self.files.values()) if file.name != "output"]
        return web.json_response({"object": "list", "data": found, "has_more": False})

    async def _openai_create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        assert (body["endpoint"], body["completion_window"]) == ("/v1/chat/completions", "24h")
        if self._step("before create"):
            return _gone(request)
        if body["input_file_id"] not in self.files:
            return web.json_response({"error": {"message": "no such file", "code": 400}}, status=400)
        job = self._make_job(body["metadata"]["mtpa"], self.files[body["input_file_id"]])
        return _gone(request) if self._step("after create") else web.json_response(_openai_job(job))

    async def _openai_jobs(self, request: web.Request) -> web.Response:
        if self.listing == "refused":
            return web.json_response({"error": {"message": "no such key", "code": 401}}, status=401)
        found = [_openai_job(job) for job in reversed(self.jobs.values()) if self.listing == "whole"]
        return web.json_response({"object": "list", "data": found, "has_more": False})

    async def _view(self, request: web.Request) -> web.StreamResponse:
        if self._step("while waiting"):
            return _gone(request)
        if (job := self.jobs.get(request.match_info["id"])) is None:
            return web.json_response({"error": {"message": "no such batch", "code": 404}}, status=404)
        self._look(job)
        return web.json_response(_told(job, request))

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["id"]]
        job.views, job.status = 0, "in_progress"
        before, self.end = self.end, lambda job: "cancelled"
        self._look(job)
        self.end = before
        return web.json_response({} if "/gemini/" in request.path else _told(job, request))

    async def _download(self, request: web.Request) -> web.StreamResponse:
        return await self._send(request, self.files[request.match_info["id"]].content)

    async def _send(self, request: web.Request, content: bytes) -> web.StreamResponse:
        if self._step("while downloading"):
            response = web.StreamResponse(headers={"Content-Length": str(len(content))})
            await response.prepare(request)
            await response.write(content[: 2 * len(content) // 3])
            return _gone(request)
        return web.Response(body=self.download(content))

    async def _gemini_begin(self, request: web.Request) -> web.Response:
        name = (await request.json())["file"]["display_name"]
        return web.json_response({}, headers={"X-Goog-Upload-URL": f"{self.gemini_url}/upload/{name}"})

    async def _gemini_upload(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        if self._step("before upload"):
            return _gone(request)
        file = self._keep_upload(request.match_info["name"], content)
        if self._step("after upload"):
            return _gone(request)
        return web.json_response({"file": _gemini_file(file)}, headers={"X-Goog-Upload-Status": "final"})

    async def _gemini_files(self, request: web.Request) -> web.Response:
        return web.json_response({"files": [_gemini_file(file) for file in self.files.values()]})

    async def _gemini_create(self, request: web.Request) -> web.StreamResponse:
        batch = (await request.json())["batch"]
        if self._step("before create"):
            return _gone(request)
        name = batch["inputConfig"]["fileName"].removeprefix("files/")
        job = self._make_job(batch["displayName"], self.files[name])
        return _gone(request) if self._step("after create") else web.json_response(_gemini_job(job))

    async def _gemini_jobs(self, request: web.Request) -> web.Response:
        return web.json_response({"operations": [_gemini_job(job) for job in self.jobs.values()]})

    async def _anthropic_create(self, request: web.Request) -> web.StreamResponse:
        asked = (await request.json())["requests"]
        ids = [each["custom_id"] for each in asked]
        assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", each) for each in ids)
        if self._step("before create"):
            return _gone(request)
        lines = [{"key": key_of(each["custom_id"]).hex(), "id": each["custom_id"], **each} for each in asked]
        content = b"".join(_line({name: line[name] for name in ("key", "id", "params")}) for line in lines)
        job = self._make_job("", self._keep_upload("", content))
        return _gone(request) if self._step("after create") else web.json_response(_anthropic_job(job))

    async def _anthropic_jobs(self, request: web.Request) -> web.Response:
        if self.listing == "refused":
            return web.json_response({"error": {"message": "no such key", "type": "authentication_error"}}, status=401)
        for job in self.jobs.values():
            self._look(job)  # it ends whoever looks
        found = [_anthropic_job(job) for job in reversed(self.jobs.values()) if self.listing == "whole"]
        return web.json_response({"data": found, "has_more": False, "first_id": None, "last_id": None})

    async def _anthropic_results(self, request: web.Request) -> web.StreamResponse:
        job = self.jobs[request.match_info["id"]]
        return await self._send(request, b"".join(file.content for file in job.results))


def _told(job: FakeJob, request: web.Request) -> dict[str, Any]:
    """A job as its provider tells of it."""
    if "/anthropic/" in request.path:
        return _anthropic_job(job)
    return _gemini_job(job) if "/gemini/" in request.path else _openai_job(job)


def _anthropic_job(job: FakeJob) -> dict[str, Any]:
    total = job.file.content.count(b"\n")
    ended = job.status != "in_progress"
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    counts |= {"succeeded": job.answered, "errored": total - job.answered} if ended else {"processing": total}
    return {
        "id": job.id,
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress",
        "request_counts": counts,
        "created_at": job.made,
        "expires_at": job.made,
        "results_url": None,
    }


def _not_succeeded(custom_id: str, fate: str) -> dict[str, Any]:
    """What Anthropic tells of a request that was not answered."""
    words = {"batch_expired": "expired", "batch_cancelled": "canceled"}
    if fate in words:
        return {"custom_id": custom_id, "result": {"type": words[fate]}}
    kind = {"400": "invalid_request_error", "429": "rate_limit_error"}.get(fate, "api_error")
    error = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "r"}
    return {"custom_id": custom_id, "result": {"type": "errored", "error": error}}


def _key(line: dict[str, Any]) -> str:
    return str(line.get("custom_id") or line["key"])


def _line(value: dict[str, Any]) -> bytes:
    # an answer may hold U+2028, which ends a line for some readers
    return json.dumps({**value, "note": "a\u2028b"}, ensure_ascii=False).encode() + b"\n"


def _failed(key: str, fate: str, gemini: bool) -> dict[str, Any]:
    """What is told of a request that was not answered: `fate` is an HTTP status, or a word of OpenAI's."""
    if gemini:
        return {"key": key, "error": {"code": int(fate), "message": "no"}}
    if not fate.isdigit():
        return {"custom_id": key, "response": None, "error": {"code": fate, "message": "not done"}}
    reply = {"status_code": int(fate), "request_id": "r", "body": {"error": {"message": "no"}}}
    return {"custom_id": key, "response": reply, "error": None}


def _openai_file(file: FakeFile) -> dict[str, Any]:
    named = {"id": file.id, "object": "file", "filename": file.name, "bytes": len(file.content)}
    return {**named, "created_at": 1, "purpose": "batch", "status": "processed"}


def _openai_job(job: FakeJob) -> dict[str, Any]:
    counts = {"total": job.file.content.count(b"\n"), "completed": job.answered, "failed": job.failed}
    files: dict[str, str | None] = {"output_file_id": None, "error_file_id": None}
    for name, file in zip(files, job.results, strict=False):
        files[name] = file.id
    return {
        "id": job.id,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": job.file.id,
        "completion_window": "24h",
        "created_at": 1,
        "status": job.status,
        "metadata": {"mtpa": job.marker},
        "errors": {"object": "list", "data": job.errors} if job.errors else None,
        "request_counts": counts,
        **files,
    }


def _gemini_file(file: FakeFile) -> dict[str, Any]:
    return {"name": f"files/{file.id}", "displayName": file.name, "mimeType": "jsonl", "state": "ACTIVE"}


def _gemini_job(job: FakeJob) -> dict[str, Any]:
    state = f"BATCH_STATE_{_GEMINI.get(job.status, job.status.upper())}"
    found: dict[str, Any] = {"displayName": job.marker, "state": state}
    if job.results:
        merged = job.results[0]
        for other in job.results[1:]:  # one file holds answers and failures here
            merged.content += other.content
        job.results = [merged]
        found["output"] = {"responsesFile": f"files/{merged.id}"}
    return {"name": f"batches/{job.id}", "metadata": found}


def _gone(request: web.Request) -> web.Response:
    """The connection breaks."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()

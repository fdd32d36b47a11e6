"""Gemini's Batch API, through google-genai."""

import io
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from google.genai import types

from runner.backends.base import Answer
from runner.backends.batches.base import CANCELLED, EXPIRED, UNANSWERED, JobView, Limits, Result, lines, named, refused
from runner.backends.errors import BackendError, BadRequest
from runner.backends.gemini import SDK_ERRORS, GeminiBackend, as_backend_error, contents_of, read
from runner.backends.request import Request, canonical
from runner.study.sections import ModelSection

# of a request's settings, what stands beside generationConfig and not in it (ai.google.dev/api/generate-content)
_BESIDE = ("systemInstruction", "safetySettings", "tools", "toolConfig", "cachedContent")
_FAILED = BadRequest("failed", "the job failed at the provider")
_ENDED = {
    "JOB_STATE_SUCCEEDED": UNANSWERED,
    "JOB_STATE_PARTIALLY_SUCCEEDED": UNANSWERED,
    "JOB_STATE_FAILED": _FAILED,
    "JOB_STATE_CANCELLED": CANCELLED,
    "JOB_STATE_EXPIRED": EXPIRED,
}
# google.rpc.Code → HTTP status (googleapis/googleapis, google/rpc/code.proto)
_HTTP = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 10: 409, 13: 500, 14: 503, 16: 401}


class GeminiBatches:
    """Files of generateContent requests; a file's and its job's display name is the marker."""

    # ai.google.dev/gemini-api/docs/batch-api: 2 GB a file, kept for 48 hours; it names no most requests: one of ours
    limits = Limits(requests=50_000, size=2_000_000_000, kept=48 * 3_600.0)

    def __init__(self, section: ModelSection) -> None:
        self._model = section.id
        self._live = GeminiBackend(section, lambda headers: None)

    def line(self, request: Request) -> bytes:
        """One JSON object: its `key` is the request's."""
        config = self._live.config(request)
        settings = config.model_dump(
            mode="json", exclude={"should_return_http_response"}, exclude_none=True, by_alias=True
        )
        beside = {name: settings.pop(name) for name in _BESIDE if name in settings}
        if isinstance(system := beside.get("systemInstruction"), str):
            beside["systemInstruction"] = {"parts": [{"text": system}]}
        found = contents_of(request)
        spoken = [types.Content(role="user", parts=[types.Part(text=found)])] if isinstance(found, str) else found
        contents = [each.model_dump(mode="json", exclude_none=True, by_alias=True) for each in spoken]
        body = {"contents": contents, "generationConfig": settings, **beside}
        return canonical({"key": request.key.hex(), "request": body}) + b"\n"

    async def upload(self, marker: str, content: bytes) -> str:
        """files.upload."""
        with _sdk_errors():
            config = types.UploadFileConfig(display_name=marker, mime_type="jsonl")
            file = await self._live.client().aio.files.upload(file=io.BytesIO(content), config=config)
            return named(file.name)

    async def find_file(self, marker: str) -> str | None:
        """By its display name."""
        with _sdk_errors():
            async for file in await self._live.client().aio.files.list(config={"page_size": 100}):
                if file.display_name == marker:
                    return named(file.name)
        return None

    async def create(self, marker: str, file_id: str) -> str:
        """batches.create."""
        with _sdk_errors():
            config = types.CreateBatchJobConfig(display_name=marker)
            job = await self._live.client().aio.batches.create(model=self._model, src=file_id, config=config)
            return named(job.name)

    async def find_job(self, marker: str, file_id: str) -> str | None:
        """By its display name."""
        with _sdk_errors():
            async for job in await self._live.client().aio.batches.list(config={"page_size": 100}):
                if job.display_name == marker:
                    return named(job.name)
        return None

    async def view(self, job_id: str) -> JobView:
        """batches.get."""
        with _sdk_errors():
            job = await self._live.client().aio.batches.get(name=job_id)
            state = job.state.name if job.state else "JOB_STATE_UNSPECIFIED"
            missing = _ENDED.get(state)
            files = (job.dest.file_name,) if job.dest and job.dest.file_name else ()
            return JobView(state, ended=missing is not None, files=files, missing=missing or UNANSWERED)

    async def results(self, view: JobView) -> AsyncIterator[Result]:
        """The lines of the file of results."""
        for file in view.files:
            with _sdk_errors():
                content = await self._live.client().aio.files.download(file=file)
            for key, line in lines(content, "key"):
                yield Result(key, _result(line))

    def read(self, reply: Mapping[str, Any], request: Request) -> Answer:
        """A generateContent response."""
        return read(reply, request, 0)

    async def cancel(self, job_id: str) -> None:
        """batches.cancel."""
        with _sdk_errors():
            await self._live.client().aio.batches.cancel(name=job_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._live.close()


def _result(line: Mapping[str, Any]) -> Mapping[str, Any] | BackendError:
    """The response in a line of results, or what became of the request."""
    reply, error = line.get("response"), line.get("error") or line.get("status")
    if isinstance(reply, dict) and reply:
        return reply
    if not isinstance(error, Mapping):
        return UNANSWERED
    code = error.get("code")
    status = _HTTP.get(code, code) if isinstance(code, int) else 500
    return refused(status, {"error": {**error, "code": status}})


@contextmanager
def _sdk_errors() -> Iterator[None]:
    try:
        yield
    except SDK_ERRORS as error:
        raise as_backend_error(error) from None

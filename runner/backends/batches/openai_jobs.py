"""OpenAI's Batch API, through its own SDK."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import openai
from openai.types import Batch

from runner.backends.base import Answer
from runner.backends.batches.base import (
    CANCELLED,
    EXPIRED,
    QUEUE_FULL,
    UNANSWERED,
    JobView,
    Limits,
    Result,
    lines,
    named,
    refused,
)
from runner.backends.chat_completions import body, read
from runner.backends.errors import BackendError, Transient
from runner.backends.openai import OpenAIBackend, as_backend_error
from runner.backends.request import Request, canonical
from runner.study.sections import ModelSection

ENDPOINT: Final = "/v1/chat/completions"
TRANSFER_SECONDS = 3600.0
_ENDED = {"completed": UNANSWERED, "expired": EXPIRED, "cancelled": CANCELLED}


class OpenAIBatches:
    """Files of chat completions; a file's name and its job's metadata hold the marker."""

    # platform.openai.com/docs/guides/batch: 50,000 requests and 200 MB a file, results for 30 days
    limits = Limits(requests=50_000, size=200_000_000, kept=30 * 86_400.0)

    def __init__(self, section: ModelSection) -> None:
        self._model = section.id
        self._live = OpenAIBackend(section, lambda headers: None)

    def line(self, request: Request) -> bytes:
        """One JSON object: its `custom_id` is the request's key."""
        named = {"custom_id": request.key.hex(), "method": "POST", "url": ENDPOINT}
        sent = body(self._model, request)
        sent = {name: value for name, value in sent.items() if name != "stream"} | sent.pop("extra_body", {})
        return canonical({**named, "body": sent}) + b"\n"

    async def upload(self, marker: str, content: bytes) -> str:
        """files.create, as MARKER.jsonl."""
        with _sdk_errors():
            file = await self._live.client().files.create(
                file=(f"{marker}.jsonl", content), purpose="batch", timeout=TRANSFER_SECONDS
            )
            return named(file.id)

    async def find_file(self, marker: str) -> str | None:
        """By its name, the newest files first."""
        with _sdk_errors():
            async for file in self._live.client().files.list(purpose="batch", order="desc"):
                if file.filename == f"{marker}.jsonl":
                    return named(file.id)
        return None

    async def create(self, marker: str, file_id: str) -> str:
        """batches.create, to be done within a day."""
        with _sdk_errors():
            job = await self._live.client().batches.create(
                input_file_id=file_id, endpoint=ENDPOINT, completion_window="24h", metadata={"mtpa": marker}
            )
            return named(job.id)

    async def find_job(self, marker: str, file_id: str) -> str | None:
        """By its metadata, the newest jobs first."""
        with _sdk_errors():
            async for job in self._live.client().batches.list(limit=100):
                if (job.metadata or {}).get("mtpa") == marker:
                    return named(job.id)
        return None

    async def view(self, job_id: str) -> JobView:
        """batches.retrieve."""
        with _sdk_errors():
            return _view(await self._live.client().batches.retrieve(job_id))

    async def results(self, view: JobView) -> AsyncIterator[Result]:
        """The lines of the output and of the error file."""
        for file in view.files:
            with _sdk_errors():
                found = await self._live.client().files.content(file, timeout=TRANSFER_SECONDS)
            for key, line in lines(found.content, "custom_id"):
                yield Result(key, _result(line))

    def read(self, reply: Mapping[str, Any], request: Request) -> Answer:
        """A chat completion."""
        return read(reply, request, 0)

    async def cancel(self, job_id: str) -> None:
        """batches.cancel."""
        with _sdk_errors():
            await self._live.client().batches.cancel(job_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._live.close()


def _view(job: Batch) -> JobView:
    counts = job.request_counts
    answered, failed = (counts.completed, counts.failed) if counts else (0, 0)
    files = tuple(each for each in (job.output_file_id, job.error_file_id) if each)
    if job.status == "failed":
        return JobView(job.status, answered, failed, True, files, _refusal(job))
    missing = _ENDED.get(job.status)
    return JobView(job.status, answered, failed, missing is not None, files, missing or UNANSWERED)


def _refusal(job: Batch) -> BackendError:
    """Why a whole file was refused; one that only has to wait for others may go up again."""
    told = (job.errors.data or []) if job.errors else []
    message = "; ".join(f"{each.code}: {each.message}" for each in told[:3]) or "the job failed, and no reason is given"
    if any(each.code == "token_limit_exceeded" for each in told):
        return Transient(QUEUE_FULL, message)
    codes = " ".join(str(each.code) for each in told)
    return refused(400, {"error": {"code": codes, "message": message}})


def _result(line: Mapping[str, Any]) -> Mapping[str, Any] | BackendError:
    """The completion in a line of results, or what became of the request."""
    error, response = line.get("error"), line.get("response")
    if isinstance(error, Mapping):
        code = str(error.get("code") or "error")
        if code in ("batch_expired", "batch_cancelled"):
            return EXPIRED if code == "batch_expired" else CANCELLED
        return refused(400, {"error": error})
    if not isinstance(response, Mapping) or not isinstance(response.get("body"), Mapping):
        return UNANSWERED
    status, reply = response.get("status_code"), response["body"]
    if status == 200:
        return reply if isinstance(reply, dict) else UNANSWERED
    return refused(status, reply)


@contextmanager
def _sdk_errors() -> Iterator[None]:
    try:
        yield
    except openai.APIError as error:
        raise as_backend_error(error) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise Transient("no answer", f"200, but not what was asked for ({type(error).__name__})") from None

"""Anthropic's Message Batches, through its own SDK.

They have no file and no place for a marker of ours: a batch is made of its requests in one call, each known by an id
of at most 64 characters. So the id begins with the marker, and what stands for the file is a note of how many requests
there are and since when the batch may be there. A batch whose making went unheard is looked for among those as large
and as new; its ids can be read only when it has ended, and until then nothing is sent again.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx2
from anthropic.types.messages import MessageBatch

from runner.backends.anthropic import PATH, AnthropicBackend, as_backend_error, body, read, version
from runner.backends.base import Answer
from runner.backends.batches.base import (
    CANCELLED,
    EXPIRED,
    KEY_BYTES,
    UNANSWERED,
    JobView,
    Limits,
    Result,
    lines,
    named,
    refused,
)
from runner.backends.errors import BackendError, BadRequest, Transient
from runner.backends.request import Request, canonical
from runner.study.sections import ModelSection

BATCHES = f"{PATH}/batches"
SKEW = timedelta(days=1)  # by how much this machine's clock may be ahead of the provider's
_LOST = BadRequest("never sent", "the run that made the job ended before it was sent")
# what errors of single requests are called (anthropic.types.shared.ErrorObject), with their HTTP status
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}


class AnthropicBatches:
    """Batches of messages; every id begins with the marker."""

    # platform.claude.com/docs/en/build-with-claude/batch-processing: 100,000 requests or 256 MB, results for 29 days
    limits = Limits(requests=100_000, size=240_000_000, kept=29 * 86_400.0)

    def __init__(self, section: ModelSection) -> None:
        self._model, self._cached = section.id, section.endpoint.prompt_cache
        self._live = AnthropicBackend(section, lambda headers: None)
        self._contents: dict[str, bytes] = {}

    def line(self, request: Request) -> bytes:
        """One JSON object: its `key` is the request's."""
        return canonical({"key": request.key.hex(), "params": body(self._model, request, self._cached)}) + b"\n"

    async def upload(self, marker: str, content: bytes) -> str:
        """Nothing goes up yet; the note of what will."""
        self._contents[marker] = content
        return f"{content.count(bytes([10]))} requests since {datetime.now(UTC).isoformat()}"

    async def find_file(self, marker: str) -> str | None:
        """There is none."""
        return None

    async def create(self, marker: str, file_id: str) -> str:
        """Make a batch of what was noted. Raises BadRequest where an earlier run noted it."""
        content = self._contents.get(marker)
        if content is None:
            raise _LOST
        asked = [{"custom_id": custom_id(marker, key), "params": line["params"]} for key, line in lines(content, "key")]
        with _sdk_errors():
            headers = version(asked[0]["params"])
            job = await self._live.client().post(
                BATCHES, cast_to=MessageBatch, body={"requests": asked}, options={"headers": headers}
            )
            name = named(job.id)
        self._contents.pop(marker, None)
        return name

    async def find_job(self, marker: str, file_id: str) -> str | None:
        """By the note, the newest batches first, and then by its ids. Raises Transient while one may be ours."""
        count, _, since = file_id.partition(" requests since ")
        first, unsure = datetime.fromisoformat(since) - SKEW, ""
        with _sdk_errors():
            async for job in self._live.client().messages.batches.list(limit=1000):
                if job.created_at < first:
                    break
                counts = job.request_counts
                if sum((counts.processing, *_ends(job))) != int(count):
                    continue
                if job.processing_status != "ended":
                    unsure = unsure or job.id
                elif await self._is_of(job, marker):
                    self._contents.pop(marker, None)
                    return named(job.id)
        if unsure:
            raise Transient("unsure", f"batch {unsure} may be this one: its ids are known when it has ended")
        return None

    async def _is_of(self, job: MessageBatch, marker: str) -> bool:
        return any(str(line.get("custom_id")).startswith(marker) for _, line in await self._lines(job.id))

    async def view(self, job_id: str) -> JobView:
        """messages.batches.retrieve."""
        with _sdk_errors():
            job = await self._live.client().messages.batches.retrieve(job_id)
            succeeded, *others = _ends(job)
            ended = job.processing_status == "ended"
            return JobView(job.processing_status, succeeded, sum(others), ended, (job_id,) if ended else ())

    async def results(self, view: JobView) -> AsyncIterator[Result]:
        """The lines of the results; keys are the beginnings of those that were asked for."""
        for job_id in view.files:
            for key, line in await self._lines(job_id):
                yield Result(key, _result(line))

    async def _lines(self, job_id: str) -> list[tuple[bytes, Mapping[str, Any]]]:
        with _sdk_errors():
            found = await self._live.client().get(f"{BATCHES}/{job_id}/results", cast_to=httpx2.Response)
        return list(lines(found.content, "custom_id", key_of))

    def read(self, reply: Mapping[str, Any], request: Request) -> Answer:
        """A message."""
        return read(reply, 0)

    async def cancel(self, job_id: str) -> None:
        """messages.batches.cancel."""
        with _sdk_errors():
            await self._live.client().messages.batches.cancel(job_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._live.close()


def custom_id(marker: str, key: bytes) -> str:
    """The id of a request: the marker (29 characters), and the beginning of its key in 35 of base64url."""
    return marker + urlsafe_b64encode(key[:KEY_BYTES]).decode().rstrip("=")


def key_of(found: str) -> bytes:
    """The beginning of the key that an id holds. Raises ValueError for an id that is not ours."""
    key = urlsafe_b64decode(found[29:] + "=" * (-len(found[29:]) % 4))
    if len(key) != KEY_BYTES:
        raise ValueError("not an id of ours")
    return key


def _ends(job: MessageBatch) -> tuple[int, int, int, int]:
    counts = job.request_counts
    return counts.succeeded, counts.errored, counts.canceled, counts.expired


def _result(line: Mapping[str, Any]) -> Mapping[str, Any] | BackendError:
    """The message in a line of results, or what became of the request."""
    result = line.get("result")
    if not isinstance(result, Mapping):
        return UNANSWERED
    kind, reply, error = result.get("type"), result.get("message"), result.get("error")
    if kind in ("canceled", "expired"):
        return CANCELLED if kind == "canceled" else EXPIRED
    if kind == "succeeded":
        return reply if isinstance(reply, dict) else UNANSWERED
    told = error.get("error", error) if isinstance(error, Mapping) else {}
    status = _STATUS.get(str(told.get("type")), 500) if isinstance(told, Mapping) else 500
    return refused(status, {"error": told})


@contextmanager
def _sdk_errors() -> Iterator[None]:
    try:
        yield
    except anthropic.APIError as error:
        raise as_backend_error(error) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise Transient("no answer", f"200, but not what was asked for ({type(error).__name__})") from None

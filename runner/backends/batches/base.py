"""What a provider's batches are: files of requests that go up, jobs that work on them, files of answers."""

import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from runner.backends.base import Answer
from runner.backends.errors import BackendError, BadRequest, Transient
from runner.backends.http import MAX_BODY, failure
from runner.backends.providers import with_sdk
from runner.backends.request import Request
from runner.study.sections import ModelSection

UNANSWERED = Transient("no answer", "the job ended without an answer to this request")
EXPIRED = Transient("expired", "the job expired before this request was answered")
CANCELLED = BadRequest("cancelled", "the job was cancelled at the provider; run again to ask it again")
LONGEST_NAME = 1000  # characters
MOST_COUNTED = 10**9
KEY_BYTES = 26  # of a key that every provider's ids have room for: they tell the requests of a job apart
QUEUE_FULL = "queue full"  # the kind of a job that was refused because too many tokens wait already


class Limits(NamedTuple):
    """The most requests and bytes of a file, and the seconds for which a provider keeps what it answered."""

    requests: int
    size: int
    kept: float


@dataclass(frozen=True)
class JobView:
    """A job as the provider reports it.

    Once `ended`, `files` hold the results, and `missing` is what is to be said of the requests that they do not tell
    of.
    """

    state: str
    answered: int = 0
    failed: int = 0
    ended: bool = False
    files: tuple[str, ...] = ()
    missing: BackendError = UNANSWERED

    def __post_init__(self) -> None:
        """Raises ValueError for what no provider tells: it goes into the file, and decides what is asked again."""
        for name in (self.state, *self.files):
            named(name)
        if not all(type(each) is int and 0 <= each < MOST_COUNTED for each in (self.answered, self.failed)):
            raise ValueError("a count that is none")


class Result(NamedTuple):
    """What a job says of one request, by the first KEY_BYTES of its key or more: a reply, or what became of it."""

    key: bytes
    found: Mapping[str, Any] | BackendError


class Batches(Protocol):
    """A model's batches at its provider. Every call may raise one of the classes of `runner/backends/errors.py`.

    `marker` is a word of ours that goes with a file and its job, by which either is found again after a kill.
    """

    limits: Limits

    def line(self, request: Request) -> bytes:
        """A request as a line of the file."""
        ...

    async def upload(self, marker: str, content: bytes) -> str:
        """Send a file up; its id."""
        ...

    async def find_file(self, marker: str) -> str | None:
        """The id of the file with this marker, where there is one."""
        ...

    async def create(self, marker: str, file_id: str) -> str:
        """Have a file worked on; the job's id."""
        ...

    async def find_job(self, marker: str, file_id: str) -> str | None:
        """The id of the job with this marker, made of this file, where there is one."""
        ...

    async def view(self, job_id: str) -> JobView:
        """How far a job is."""
        ...

    def results(self, view: JobView) -> AsyncIterator[Result]:
        """What an ended job says, request by request, in any order."""
        ...

    def read(self, reply: Mapping[str, Any], request: Request) -> Answer:
        """The answer in a reply. Raises Transient where it has none."""
        ...

    async def cancel(self, job_id: str) -> None:
        """Ask the provider to stop working on a job; what it has answered stays paid for, and can be had."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def named(value: Any) -> str:
    """An id, or a word for a state, as a provider gives it. Raises ValueError for anything else."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise ValueError("an id that is none")
    return value


def refused(status: Any, told: Any) -> BackendError:
    """What became of a request of a job, by its HTTP status and what is said of it: what was answered is paid for."""
    found = failure(status if type(status) is int else 500, {}, json.dumps(told).encode())
    found.charged = False
    return found


def make_batches(section: ModelSection) -> Batches:
    """The batches of a model of the study; an SDK is imported only where it is used."""
    return cast(Batches, with_sdk(section, section.kind.batches)(section))


def lines(
    content: bytes, name: str, key_of: Callable[[str], bytes] = bytes.fromhex
) -> Iterator[tuple[bytes, Mapping[str, Any]]]:
    """(key, object) of the lines that are JSON objects with a key of ours in the field `name`; others are nobody's.

    Only a line feed ends a line: answers may hold what other readers take for the end of one.
    """
    for line in io.BytesIO(content):
        if len(line) > MAX_BODY:
            continue
        try:
            value = json.loads(line)
            yield key_of(value[name]), value
        except (ValueError, KeyError, TypeError, RecursionError):
            continue

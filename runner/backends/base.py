"""What a backend is."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from runner.backends.request import Request, Usage
from scoring.answers.responses import Response

Learn = Callable[[Mapping[str, str]], None]  # gets the headers of each response: they may name rate limits


class Answer(NamedTuple):
    """A response with what it cost; `served` is the model version that the endpoint says it is."""

    response: Response
    usage: Usage
    served: str = ""


class Backend(Protocol):
    """Sends requests of one model. `answer` raises one of the classes of `runner/backends/errors.py`."""

    async def answer(self, request: Request) -> Answer:
        """The answer to one request; the first call makes whatever connection is needed."""
        ...

    async def close(self) -> None:
        """Let go of connections and processes."""
        ...


@runtime_checkable
class Batching(Protocol):
    """A backend that answers in batches of its own making, and can tell how exact they are."""

    async def exactness(self) -> Mapping[str, float] | None:
        """How batched answers compare with unbatched ones.

        `checked` answers were compared; `largest_difference` is of a probability, and `changed` counts those with
        another likeliest choice. None where nothing was compared.
        """
        ...


@runtime_checkable
class Remarking(Protocol):
    """A backend that has something to tell about a run."""

    def remarks(self) -> Sequence[str]:
        """What happened that the user should know, in sentences; asked for when it has ended."""
        ...


def combined(before: Mapping[str, float], found: Mapping[str, float]) -> dict[str, float]:
    """What two checks of one model found together (`Batching.exactness`); `before` may be empty."""
    known = {"checked": 0, "largest_difference": 0.0, "changed": 0} | dict(before)
    largest = max(known["largest_difference"], found["largest_difference"])
    counts = {name: known[name] + found[name] for name in ("checked", "changed")}
    return {**counts, "largest_difference": largest}

"""What can go wrong with a request, sorted by what helps.

BackendError            a request was not answered
├── Transient           worth another try: rate limits, time-outs, resets, 5xx, a body that is no answer
│   └── BrokenOff       an answer that did not end as answers do: worth one more try
├── BadRequest          this request is refused for good: recorded, the rest goes on unless it is refused alike
├── PromptRefused       the provider declines this very prompt: recorded as a refusal, never sent again
└── ModelUnavailable    no retry fixes it (bad key, unknown model): this model stops, with a sentence
"""

from runner.backends.request import Usage, without_surrogates
from runner.study.masking import scrub

LONGEST = 1000  # characters of a message: most of it may be an endpoint's


class BackendError(Exception):
    """A request was not answered.

    `kind` is a short word for the failure table, `charged` says that the request may have cost what an answer costs,
    `usage` is what the provider reports as used, `about` the parameter that it names.
    """

    usage: Usage | None = None
    about = ""

    def __init__(self, kind: str, message: str, charged: bool = False) -> None:
        message = scrub(without_surrogates(message))[:LONGEST]
        super().__init__(kind, message, charged)  # all of them, so that it can be pickled
        self.kind = kind
        self.message = message
        self.charged = charged

    def __str__(self) -> str:
        return self.message


class Transient(BackendError):
    """Worth another try, after `retry_after` seconds where the server names them; `tries` attempts at most, if set."""

    tries: int | None = None

    def __init__(self, kind: str, message: str, charged: bool = False, retry_after: float | None = None) -> None:
        super().__init__(kind, message, charged)
        self.retry_after = retry_after


class BrokenOff(Transient):
    """A reply came, but it did not end as answers do. What there is of it is never scored."""

    tries = 2

    def __init__(self, message: str, usage: Usage | None = None) -> None:
        super().__init__("broken off", message, charged=True)
        self.usage = usage

    def __reduce__(self) -> tuple[type["BrokenOff"], tuple[str, Usage | None]]:
        return BrokenOff, (self.message, self.usage)


class BadRequest(BackendError):
    """The request will never be answered as it is."""


class PromptRefused(BackendError):
    """The provider declines this prompt: its own filter, a moderation, the law. The model answers others."""


class ModelUnavailable(BackendError):
    """The model will never answer as it is asked."""

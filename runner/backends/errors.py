"""What can go wrong with a request, sorted by what helps.

BackendError            a request was not answered
├── Transient           worth another try: rate limits, time-outs, resets, 5xx, a body that is no answer
├── BadRequest          this one request is wrong: recorded, the rest goes on
└── ModelUnavailable    no retry mends it (bad key, unknown model): this model stops, with a sentence
"""

from runner.backends.request import without_surrogates
from runner.study.masking import scrub


class BackendError(Exception):
    """A request was not answered; `kind` is a short word for the failure table, `charged` says that it may have cost
    what an answer costs."""

    def __init__(self, kind: str, message: str, charged: bool = False) -> None:
        message = scrub(without_surrogates(message))
        super().__init__(kind, message, charged)  # all of them, so that it can be pickled
        self.kind = kind
        self.message = message
        self.charged = charged

    def __str__(self) -> str:
        return self.message


class Transient(BackendError):
    """Worth another try, after `retry_after` seconds where the server names them."""

    def __init__(self, kind: str, message: str, charged: bool = False, retry_after: float | None = None) -> None:
        super().__init__(kind, message, charged)
        self.retry_after = retry_after


class BadRequest(BackendError):
    """This request will never be answered as it is."""


class ModelUnavailable(BackendError):
    """This model will never answer as it is asked."""

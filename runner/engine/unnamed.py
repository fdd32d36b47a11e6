"""Replies that do not say how they ended: whole where their endpoint never says it, broken off where it does."""

from runner.backends.base import Answer
from runner.backends.errors import BrokenOff
from runner.backends.replies.endings import UNNAMED
from runner.store.cache import ResultCache

NAMED, WHOLE = "named", "whole"
_ENDS = ("stop", "length")


class UnnamedEnds:
    """Settled once a model, by its first answers, and kept in `model.unnamed_ends`.

    The first reply that names its end settles that one without was broken off. A request that got two replies without
    settles that the endpoint names none: what it sends is taken as whole.
    """

    def __init__(self, cache: ResultCache, model: int) -> None:
        self._cache, self._model = cache, model
        row = cache.connection.execute("SELECT unnamed_ends FROM model WHERE id = ?", (model,)).fetchone()
        self._verdict = str(row[0]) if row else ""
        self._met = 0

    def admit(self, answer: Answer, again: bool) -> Answer:
        """The answer, if it counts as whole; `again` says that it is not the request's first reply.

        Raises BrokenOff for one that does not.
        """
        finish = answer.response.finish
        if finish != UNNAMED:
            if not self._verdict and finish in _ENDS:
                self._settle(NAMED)
            return answer
        if self._verdict != WHOLE:
            if self._verdict or not again:
                lost = BrokenOff("200, but the reply does not say how it ended", answer.usage)
                lost.retry_after = None if self._verdict else 0.0  # at once: the others wait to hear what it means
                raise lost
            self._settle(WHOLE)
        self._met += 1
        return answer

    def remark(self, name: str) -> str:
        """What there is to say of a model's answers; "" where all named their end."""
        if not self._met:
            return ""
        return f"{name}: the endpoint does not say how its answers end (finish_reason); they are taken as whole"

    def _settle(self, verdict: str) -> None:
        self._verdict = verdict
        self._cache.execute("UPDATE model SET unnamed_ends = ? WHERE id = ?", (verdict, self._model))

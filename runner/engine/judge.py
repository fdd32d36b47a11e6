"""A judge: a model that settles what a benchmark cannot score by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import NamedTuple

from runner.backends.request import Request, digest, key_fields
from runner.crossing.trials import BLOCK, Asked, AskedModel, Judged
from runner.engine.context import Context
from runner.engine.live import LiveRun
from runner.engine.recorder import Recorder
from runner.engine.resolving import resolved
from runner.engine.state import Tally
from scoring.benchmarks.base import JudgeQuestion


class Submitted(NamedTuple):
    """An answer to be judged."""

    asked: Asked
    question: JudgeQuestion
    judged: Judged

    def asked_of(self, judge: AskedModel) -> Asked:
        """The trial with what the judge is sent."""
        return self.asked.judged_by(judge_request(judge, self.question), self.judged)


class JudgeRun:
    """A model that judges the answers of others: its trials come from them, one by one; how many is not known."""

    def __init__(self, context: Context, model: AskedModel) -> None:
        self._context, self._state, self._model = context, context.state, model
        self._submitted: asyncio.Queue[Submitted | None] = asyncio.Queue()
        self._live = LiveRun(context, model, Recorder(context, model), pilot=False)
        self._is_resolved = False

    def submit(self, asked: Asked, question: JudgeQuestion, judged: Judged) -> None:
        """Have an answer judged; its score is pending until then."""
        self._state.tallies.setdefault((self._model.section.name, asked.question.measure), Tally()).planned += 1
        self._submitted.put_nowait(Submitted(asked, question, judged))

    def finish(self) -> None:
        """Nothing more will be submitted."""
        self._submitted.put_nowait(None)

    async def run(self) -> None:
        """Judge what is submitted until `finish`. Raises MtpaError for what ends the whole run."""
        await self._live.run(self._blocks())

    async def _blocks(self) -> AsyncIterator[list[Asked]]:
        ended = False
        while not ended:
            waiting = [await self._submitted.get()]
            while not self._submitted.empty() and len(waiting) < BLOCK:
                waiting.append(self._submitted.get_nowait())
            ended = None in waiting
            submitted = [each for each in waiting if each is not None]
            if submitted and not self._is_resolved:
                self._is_resolved = True
                self._model = await resolved(self._context, self._model, self._live, partial(self._first, submitted))
            yield [each.asked_of(self._model) for each in submitted]

    def _first(self, submitted: Sequence["Submitted"], model: AskedModel) -> Asked | None:
        """What a new judge is asked first; None where it has answered all of it."""
        trials = [each.asked_of(model) for each in submitted]
        known = self._context.cache.find({asked.key for asked in trials})
        return next((asked for asked in trials if asked.key not in known), None)


def judge_request(judge: AskedModel, question: JudgeQuestion) -> Request:
    """What a judge is sent."""
    messages = [{"role": "user", "content": question.text}]
    fields = key_fields(judge.fields, messages, "text", (), 0, judge.identity.methods.get("text", ""))
    return Request(digest(fields), messages, judge.identity.parameters, "text", ())

"""A judge: a model that settles what a benchmark cannot score by itself."""

import asyncio
from collections.abc import AsyncIterator

from runner.crossing.trials import BLOCK, Asked, AskedModel, Judged, judge_request
from runner.engine.context import Context
from runner.engine.live import LiveRun
from runner.engine.recorder import Recorder
from runner.engine.state import Tally
from scoring.benchmarks.base import JudgeQuestion


class JudgeRun:
    """A model that judges the answers of others: its trials come from them, one by one; how many is not known."""

    def __init__(self, context: Context, model: AskedModel) -> None:
        self._state, self._model = context.state, model
        self._submitted: asyncio.Queue[Asked | None] = asyncio.Queue()
        self._live = LiveRun(context, model, Recorder(context, model), pilot=False)

    def submit(self, asked: Asked, question: JudgeQuestion, judged: Judged) -> None:
        """Have an answer judged; its score is pending until then."""
        request = judge_request(self._model, question)
        self._state.tallies.setdefault((self._model.section.name, asked.question.measure), Tally()).planned += 1
        self._submitted.put_nowait(asked._replace(request=request, judged=judged))

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
            yield [asked for asked in waiting if asked is not None]

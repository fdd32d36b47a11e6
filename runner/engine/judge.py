"""A judge: a model that settles what a benchmark cannot score by itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from runner.engine.context import Context
from runner.engine.live import ModelRun
from runner.engine.state import Tally
from runner.engine.trials import BLOCK, Asked, AskedModel, Judged, judge_request
from scoring.benchmarks.base import JudgeQuestion


class JudgeRun(ModelRun):
    """A model that judges the answers of others: its trials come from them, one by one."""

    def __init__(self, context: Context, model: AskedModel) -> None:
        self._submitted: asyncio.Queue[Asked | None] = asyncio.Queue()
        super().__init__(replace(context, options=replace(context.options, pilot=False)), model)

    def submit(self, asked: Asked, question: JudgeQuestion, judged: Judged) -> None:
        """Have an answer judged; its score is pending until then."""
        request = judge_request(self._model, question)
        self._state.tallies.setdefault((self._model.section.name, asked.question.measure), Tally()).planned += 1
        self._submitted.put_nowait(asked._replace(request=request, judged=judged))

    def finish(self) -> None:
        """Nothing more will be submitted."""
        self._submitted.put_nowait(None)

    def plan(self) -> None:
        """How much there is to judge is not known beforehand."""

    async def _blocks(self) -> AsyncIterator[list[Asked]]:
        ended = False
        while not ended:
            waiting = [await self._submitted.get()]
            while not self._submitted.empty() and len(waiting) < BLOCK:
                waiting.append(self._submitted.get_nowait())
            ended = None in waiting
            yield [asked for asked in waiting if asked is not None]

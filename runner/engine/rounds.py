"""A precision-targeted run: the baseline, then rounds of trials until Δ's interval is narrow enough."""

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

import pandas as pd

from personas.people.pseudonyms import TWIN
from runner.crossing.asked_shares import deal_of
from runner.crossing.questions import Question
from runner.crossing.trials import Asked, AskedModel, Crossing, blocks
from runner.engine.context import Context
from runner.engine.live import LiveRun
from runner.engine.recorder import Recorder
from runner.store.assigned.drawn_rounds import INSERT, course_of, drawn_rounds, rows_of
from runner.store.scores import load_scores
from scoring.statistics.designs.adaptive_rounds import AdaptiveDesign
from scoring.statistics.designs.sequential import Batch, InterimLook, SequentialDesign, Target
from scoring.statistics.levels import ALL
from scoring.statistics.pairs import Part, parts


class Rounds:
    """What a model is asked until the target is reached; a measure that cannot be looked at is asked whole.

    A killed run takes the same course again from the file, so that it sends nothing twice and ends at the same place.
    """

    def __init__(self, context: Context, model: AskedModel, recorder: Recorder, live: LiveRun) -> None:
        assert context.options.target is not None
        self._context, self._model, self._recorder, self._live = context, model, recorder, live
        self._target = context.options.target
        self._courses: Mapping[str, SequentialDesign]
        self._questions: dict[str, dict[str, list[Question]]] = defaultdict(lambda: defaultdict(list))
        for question in context.crossing.questions:
            if question.can_be_targeted:
                self._questions[question.measure][question.item.group].append(question)
        people = _levels(context.crossing, model, self._target)
        deals = {name: next(iter(of.values()))[0].deal for name, of in self._questions.items()}
        if self._target.adaptive:
            self._courses = self._adaptive(people)
        else:
            self._courses = {
                name: SequentialDesign(self._target, people, list(of), deal_of(deals[name], model.share))
                for name, of in self._questions.items()
            }
        beside = (each.id for each in context.crossing.models if each.section.name == model.section.covariate)
        self._covariate = next(beside, None)

    def _adaptive(self, people: Mapping[str, str]) -> Mapping[str, SequentialDesign]:
        """The courses of adaptive rounds, which go on from what the file has of them."""
        crossing = self._context.crossing
        names = [persona.persona_id for _, persona in crossing.personas]
        columns = [[str(each) for each in crossing.respondents.attribute(name)] for name in self._target.strata]
        strata = dict(zip(names, map(" × ".join, zip(*columns, strict=True)), strict=True)) if columns else {}
        found: dict[str, SequentialDesign] = {}
        known = drawn_rounds(self._context.cache.connection, self._model.id)
        for name, of in self._questions.items():
            before = known.get(name)
            same = before is not None and before.course == course_of(of, self._target)
            found[name] = AdaptiveDesign(
                self._target, people, list(of), strata, before.rounds if same and before else {}
            )
        return found

    def _keep(self, measure: str, batch: Batch) -> None:
        """Write down what a round drew before it is asked, with the chances that its answers are weighed by."""
        of = self._questions[measure]
        numbers = {persona.persona_id: number for number, persona in self._context.crossing.personas}
        course, planned = course_of(of, self._target), min(self._target.rounds, len(of))
        self._context.cache.execute(INSERT, rows_of((self._model.id, measure, course), batch, planned, numbers))

    async def blocks(self) -> AsyncIterator[list[Asked]]:
        """The trials of all rounds, a few hundred at a time."""
        left = self._context.options.limit
        async for trials in self._rounds():
            for block in blocks(islice(trials, left)):
                left = None if left is None else left - len(block)
                yield block
            if left == 0:
                return

    async def _rounds(self) -> AsyncIterator[Iterator[Asked]]:
        """The trials of each round; a round is chosen once the one before it is answered and in the file."""
        crossing = self._context.crossing
        yield crossing.baseline(self._model)
        whole = [question for question in crossing.questions if not question.can_be_targeted]
        yield self._trials({persona.persona_id: whole for _, persona in crossing.personas})
        while True:
            await self._live.settle()
            await self._recorder.until_committed()
            if self._live.stopping.due or self._live.deferred:
                return
            cells = self._next_cells(await asyncio.to_thread(self._looks))
            if not cells:
                break
            yield self._trials(cells)
        for measure in self._courses:
            tally = self._context.state.tallies[self._model.section.name, measure]
            tally.spared = tally.planned - tally.done - tally.failed

    def _looks(self) -> dict[str, list[InterimLook]]:
        scores = self._scores(self._model.id)
        return {
            name: course.looks(scores[scores["benchmark"] == name], self._beside.get(name))
            for name, course in self._courses.items()
        }

    def _scores(self, model: int) -> pd.DataFrame:
        selection = {**self._context.crossing.selection(), "models": [model]}
        return load_scores(self._context.cache.path, selection, answers=False)

    @cached_property
    def _beside(self) -> dict[str, Part]:
        """The covariate's scores by benchmark; all of them were asked before."""
        if self._covariate is None:
            return {}
        scores = self._scores(self._covariate)
        by = self._target.by
        return {part.benchmark: part for part in parts(scores, (by,) if by else ())} if len(scores) else {}

    def _next_cells(self, looks: Mapping[str, Sequence[InterimLook]]) -> dict[str, list[Question]]:
        """What each respondent is asked next, of all measures."""
        cells: dict[str, list[Question]] = defaultdict(list)
        for name, course in self._courses.items():
            self._context.state.targets[f"{self._model.section.name} on {name}"] = in_words(looks[name], self._target)
            batch = course.next_batch(looks[name])
            if batch and batch.drawn:
                self._keep(name, batch)
            for respondent, groups in batch.cells.items() if batch else ():
                cells[respondent] += (question for group in groups for question in self._questions[name][group])
        return cells

    def _trials(self, cells: Mapping[str, Sequence[Question]]) -> Iterator[Asked]:
        """Persona by persona; a counterfactual twin is asked what its respondent is."""
        for number, persona in self._context.crossing.personas:
            if questions := cells.get(persona.persona_id.split(TWIN)[0]):
                yield from self._context.crossing.of_persona(self._model, number, persona, questions)


def _levels(crossing: Crossing, model: AskedModel, target: Target) -> dict[str, str]:
    """The level of each respondent whom the model is asked about."""
    names = [persona.persona_id for _, persona in crossing.personas]
    levels = crossing.respondents.attribute(target.by) if target.by else [ALL] * len(names)
    asked = model.share.people
    found = {name: str(level) for name, level in zip(names, levels, strict=True) if TWIN not in name}
    return {name: level for name, level in found.items() if asked is None or name in asked}


def in_words(looks: Sequence[InterimLook], target: Target) -> str:
    """How far the rounds are."""
    widest = max(looks, key=lambda look: (not look.reached, look.half_width))
    none = "no interval, too few different people," if widest.done else "no interval yet"
    width = none if math.isinf(widest.half_width) else f"± {widest.half_width:.4f}"
    rounds = "adaptive rounds" if target.adaptive else "rounds"
    state = f"{width} after {widest.asked} of {widest.rounds} {rounds}, wanted ± {target.half_width:g}"
    if target.by is None:
        return state
    reached = sum(look.reached for look in looks)
    return f"{reached} of {len(looks)} levels of {target.by} are there; the widest, {widest.level}: {state}"

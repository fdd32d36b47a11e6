"""What live and batch runs of a model share: look up, score, record, count."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol, cast

from runner.backends.base import Answer, combined
from runner.backends.catalogue.price_list import is_another
from runner.backends.catalogue.prices import (
    most_output_tokens,
    price_of,
    saved_by_caching,
    worst_cost,
    worst_prompt_tokens,
)
from runner.backends.errors import BackendError, ModelUnavailable, PromptRefused
from runner.backends.request import NOTHING_USED, Request
from runner.crossing.trials import Asked, AskedModel, Judged
from runner.engine.budget import Charge
from runner.engine.context import Context
from runner.engine.estimate import estimate
from runner.engine.pilot import LEAST_MASS, Piloted
from runner.engine.state import Tally
from runner.engine.unnamed import UnnamedEnds
from runner.store.cache import Completion, Failure, Score, ScoreName, Texts, Trial, as_stored
from runner.study.masking import scrub
from runner.study.sections import Price
from scoring.answers.metrics import expected_value
from scoring.answers.responses import Outcome, Response
from scoring.benchmarks.base import JudgedBenchmark, JudgeQuestion


class Judge(Protocol):
    """Where answers go that a benchmark cannot score by itself."""

    def submit(self, asked: Asked, question: JudgeQuestion, judged: Judged) -> None:
        """Have an answer judged; its score is pending until then."""
        ...


def _person(asked: Asked) -> tuple[int, int]:
    """Whom a trial is put to, and as whom."""
    return asked.trial.persona, asked.trial.variant


def as_asked(response: Response, request: Request) -> Response:
    """The response without anything that was not asked for: an answer without probabilities has none, not a text."""
    if request.kind == "letters" and response.letter_logprobs is None:
        return replace(response, letter_logprobs=())
    if request.kind == "loglik" and response.logliks is None:
        return replace(response, logliks=())
    return response


class Recorder:
    """One model's answers: found in the file or recorded there, scored, and counted in the run's state."""

    def __init__(
        self,
        context: Context,
        model: AskedModel,
        judges: Mapping[str, Judge] | None = None,
        price: Price | None = None,
    ) -> None:
        self._context, self._model = context, model
        self._cache, self._state, self._judges = context.cache, context.state, judges or {}
        self.price = price or price_of(model.section)
        self.estimate = estimate(model, context.cache)
        self.ends = UnnamedEnds(context.cache, model.id)
        self.pilot: list[Piloted] | None = None  # what a pilot judges, while there is one
        self.probed: Trial | None = None  # the trial that was asked before all others, and is counted
        self._uncommitted: dict[bytes, tuple[int, Response]] = {}
        self._served = context.cache.served(model.id)

    def adopt(self, model: AskedModel) -> None:
        """Record answers to other parameters from now on."""
        self._model = model

    async def until_committed(self) -> None:
        """Wait until what was recorded is on the disk. Raises what stopped the writer."""
        last = max((number for number, _ in self._uncommitted.values()), default=0)
        while self._cache.committed < last:
            if self._cache.error:
                raise self._cache.error
            await asyncio.sleep(0.01)

    def is_new(self) -> bool:
        """Whether no answer of this model could be used so far: what a pilot stopped is piloted again."""
        sql = (
            "SELECT 1 FROM score JOIN completion ON completion.id = score.completion "
            "WHERE score.model = ? AND status IN ('ok', 'pending') AND ifnull(mass, 1) >= ? LIMIT 1"
        )
        return self._cache.connection.execute(sql, (self._model.id, LEAST_MASS)).fetchone() is None

    def answered(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys that have an answer, in the file or on its way there."""
        keys = set(keys)
        return self._find(keys).keys() | (keys & self._uncommitted.keys())

    def _find(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """The completion ids of the keys that are in the file; what is not there yet may be in `_uncommitted`."""
        done = self._cache.committed  # before the look-up: what is committed meanwhile must stay in one of the two
        known = self._cache.find(keys)
        self._uncommitted = {key: entry for key, entry in self._uncommitted.items() if entry[0] > done}
        return known

    def look_up(self, block: Sequence[Asked]) -> list[Asked]:
        """Score what is answered; return the trials whose request is not."""
        left = [asked for _, trials in groupby(block, key=_person) for asked in self._not_scored(list(trials))]
        known = self._find({asked.key for asked in left})
        stale: dict[int, list[Asked]] = {}
        fresh = []
        for asked in left:
            if asked.key in known:
                self._tally(asked).hits += 1
                stale.setdefault(known[asked.key], []).append(asked)
            elif not self.record_if_on_its_way(asked):
                fresh.append(asked)
        self._rescore(stale)
        return fresh

    def _not_scored(self, trials: Sequence[Asked]) -> Iterator[Asked]:
        """Count those trials of a persona in a variant whose scores may stay, and return the others.

        A score stays that is of the answer to today's request, by today's scorer, and does not wait for a judge. The
        trial that was probed is neither: it is counted already.
        """
        scored: Mapping[ScoreName, float | None] = {}
        if trials[0].judged is None and not self._context.options.rescore:
            items = [asked.trial.item for asked in trials]
            scored = self._cache.scored(*trials[0].trial[:3], min(items), max(items))
        for asked in trials:
            trial, question = asked.trial, asked.question
            name = (trial.item, trial.rotation, trial.replicate, asked.key, question.scorer)
            if trial == self.probed:
                continue
            if name in scored:
                tally = self._tally(asked)
                tally.hits += 1
                tally.add(asked, scored[name])
            else:
                yield asked

    def record_if_on_its_way(self, asked: Asked) -> bool:
        """Score a trial whose request was answered in this run and is not yet in the file; whether there was one."""
        if asked.key not in self._uncommitted:
            return False
        self._tally(asked).hits += 1
        self._record(asked.key, self._uncommitted[asked.key][1], [asked])
        return True

    def _rescore(self, stale: Mapping[int, Sequence[Asked]]) -> None:
        for loglik in (False, True):
            part = {row: asked for row, asked in stale.items() if (asked[0].question.item.ask == "loglik") is loglik}
            for row, known in self._cache.responses(part, loglik).items():
                self._record(part[row][0].key, known.response, part[row])

    def texts(self, asked: Asked) -> Texts:
        """The texts that an answer to a trial is kept with."""
        if asked.judged:
            return Texts("", asked.request.messages[-1]["content"], "")
        return Texts(asked.persona_text, asked.text, self._context.crossing.system)

    def worst(self, request: Request) -> int:
        """The most that a request can cost; where nothing bounds its answer, the most that the plan reckons with."""
        if most_output_tokens(request) is None:
            return self.estimate.cost(worst_prompt_tokens(request), self.estimate.high)
        return worst_cost(self.price, self._model.identity, request)

    def most_tokens(self, request: Request) -> float:
        """Prompt and answer as far as they can be told beforehand; what they came to is settled later."""
        prompt = max(worst_prompt_tokens(request) / 4, self.estimate.prompt_tokens(request))
        return prompt + (most_output_tokens(request) or self.estimate.high)

    def note_exactness(self, found: Mapping[str, float]) -> None:
        """Keep what a backend that batches knows of its batches' exactness."""
        sql = "SELECT exactness FROM model WHERE id = ?"
        (before,) = self._cache.connection.execute(sql, (self._model.id,)).fetchone()
        known = json.dumps(combined(json.loads(before), found))
        self._cache.execute("UPDATE model SET exactness = ? WHERE id = ?", (known, self._model.id))

    def store(self, key: bytes, texts: Texts, trials: Sequence[Asked], answer: Answer, price: Charge) -> None:
        """Record an answer with the scores of the trials that wait for it."""
        if answer.served and (served := scrub(answer.served)) != self._served:
            self._note_served(served)
        response = as_stored(answer.response)
        completion = Completion(
            key=key,
            model=self._model.id,
            persona_text=texts.persona,
            item_text=texts.item,
            system_text=texts.system,
            response=response,
            usage=answer.usage,
            micro_usd=price.micro_usd,
            estimated=price.estimated,
            saved_micro_usd=saved_by_caching(self.price, answer.usage),
        )
        self._state.caching.add(answer.usage, completion.saved_micro_usd)
        for asked in trials:
            self._tally(asked).answered += 1
        self._record(key, response, trials, completion)

    def _note_served(self, served: str) -> None:
        """Baseline and persona must come from one version of the model: another one is not mixed in."""
        if self._served:
            raise ModelUnavailable(
                "version",
                f"the endpoint now serves {served!r}, but the answers in {self._cache.path} are from {self._served!r}: "
                "name that version in `id`, or use a new database",
                charged=True,
            )
        if is_another(self._model.section, served):
            raise ModelUnavailable(
                "version",
                f"{self._model.section.id!r} was asked for, but the endpoint answers with {served!r}, another model: "
                "name in `id` the one that you want",
                charged=True,
            )
        self._served = served
        self._cache.execute("UPDATE model SET served = ? WHERE id = ?", (served, self._model.id))

    def _record(
        self, key: bytes, response: Response, trials: Sequence[Asked], completion: Completion | None = None
    ) -> None:
        scores = []
        for asked in trials:
            scores.append(self._score(key, asked, response))
            outcome = scores[-1].outcome
            if completion and self.pilot is not None and asked is trials[0]:
                most = self.estimate.output_tokens(asked)[1]
                planned = self.estimate.cost(self.estimate.prompt_tokens(asked.request), most)
                kind = asked.request.kind
                self.pilot.append(Piloted(response, outcome, completion.micro_usd, planned, kind))
        self._uncommitted[key] = (self._cache.record(key, completion, scores), response)

    def _score(self, key: bytes, asked: Asked, response: Response) -> Score:
        """A trial's score; it is pending where a judge must be asked, who is asked now."""
        question, judged = asked.question, asked.judged
        if judged is not None and not response.ended:
            self._tally(asked).add(asked, None)
            return Score(asked.trial, Outcome("unparsed"), None, question.scorer, judged.key)
        if judged is not None:
            outcome = cast(JudgedBenchmark, question.benchmark).settle(question.item, judged.response, response)
            self._tally(asked).add(asked, outcome.value)
            return Score(asked.trial, outcome, None, question.scorer, judged.key)
        response = as_asked(response, asked.request)
        found = question.benchmark.score(question.item, asked.order, response, asked.persona)
        if isinstance(found, JudgeQuestion):
            judge = self._judges[question.judge or ""]
            judge.submit(asked, found, Judged(response, key))
            return Score(asked.trial, Outcome("pending"), None, question.scorer)
        self._tally(asked).add(asked, found.value)
        return Score(asked.trial, found, expected_value(question.item, asked.order, response), question.scorer)

    def remark_on_ends(self) -> None:
        """Say what has to be said of how the answers ended."""
        if remark := self.ends.remark(self._model.section.name):
            self._state.remark(remark)

    def record_failure(self, key: bytes, trials: Sequence[Asked], attempts: int, error: BackendError) -> None:
        """Record that a request was not answered, for each trial that waits for it."""
        self._state.failures[self._model.section.name, error.kind] += len(trials)
        self._state.failed(self._model.section.name, error)
        for asked in trials:
            self._tally(asked).failed += 1
        failures = [Failure(key, asked.trial, attempts, error.kind, str(error)) for asked in trials]
        self._cache.record(key, failures=failures)

    def _tally(self, asked: Asked) -> Tally:
        return self._state.tallies[self._model.section.name, asked.question.measure]


def declined(error: PromptRefused) -> Answer:
    """The answer that a refused prompt has: none, in the provider's own words.

    It costs nothing, unless the provider says what it used.
    """
    return Answer(Response(text=error.message, finish="content_filter"), error.usage or NOTHING_USED)

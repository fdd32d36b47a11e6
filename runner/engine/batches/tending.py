"""Tending jobs: getting them up to the provider, looking after them, and recording what comes back.

A job is in the file before the provider hears of it (`runner/store/jobs.py`), and one loop brings every open job
forward: up to the provider, and its results down. Jobs of runs that have ended are looked after like this run's own.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.backends.batches.base import KEY_BYTES, QUEUE_FULL, Batches, JobView, Result
from runner.backends.errors import BackendError, BadRequest, ModelUnavailable, PromptRefused, Transient
from runner.backends.request import AnswerKind, Request
from runner.backends.retry import ATTEMPTS
from runner.crossing.trials import Asked, AskedModel
from runner.engine.budget import charge
from runner.engine.context import Context
from runner.engine.limits import ALL_REFUSED, NONE_READABLE, REFUSALS, UNREADABLE
from runner.engine.live import POLL_SECONDS
from runner.engine.recorder import Recorder, declined
from runner.engine.stopping import Stopping
from runner.store.jobs import Job, Jobs, Waiting
from runner.study.logs import logger

log = logger(__name__)
RESULTS_AT_ONCE = 500
NEVER_SENT = Transient("never sent", "the run that made the job ended before it was sent")
GONE = Transient("gone", "the provider has deleted the job and its results")
UNKNOWN = "unknown"  # the kind of a refusal to say what is at the provider


@dataclass
class Content:
    """The file of a job that is not at the provider yet.

    `tries` counts attempts to get it there, and `lost` is what became of the last one.
    """

    lines: bytes = field(repr=False)
    tries: int = 0
    lost: Transient | None = None


class Retry(NamedTuple):
    """A request that is worth another try, and every trial of this run that waits for it."""

    attempt: int
    waiting: list[Asked]


class Tender:
    """Brings one model's open jobs forward. `again` is what came back unanswered and is worth another try."""

    def __init__(
        self, context: Context, model: AskedModel, recorder: Recorder, jobs: Jobs, batches: Batches, stopping: Stopping
    ) -> None:
        self._context, self._model, self._recorder = context, model, recorder
        self._state, self._jobs, self._batches, self._stopping = context.state, jobs, batches, stopping
        self._settings = model.section.batch
        self.again: dict[bytes, Retry] = {}
        self.most_requests = min(self._settings.requests, batches.limits.requests)  # in a job
        self._contents: dict[int, Content] = {}
        self._incomplete: Counter[int] = Counter()  # downloads of a job that told of less than it answered
        self._for_nothing = 0  # whole jobs that were paid for, and held no answer
        self._work = asyncio.Event()  # there is a job to send up
        self._moved = asyncio.Event()  # a job went up, or was closed

    async def run(self) -> None:
        """Bring open jobs forward until cancelled; where nothing moves, look ever more seldom."""
        pause = self._settings.poll
        while not self._stopping.halted:
            self._work.clear()
            self._jobs.adopt()
            moved = [await self._advance(job) for job in self._jobs.mine()]
            self._tell()
            pause = self._settings.poll if any(moved) else min(1.5 * pause, self._settings.poll_most)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), pause)

    async def bring(self, job: Job, lines: bytes) -> None:
        """Hand a new job over, and wait until it is at the provider or will never be.

        It waits also where the run is to stop meanwhile.
        """
        self._contents[job.id] = Content(lines)
        self._work.set()
        while job.id in self._contents and not self._stopping.halted:
            await self._moving(POLL_SECONDS)
            self._moved.clear()

    async def until_moved(self, seconds: float) -> None:
        """Wait until a job went up or was closed since the last wait, or the run is to stop; at most this long."""
        deadline = time.monotonic() + seconds
        while not self._moved.is_set() and (left := deadline - time.monotonic()) > 0 and not self._stopping.due:
            await self._moving(min(left, POLL_SECONDS))
        self._moved.clear()

    async def _moving(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), seconds)

    async def _advance(self, job: Job) -> bool:
        """Bring one job a step forward; true where something changed."""
        try:
            if not job.provider_id:
                await self._bring_up(job)
                return True
            view = await self._batches.view(job.provider_id)
            if view.ended:
                await self._bring_down(job, view)
                return True
        except Transient as error:
            self._note(error)
            return False
        except BackendError as error:
            self._note(error)
            return self._give_up(job, error)
        seen = {"provider_state": view.state, "answered": view.answered, "failed": view.failed}
        if seen == {name: getattr(job, name) for name in seen}:
            return False
        self._jobs.change(job, **seen)
        return True

    async def _bring_up(self, job: Job) -> None:
        """Get a job to the provider. What is there already under its marker is used; nothing goes up twice."""
        content = self._contents.get(job.id)
        new = content is not None and not content.tries
        try:
            if not job.file_id:
                file_id = None if new else await _listed(self._batches.find_file(job.marker))
                if file_id is None and self._may_come(job, new):
                    return
                if file_id is None and content is None:
                    self._close(job, "", {}, NEVER_SENT)
                    return
                if file_id is None and content is not None:
                    content.tries += 1
                    file_id = await self._batches.upload(job.marker, content.lines)
                job = self._jobs.change(job, state="uploaded", file_id=file_id)
                new = True  # a job is asked for only once its file is noted down
            job_id = None if new else await _listed(self._batches.find_job(job.marker, job.file_id))
            if job_id is None and self._may_come(job, new):
                return
            if job_id is None:
                if content is not None and content.lost and content.tries >= ATTEMPTS and not new:
                    raise BadRequest(content.lost.kind, str(content.lost))
                job = self._jobs.change(job, state="uploaded")  # dated: it may be there before its id is known here
                if content is not None:
                    content.tries += 1
                job_id = await self._batches.create(job.marker, job.file_id)
        except Transient as error:
            self._jobs.change(job, state=job.state)  # dated: from now on the provider's lists may lag behind
            if content is not None:
                content.lost = error
                if content.tries >= ATTEMPTS and not job.file_id:  # with a file, the job may be there
                    raise BadRequest(error.kind, str(error)) from None
            if self._stopping.due:
                self._let_go(job)  # a later run looks for it by its marker
            raise
        self._jobs.change(job, state="submitted", provider_id=job_id)
        self._state.sent += job.requests
        log.info("%s: job %s of %d requests is at the provider", self._model.section.name, job_id, job.requests)
        self._let_go(job)

    def _let_go(self, job: Job) -> None:
        """Nobody waits any more for a job to go up."""
        self._contents.pop(job.id, None)
        self._moved.set()

    def _may_come(self, job: Job, new: bool) -> bool:
        """Whether what was not found may still appear in the provider's lists."""
        return not new and job.age < self._settings.lag

    def _give_up(self, job: Job, error: BackendError) -> bool:
        """What no retry fixes: a job that the provider never took is closed, another is left for a later run."""
        if job.id in self._contents and error.kind != UNKNOWN:
            self._close(job, "refused", {}, error)
        elif not job.provider_id and (isinstance(error, BadRequest) or error.kind == "404"):
            self._close(job, "refused", {}, NEVER_SENT)
        elif error.kind == "404" and job.age > self._batches.limits.kept:
            self._close(job, "gone", {}, GONE)
        else:
            self._stopping.halt(f"job {job.provider_id or job.marker}: {error}")
            self._let_go(job)
            return False
        return True

    async def _bring_down(self, job: Job, view: JobView) -> None:
        """Record what an ended job says, and let go of it."""
        errors: dict[bytes, BackendError] = {}
        part: list[Result] = []
        told: set[bytes] = set()
        missing, keys = view.missing, {key[:KEY_BYTES]: key for key in self._jobs.keys(job.id)}
        try:
            async for found in self._batches.results(view):
                result = found._replace(key=keys.get(found.key[:KEY_BYTES], found.key))
                part.append(result)
                if not isinstance(result.found, BackendError):
                    told.add(result.key)
                if len(part) == RESULTS_AT_ONCE:
                    await self._keep(job, part, errors)
                    part = []
            await self._keep(job, part, errors)
        except ModelUnavailable as error:
            if error.kind != "version":
                self._stopping.halt(str(error))
                return
            missing = error  # its answers will never be used: an open job would be in the way for ever
        await self._recorder.until_committed()
        if len(told) < view.answered and not isinstance(missing, ModelUnavailable):
            self._incomplete[job.id] += 1
            if self._incomplete[job.id] < ATTEMPTS:  # what is paid for is fetched again before it is asked again
                short = f"job {job.provider_id}: results of {len(told)} of {view.answered} answered requests"
                raise Transient("incomplete", short)
            missing = type(missing)(missing.kind, str(missing), charged=True)
        if job.state == "cancelling" and isinstance(missing, BadRequest):
            missing = Transient("cancelled", str(missing))
        if missing.kind == QUEUE_FULL:
            self.most_requests = max(1, job.requests // 2)
        self._close(job, view.state, errors, missing)

    async def _keep(self, job: Job, results: Sequence[Result], errors: dict[bytes, BackendError]) -> None:
        """Record answers with the scores of the trials of this run that wait for them; a later run scores the rest."""
        await asyncio.sleep(0)
        waiting = self._jobs.waiting(job.id, {result.key for result in results})
        known = self._recorder.answered(waiting)
        for key, found in results:
            if key not in waiting or key in known:
                continue
            first = waiting[key][0]
            try:
                if isinstance(found, BackendError):
                    raise found
                kind: AnswerKind = "letters" if first.options else "text"
                read = self._batches.read(found, Request(key, (), {}, kind, first.options))
                answer = self._recorder.ends.admit(read, first.attempt > 1)
            except PromptRefused as error:
                answer = declined(error)
            except BackendError as error:
                errors[key] = error
                continue
            price = charge(self._recorder.price, answer.usage, first.worst)
            self._recorder.store(key, self._jobs.texts(first.texts), self._met(waiting[key]), answer, price)
            self._state.spend(*price)

    def _close(self, job: Job, state: str, errors: Mapping[bytes, BackendError], missing: BackendError) -> None:
        """Let go of a job; what it did not answer fails, or is asked again."""
        waiting = self._jobs.waiting(job.id, self._jobs.keys(job.id))
        charged = estimated = 0
        unanswered = set(waiting) - set(self._context.cache.find(waiting))
        if len(unanswered) == len(waiting):
            self._halt_if_refused([errors.get(key, missing) for key in unanswered])
        for key in unanswered:
            error, first = errors.get(key, missing), waiting[key][0]
            if error.charged:
                price = charge(self._recorder.price, error.usage, first.worst)
                charged += price.micro_usd
                estimated += price.micro_usd * price.estimated
                self._state.spend(*price)
            met = self._met(waiting[key])
            if isinstance(error, ModelUnavailable):
                self._stopping.halt(str(error))
            elif met and isinstance(error, Transient) and first.attempt < (error.tries or ATTEMPTS):
                self.again[key] = Retry(first.attempt + 1, met)
            elif met:
                self._note(error)
                self._recorder.record_failure(key, met, first.attempt, error)
        self._jobs.close(job, state, charged, estimated)
        job_name = job.provider_id or job.marker
        log.info("%s: job %s has ended: %s", self._model.section.name, job_name, state or "never sent")
        self._let_go(job)

    def _halt_if_refused(self, errors: Sequence[BackendError]) -> None:
        """Stop where a whole job is refused for one reason, or a second one is paid for without an answer.

        So would the next be.
        """
        if len(errors) < REFUSALS or len({error.kind for error in errors}) > 1:
            return
        first = errors[0]
        if isinstance(first, BadRequest) and first.kind.isdecimal():
            self._stopping.halt(f"{ALL_REFUSED}: {first}")
        elif first.charged and first.kind in UNREADABLE:
            self._for_nothing += 1
            if self._for_nothing > 1:
                self._stopping.halt(f"{NONE_READABLE}: {first}")

    def _met(self, waiting: Sequence[Waiting]) -> list[Asked]:
        """Those of the trials that this run has come to; it will come to the others, or a later run will."""
        mine = [each for each in waiting if each.process == self._context.process]
        return [self._context.crossing.asked(self._model, each.trial) for each in mine]

    def _note(self, error: BackendError) -> None:
        self._state.failed(self._model.section.name, error)

    def _tell(self) -> None:
        """Put what is at the provider into the run's state."""
        jobs = self._jobs.mine()
        counts = (len(jobs), sum(job.requests for job in jobs), sum(job.answered for job in jobs))
        self._state.jobs[self._model.section.name] = counts


async def _listed(looking: Awaitable[str | None]) -> str | None:
    """What a look at the provider's lists finds; to be refused it says nothing of the job."""
    try:
        return await looking
    except Transient:
        raise
    except BackendError as error:
        raise ModelUnavailable(UNKNOWN, str(error)) from None

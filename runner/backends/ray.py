"""A local model on Ray: an actor per GPU, or per share of the processors, each with a local server on its node."""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError

from personas.errors import MachineError, MtpaError
from runner.backends import ray_cluster as cluster
from runner.backends.base import Answer
from runner.backends.local import START_SECONDS, LocalBackend
from runner.backends.request import ModelIdentity, Request
from runner.study.sections import ModelSection

BLOCK = 64  # requests that an actor is handed at once
HANDS = 2  # blocks that an actor has at a time: it never waits for the next
LOOK_SECONDS = 2.0  # between two looks at the cluster
LINGER = 0.005  # seconds without a new request, after which a block that has room for more goes as it is
LOSSES = 6  # actors that a request may be lost with, each time in half as large a block
CLOSE_SECONDS, CHECK_SECONDS = 15.0, 60.0


class ModelActor:
    """What runs on a node. Errors are returned: one that is raised comes back as Ray's, with the actor's traceback."""

    def __init__(self, section: ModelSection, identity: ModelIdentity) -> None:
        self._backend = LocalBackend(section, identity)

    async def node(self) -> str:
        """The node's id."""
        return str(ray.get_runtime_context().get_node_id())

    async def start(self) -> MtpaError | None:
        """Load the model, from this node's own disk or cache."""
        try:
            await self._backend.running()
        except MtpaError as error:
            return error
        return None

    async def answer(self, block: Sequence[Request]) -> list[Answer | BaseException]:
        """An answer, or why there is none, for each request."""
        return await asyncio.gather(*map(self._backend.answer, block), return_exceptions=True)

    async def exactness(self) -> Mapping[str, float] | None:
        """As the local backend has it."""
        return await self._backend.exactness()

    async def close(self) -> None:
        """Stop the server."""
        await self._backend.close()


@dataclass(eq=False)
class RayJob:
    """A request that waits, or is with an actor; `losses` counts the actors that it was lost with."""

    request: Request
    losses: int = 0
    future: "asyncio.Future[Answer]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass
class ClusterCounts:
    """What became of the blocks: how many each node answered, actors that were lost, requests asked again for it."""

    blocks: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    repeated: int = 0


class RayBackend:
    """Hands requests to actors in blocks, in the order of asking; nodes may come and go.

    A lost actor means that its blocks are asked again, before all others.
    """

    def __init__(self, section: ModelSection, identity: ModelIdentity) -> None:
        self._section, self._identity = section, identity
        self.counts = ClusterCounts()
        self._waiting: deque[RayJob] = deque()
        self._arrived = asyncio.Event()
        self._taking, self._idle = asyncio.Lock(), 0
        self._members: set[asyncio.Task[None]] = set()
        self._ready: dict[Any, str] = {}  # actors that have loaded the model, and their nodes
        self._refused: list[MtpaError] = []  # why actors could not load it, since the nodes last changed
        self._fatal: MtpaError | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def actors(self) -> int:
        """How many have loaded the model and take blocks."""
        return len(self._ready)

    async def answer(self, request: Request) -> Answer:
        """An answer of the local server on some node. Raises BackendError or MtpaError."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
        if self._fatal is not None:
            raise self._fatal
        job = RayJob(request)
        self._waiting.append(job)
        self._arrived.set()
        try:
            return await job.future
        finally:
            if job.future.cancelled() and job in self._waiting:
                self._waiting.remove(job)

    async def exactness(self) -> Mapping[str, float] | None:
        """What the servers that are there now have compared, put together; None where nothing was."""
        asked = [asyncio.wait_for(_result(actor.exactness.remote()), CHECK_SECONDS) for actor in self._ready]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found = [each for each in answers if isinstance(each, Mapping)]
        if not found:
            return None
        largest = max(each["largest_difference"] for each in found)
        totals = {name: sum(each[name] for each in found) for name in ("checked", "changed")}
        return {**totals, "largest_difference": largest}

    def remarks(self) -> list[str]:
        """Who answered, and what was asked again."""
        told, blocks = f"{self._section.name} on Ray:", self.counts.blocks
        found = [f"{told} {blocks.total():,} blocks, answered on {len(blocks)} nodes"] if blocks else []
        if self.counts.lost:
            actors = "1 actor was" if self.counts.lost == 1 else f"{self.counts.lost:,} actors were"
            found.append(f"{told} {actors} lost with requests in hand; {self.counts.repeated:,} were asked again")
        return found + [f"{told} an actor was given up: {error}" for error in self._refused]

    async def close(self) -> None:
        """Stop the actors, and let go of Ray."""
        if self._keeper is None:
            return
        keeper, self._keeper = self._keeper, None
        keeper.cancel()
        await asyncio.wait([keeper])

    async def _keep(self) -> None:
        """From the first request on: connect, look after the actors, and end what is left when cancelled."""
        connecting = asyncio.create_task(asyncio.to_thread(cluster.connect, self._section.ray.cluster))
        try:
            await asyncio.shield(connecting)
            await self._look_after()
        except MtpaError as error:
            self._fatal = error
        except Exception as error:  # whatever it is: nobody else would tell those who wait
            self._fatal = MachineError(f"Ray can be used no more ({cluster.first_line(error)}); run again to go on")
        finally:
            await _dismiss(self._members)
            while self._fatal is not None and self._waiting:
                _settle(self._waiting.popleft(), self._fatal)
            await asyncio.wait([connecting])
            if connecting.exception() is None:
                await asyncio.to_thread(cluster.disconnect)

    async def _look_after(self) -> None:
        """Have an actor wherever there is room for one, or the model's share of them where several models run."""
        nodes: frozenset[str] = frozenset()
        room_seen = time.monotonic()
        while True:
            found = cluster.room(await asyncio.to_thread(ray.nodes), self._section.ray)
            if found.nodes != nodes:
                nodes = found.nodes
                self._refused.clear()
            self._members = {task for task in self._members if not task.done()}
            share = min(found.actors // cluster.users(), self._section.ray.actors or found.actors)
            wanted = max(1, share) - len(self._refused)
            if wanted <= 0 and not self._members:
                raise self._refused[-1]
            for _ in range(wanted - len(self._members)):
                self._members.add(asyncio.create_task(self._employ(found)))
            if cluster.users() > 1:
                await _dismiss(list(self._members)[max(0, wanted) :])
            if found.actors or self._ready:
                room_seen = time.monotonic()
            elif time.monotonic() - room_seen > START_SECONDS:
                raise MachineError(_no_room(self._section.name, found))
            await asyncio.sleep(LOOK_SECONDS)

    async def _employ(self, needs: cluster.Room) -> None:
        """One actor, from its start until it is lost or dismissed."""
        options = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "scheduling_strategy": "SPREAD"}
        actor: Any = ray.remote(ModelActor).options(**options).remote(self._section, self._identity)
        node = ""
        try:
            node = await _result(actor.node.remote())
            if (error := await _result(actor.start.remote())) is not None:
                raise error
            self._ready[actor] = node
            await self._hand_out(actor, node)
        except MtpaError as error:
            self._refused.append(error)
        except Exception as error:  # one that was lost with blocks in hand is counted there
            if actor not in self._ready:
                reason = f"model {self._section.name!r}: an actor did not start ({cluster.first_line(error)})"
                self._refused.append(MachineError(f"{reason}; is the same mtpa installed on every node?"))
        finally:
            self._ready.pop(actor, None)
            try:
                if node:
                    ending = asyncio.wait_for(_result(actor.close.remote()), CLOSE_SECONDS)
                    await asyncio.gather(ending, return_exceptions=True)
            finally:
                ray.kill(actor)

    async def _hand_out(self, actor: Any, node: str) -> None:
        """Keep an actor's hands full. Raises RayError where it is lost, MtpaError where its server is given up."""
        hands = [asyncio.create_task(self._serve(actor, node)) for _ in range(HANDS)]
        try:
            await asyncio.gather(*hands)
        except RayError:
            self.counts.lost += 1
            raise
        finally:
            await _dismiss(hands)

    async def _serve(self, actor: Any, node: str) -> None:
        while True:
            block = await self._take()
            try:
                answers = await _result(actor.answer.remote([job.request for job in block]))
                self.counts.blocks[node] += 1
                for job, answer in zip(block, answers, strict=True):
                    if not isinstance(answer, MtpaError):
                        _settle(job, answer)
                for answer in answers:
                    if isinstance(answer, MtpaError):  # this server is given up; another may do better
                        raise answer
            finally:
                self._ask_again(block)

    async def _take(self) -> list[RayJob]:
        """The next block: a fair share of what waits, so that no hand is empty while another is full."""
        self._idle += 1
        try:
            async with self._taking:
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                    await self._gather()
                size = min(BLOCK >> self._waiting[0].losses, math.ceil(len(self._waiting) / self._idle))
                return [self._waiting.popleft() for _ in range(max(1, size))]
        finally:
            self._idle -= 1

    async def _gather(self) -> None:
        """Wait while requests keep coming and the idle hands could take more."""
        seen = 0
        while seen < len(self._waiting) < BLOCK * self._idle:
            seen = len(self._waiting)
            await asyncio.sleep(LINGER)

    def _ask_again(self, block: Sequence[RayJob]) -> None:
        """Put what an actor took and did not answer back, before all others."""
        left = [job for job in block if not job.future.done()]
        self.counts.repeated += len(left)
        for job in reversed(left):
            job.losses += 1
            if job.losses <= LOSSES:
                self._waiting.appendleft(job)
                continue
            job.future.set_exception(
                MachineError(
                    f"model {self._section.name!r}: {job.losses} actors were lost with the same request; "
                    "free some memory on the nodes, or name a smaller model or dtype"
                )
            )
        self._arrived.set()


async def _dismiss(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have put things in order."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _settle(job: RayJob, answer: Answer | BaseException) -> None:
    """Give a request its answer, unless nobody waits for it any more; one that was cancelled on its node has none."""
    if job.future.done():
        return
    if isinstance(answer, Exception):
        job.future.set_exception(answer)
    elif not isinstance(answer, BaseException):
        job.future.set_result(answer)


async def _result(reference: Any) -> Any:
    """What a call on an actor gave."""
    return await reference


def _no_room(name: str, needs: cluster.Room) -> str:
    what = f"{needs.cpus:g} processors" + (f" and {needs.gpus:g} GPUs" if needs.gpus else "")
    return (
        f"model {name!r}: no node of the Ray cluster has {what} for an actor, and none came in "
        f"{START_SECONDS / 60:.0f} minutes; start one, or ask for less with ray = {{ cpus_per_actor = … }}"
    )

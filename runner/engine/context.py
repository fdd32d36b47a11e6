"""What the models of a run share."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.backends.base import Backend, Learn
from runner.backends.request import ModelIdentity
from runner.crossing.trials import Crossing
from runner.engine.pace import Pace
from runner.engine.state import State
from runner.store.cache import ResultCache
from runner.store.leases import Leases
from runner.study.sections import ModelSection
from scoring.statistics.designs.sequential import Target

BackendFactory = Callable[[ModelSection, ModelIdentity, Learn], Backend]


@dataclass(frozen=True)
class Options:
    """How much of a run is wanted.

    `limit` trials of each model, no sending, every score anew, no pilot; or no more than a `target` needs.
    `acknowledged` says that everything that needs an agreement has it.
    """

    limit: int | None = None
    send: bool = True
    rescore: bool = False
    pilot: bool = True
    target: Target | None = None
    acknowledged: bool = False


@dataclass(frozen=True)
class Context:
    """What the models of a run share.

    `whole_database` is the file of all shards together, `slots` is how many requests each may have in flight on this
    machine.
    """

    cache: ResultCache
    crossing: Crossing
    state: State
    stop: asyncio.Event
    leases: Leases
    process: int
    study_cap: int | None
    make_backend: BackendFactory
    options: Options
    pace: Pace
    whole_database: Path
    slots: Mapping[str, int] = field(default_factory=dict)

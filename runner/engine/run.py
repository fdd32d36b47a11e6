"""Runs a study: what it names is fetched and read, its rows are made, and each model asks what is not answered yet."""

import asyncio
import gc
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import distributions, version
from typing import Any

from personas.errors import MachineError
from runner.backends.catalogue.key_usage import account, key_usage
from runner.backends.catalogue.prices import price_source
from runner.backends.providers import make_backend
from runner.crossing.prepare import Prepared, prepared
from runner.crossing.trials import AskedModel, Crossing
from runner.engine.acknowledgement import agreed_keys, require_acknowledgement
from runner.engine.context import BackendFactory, Context, Options
from runner.engine.judge import JudgeRun
from runner.engine.limits import fitted
from runner.engine.modes import ask
from runner.engine.pace import Pace
from runner.engine.state import State
from runner.store.assigned.drawn_rounds import refuse_equal_rounds
from runner.store.cache import ResultCache
from runner.store.database import checkpoint, database_errors, now, transaction
from runner.store.foreign import reading_file
from runner.store.identity import Watch
from runner.store.leases import Leases
from runner.store.ledger import cap_remarks, note_usage
from runner.store.runs import NAMED
from runner.study.config import Study
from runner.study.logs import logger
from runner.study.target import target_of

log = logger(__name__)
WATCH_SECONDS = 0.25
RARELY = (50_000, 20, 20)  # objects between collections: a few requests reach Python's own threshold
_NAME_AND_VERSION = re.compile(r"^(Name|Version): *(.*?) *$", re.MULTILINE)


async def run(
    study: Study,
    state: State | None = None,
    stop: asyncio.Event | None = None,
    backend: BackendFactory = make_backend,
    limit: int | None = None,
    pilot: bool = True,
    acknowledge: bool = False,
) -> State:
    """Ask what the study asks and the file does not answer yet; a second run sends nothing.

    `state` may be watched while it goes; setting `stop` ends the run after what is in flight; `limit` runs the first
    trials of each model only; `pilot` lets a new model's first 50 requests run alone; `acknowledge` agrees that the
    terms of restricted surveys allow their answers to be sent to the study's endpoints, and that its keys belong there.
    Raises MtpaError.
    """
    options = Options(limit=limit, pilot=pilot, target=target_of(study), acknowledged=acknowledge)
    with reading_file(study.database):
        return await _run(study, state or State(), stop or asyncio.Event(), backend, options, acknowledge)


async def rescore(study: Study, state: State | None = None) -> State:
    """Score every answer of the file anew with the scorers as they are now; nothing is sent. Raises MtpaError."""
    options = Options(send=False, rescore=True)
    with reading_file(study.database):
        return await _run(study, state or State(), asyncio.Event(), make_backend, options)


async def _run(
    study: Study,
    state: State,
    stop: asyncio.Event,
    backend: BackendFactory,
    options: Options,
    acknowledge: bool = False,
) -> State:
    manager = prepared(study, state.enter)
    ready = await asyncio.to_thread(manager.__enter__)
    watch = Watch(study.database)
    try:
        if options.send:
            people = ready.crossing.respondents
            require_acknowledgement(ready.cache.connection, people, study.models, acknowledge)
        refuse_equal_rounds(ready.cache.connection, study.database, options.target)
        state.notice(*ready.remarks)
        number = _begin(ready, state)
        log.info("run %d of %s begins", number, study.database)
        checkpoint(ready.cache.connection)
        cap = state.cap = None if study.budget.usd is None else round(study.budget.usd * 1e6)
        with Leases(ready.cache.connection, study.database, number) as leases:
            pace = _pace(ready.crossing, stop, options, bool(cap))
            shared = (ready.cache, ready.crossing, state, stop, leases, number, cap, backend, options, pace)
            context = Context(*shared, study.whole_database, _slots(ready.crossing, state))
            beat = asyncio.create_task(_heartbeat(ready.cache, number, state, stop))
            watch.add(leases.path)
            try:
                _refuse_pruned(ready)
                if options.send:
                    await _note_usage(ready, number)
                local = [model.name for model in study.models if model.is_local]
                state.enter(f"loading {', '.join(local)}" if local and options.send else "asking")
                with _rare_collections():
                    await _unless_lost(watch, _run_models(context), ready.cache)
                if state.over_budget:
                    state.remark(*(f"{each}." for each in cap_remarks(ready.cache.connection, number)))
            finally:
                beat.cancel()
                state.interrupted = stop.is_set()
                sql = "UPDATE run SET ended = ?, heartbeat = ?, planned = ?, ending = ? WHERE id = ?"
                if ready.cache.error is None:
                    last = (now(), state.beat(), _planned(ready.crossing, state), state.ending(options.limit))
                    ready.cache.execute(sql, (*last, number))
                    await ready.cache.until_committed()  # before its leases let others ask
    except sqlite3.DatabaseError as error:
        with database_errors(study.database):
            raise error from None
    finally:
        try:
            await asyncio.to_thread(manager.__exit__, None, None, None)
        finally:
            watch.set_aside()
    state.interrupted = stop.is_set()
    log.info("run %d of %s has ended: %s", number, study.database, state)
    return state


async def _note_usage(ready: Prepared, number: int) -> None:
    """Keep what the keys of models with a cap had been charged before: it shows what a killed run's requests cost."""
    connection, capped = ready.cache.connection, ready.study.budget.usd is not None
    asked = [*ready.crossing.models, *ready.crossing.judges.values()]
    asked = [each for each in asked if capped or each.section.cap is not None]
    agreed = agreed_keys(connection)
    told = await key_usage([each.section for each in asked], agreed)
    found = [(each.id, account(each.section, agreed)) for each in asked]
    note_usage(connection, number, [(model, each, told[each]) for model, each in found if each and each in told])


def _slots(crossing: Crossing, state: State) -> Mapping[str, int]:
    """How many requests each model may have in flight: as its section says, where this machine's limits allow it."""
    wanted = {each.section.name: each.section.concurrency for each in (*crossing.models, *crossing.judges.values())}
    slots = fitted(wanted)
    state.notice(
        *(
            f"{name}: {slots[name]} requests at once, not {count}: this machine limits open files (`ulimit -n`)"
            for name, count in wanted.items()
            if slots[name] < count
        )
    )
    return slots


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Collect garbage rarely, and leave alone what exists now: people, items and modules outlive the run anyway."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        if before != RARELY:  # else another run is on in this process, which puts back what was there before it
            gc.set_threshold(*before)
        gc.unfreeze()


async def _unless_lost(watch: Watch, models: Coroutine[Any, Any, None], cache: ResultCache) -> None:
    """Run the models; a file that is lost ends them at once. What was answered until then still goes into its log."""
    running = asyncio.create_task(models)
    try:
        while not (await asyncio.wait((running,), timeout=WATCH_SECONDS))[0]:
            watch.check()
    except MachineError as error:
        cache.error = cache.error or error
        raise
    finally:
        running.cancel()
        await asyncio.wait((running,))
    await running


async def _run_models(context: Context) -> None:
    """Run all models, and the judges until these are through; an error that ends one ends the others too."""
    judges = {name: JudgeRun(context, model) for name, model in context.crossing.judges.items()}
    judging = [asyncio.create_task(judge.run()) for judge in judges.values()]
    tasks = [*judging]
    try:
        for models in _in_turn(context):
            asking = [asyncio.create_task(ask(context, model, judges)) for model in models]
            tasks += asking
            await asyncio.gather(*asking)
        for judge in judges.values():
            judge.finish()
        await asyncio.gather(*judging)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _in_turn(context: Context) -> list[list[AskedModel]]:
    """All models at once; with a target covariates before the others, whose intervals rest on their answers."""
    models = context.crossing.models
    if context.options.target is None:
        return [list(models)]
    return [[each for each in models if each.share.all_groups == first] for first in (True, False)]


def _pace(crossing: Crossing, stop: asyncio.Event, options: Options, capped: bool) -> Pace:
    """The models that keep step: not those that rounds decide about, nor batches that no cap will stop."""
    models = [each for each in crossing.models if each.section.mode == "live" or capped]
    return Pace(models if options.send and options.target is None else (), len(crossing.in_order), stop)


def _refuse_pruned(ready: Prepared) -> None:
    """Raises MachineError where the rows made are gone: until a run holds its lock, a prune may take them."""
    connection, selection = ready.cache.connection, ready.crossing.selection()
    with transaction(connection):  # after a prune that is going on; the next one sees the lock
        for table in NAMED:
            sql = f"SELECT count(*) FROM json_each(?) WHERE value NOT IN (SELECT id FROM {table} UNION SELECT 0)"
            (gone,) = connection.execute(sql, (json.dumps(list(selection[f"{table}s"])),)).fetchone()
            if gone:
                raise MachineError(f"{ready.study.database}: was pruned while this run began; run again")


def _begin(ready: Prepared, state: State) -> int:
    """Record what runs: the study's text, what it selects and plans, code and package versions, seed and time."""
    row = (
        ready.study.text,
        json.dumps(ready.crossing.selection()),
        version("mtpa"),
        json.dumps(_installed()),
        ready.study.study.seed,
        now(),
        ready.rule,
        _planned(ready.crossing, state),
        price_source(ready.study.models),
    )
    sql = "INSERT INTO run (study, selection, code, packages, seed, started, sampling, planned, prices) VALUES "
    sql += "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
    return int(ready.cache.connection.execute(sql, row).lastrowid or 0)


@cache
def _installed() -> Mapping[str, str]:
    """Every installed package and its version: two lines of its metadata, all of which takes long to parse."""
    found = {}
    for each in distributions():
        text = each.read_text("METADATA") or each.read_text("PKG-INFO") or ""
        head = dict(_NAME_AND_VERSION.findall(text.partition("\n\n")[0]))
        if "Name" in head:
            found[head["Name"]] = head.get("Version", "")
    return dict(sorted(found.items()))


def _planned(crossing: Crossing, state: State) -> str:
    """The trials that there are to be, and those that a target spares, by model and benchmark: JSON."""
    counts: Counter[tuple[str, str]] = Counter()
    for asked in crossing.models:
        for question, count in crossing.counts(asked):
            counts[asked.section.name, question.measure] += count
    spared = {key: tally.spared for key, tally in state.tallies.items()}
    return json.dumps(
        [
            {"model": model, "benchmark": benchmark, "trials": trials, "spared": spared.get((model, benchmark), 0)}
            for (model, benchmark), trials in counts.items()
        ]
    )


async def _heartbeat(cache: ResultCache, number: int, state: State, stop: asyncio.Event) -> None:
    """Write the state every second; a stop that was asked for in the file is obeyed."""
    said = False
    while cache.error is None:
        if cache.is_kept_waiting and not said:
            state.notice(f"{cache.path}: another program holds it; answers are kept until it lets go")
        said = cache.is_kept_waiting
        cache.execute("UPDATE run SET heartbeat = ? WHERE id = ?", (state.beat(), number))
        (asked,) = cache.connection.execute("SELECT stop_requested FROM run WHERE id = ?", (number,)).fetchone()
        if asked:
            stop.set()
        await asyncio.sleep(1)

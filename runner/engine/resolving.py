"""What a new model's endpoint takes is found out once, with the first of its requests.

Before any other is sent, a parameter that is refused by name is left out, renamed or reported as needed, and the
request is made again.

What was found is kept with the model in the file and beside it, so that every later run and every shard asks alike.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice

from runner.backends.base import Answer
from runner.backends.catalogue.parameters import adapted
from runner.backends.catalogue.probe import MOST_PROBES, Change, change, with_room
from runner.backends.errors import BackendError, BadRequest, ModelUnavailable, Transient
from runner.backends.request import digest
from runner.crossing.cross import model_row
from runner.crossing.trials import Asked, AskedModel
from runner.engine.acknowledgement import about_parameter, agreed
from runner.engine.context import Context
from runner.engine.limits import OF_REQUEST, UNREADABLE, is_of_provider
from runner.engine.live import POLL_SECONDS, LiveRun
from runner.store import resolutions
from runner.store.resolutions import Resolution

LOOKED_AT = 64  # of the first trials, for one with as many kinds of message as the study sends
Make = Callable[[AskedModel], Asked | None]


async def resolved(context: Context, model: AskedModel, live: LiveRun, make: Make) -> AskedModel:
    """The model as its endpoint takes it.

    `make` gives the trial that a new model is asked first, and whose answer is kept; where the endpoint takes none of
    what was tried, the model stops with a sentence.
    """
    connection, section = context.cache.connection, model.section
    if section.is_local or not context.options.send:
        return model
    if resolutions.in_file(connection, section) is not None or resolutions.has_answers(connection, section):
        return model
    if (found := resolutions.in_sibling_file(section, context.whole_database)) is not None:
        resolutions.note(connection, model.id, section, found)
        return model
    alone = digest({"first request of": dict(resolutions.asked(section))})
    while await context.leases.take(context.cache, [alone]):  # another process is finding out
        await live.stopping.sleep(POLL_SECONDS)
        if live.stopping.due:
            return model
    try:
        if (found := resolutions.in_file(connection, section)) is not None:  # meanwhile, by another process
            return _otherwise(context, model, live, found)
        return await _probed(context, model, live, make)
    finally:
        context.leases.drop(alone)


def first_trial(context: Context, model: AskedModel) -> Asked | None:
    """The trial that a new model is asked first: of its first ones, one with the most messages.

    None where all are answered. In a run with a target it is of the baseline, the only one that is sure to be asked.
    """
    targeted = context.options.target is not None
    trials = context.crossing.baseline(model) if targeted else context.crossing.trials(model)
    first = list(islice(trials, min(LOOKED_AT, context.options.limit or LOOKED_AT)))
    known = context.cache.find({asked.key for asked in first})
    return max(
        (asked for asked in first if asked.key not in known),
        key=lambda asked: len(asked.request.messages),
        default=None,
    )


async def _probed(context: Context, model: AskedModel, live: LiveRun, make: Make) -> AskedModel:
    section, tried, remarks = model.section, set[str](), adapted(model.section)[1]
    for _ in range(MOST_PROBES):
        if (asked := make(model)) is None:
            return model
        await context.leases.take(context.cache, [asked.key])  # until its answer is on the disk
        found = await live.probe(asked, partial(_fits, model))
        if found is None:
            return model
        try:
            other = _other(found, model, tried)
        except ModelUnavailable as error:
            live.stopping.halt(str(error))
            return model
        if not isinstance(found, Answer) or other is not None:  # it is not kept
            context.leases.drop(asked.key)
        if other is None:
            if isinstance(found, Answer):
                kept = Resolution(model.identity.parameters, remarks)
                kept = resolutions.keep(context.cache.connection, model.id, section, kept, context.whole_database)
                context.state.remark(*(f"{section.name}: {remark}." for remark in kept.remarks))
                return _otherwise(context, model, live, kept)
            if isinstance(found, ModelUnavailable) or _is_for_all(found):
                live.stopping.halt(str(found))
            return model
        if not agreed(context.cache.connection, section, other.dropped, context.options.acknowledged):
            live.stopping.halt(" ".join(about_parameter(section, name) for name in other.dropped))
            return model
        remarks.append(other.remark)
        model = _otherwise(context, model, live, Resolution(other.parameters))
    live.stopping.halt(
        f"{section.id} took none of {MOST_PROBES} requests, each without what it had refused ({'; '.join(remarks)}): "
        f"{found}"
    )
    return model


def _is_for_all(found: Answer | BackendError) -> bool:
    """Whether what came of the first request, tried again and again, would come of any other."""
    if isinstance(found, BadRequest):
        return found.kind not in OF_REQUEST and is_of_provider(found)
    return isinstance(found, Transient) and found.kind in UNREADABLE


def _fits(model: AskedModel, answer: Answer) -> bool:
    return with_room(answer, model.section, model.identity.parameters) is None


def _other(found: Answer | BackendError, model: AskedModel, tried: set[str]) -> Change | None:
    """What to ask instead; None where there is nothing to be learnt. Raises ModelUnavailable."""
    if isinstance(found, Answer):
        return with_room(found, model.section, model.identity.parameters)
    return change(found, model.section, model.identity.parameters, tried)


def _otherwise(context: Context, model: AskedModel, live: LiveRun, found: Resolution) -> AskedModel:
    """The model, asked with other parameters from now on, here and in its row."""
    if found.parameters == model.identity.parameters:
        return model
    identity = replace(model.identity, parameters=found.parameters)
    row = model_row(model.section, identity)
    number = resolutions.ask_otherwise(context.cache.connection, model.id, row)
    if number != model.id:  # an earlier study asked in just these words
        context.pace.leave(model)
        resolutions.select_instead(context.cache.connection, context.process, model.id, number)
    other = replace(model, id=number, identity=identity)
    live.adopt(other)
    return other

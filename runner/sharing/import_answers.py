"""Answers that another tool has paid for, brought into a study's file where its trials ask the same.

They are answers of a model of their own, whose backend is "imported" and whose name says so: their keys begin with that
provider, so that none of them is ever taken for, or paired with, an answer that was asked for here.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from personas.bounded import parse_toml
from personas.errors import InputError
from runner.backends.catalogue.decoding_names import IMPORTED, MARK
from runner.crossing.prepare import Prepared
from runner.crossing.trials import Asked, AskedModel, blocks
from runner.sharing.harness_samples import read_lm_eval, sample_files
from runner.sharing.inspect_samples import read_inspect
from runner.sharing.logged_answers import AnswerLog, LoggedAnswer, content
from runner.store.cache import Completion, as_stored
from runner.store.database import database_errors
from runner.study.logs import logger
from runner.study.written.toml_writer import toml_text

SAMPLES = ".jsonl"
log = logger(__name__)


@dataclass
class Imported:
    """What came of logs: answers that are new in the file, those that were there, and what was left out, by reason."""

    new: int = 0
    known: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def read_logs(paths: Sequence[Path]) -> list[AnswerLog]:
    """The logs that are named, and the harness's samples in the folders that are.

    Raises InputError for what is no log, or a folder without one.
    """
    found = []
    for path in paths:
        files = [*sorted(path.rglob("*.eval")), *sample_files(path)] if path.is_dir() else [path]
        if not files:
            raise InputError(f"{path}: there are no logs in it; name .eval files, or a folder with samples_….jsonl")
        for file in files:
            log.info("reading %s", file)
            found.append(read_lm_eval(file) if file.suffix == SAMPLES else read_inspect(file))
    return found


def import_answers(ready: Prepared, logs: Sequence[AnswerLog]) -> Imported:
    """Bring the answers of logs into the file of a study that names their models.

    The n-th answer of the logs to the same messages is that of the n-th replicate. Raises InputError where the study
    does not name a model of the logs, and where answers are from another version of it, or were generated with other
    parameters, than the study or the file says.
    """
    found = Imported()
    by_model: dict[int, list[LoggedAnswer]] = defaultdict(list)
    models = {model.id: model for model in ready.crossing.models}
    for log in logs:
        model = _model_of(ready, log)
        by_model[model.id] += log.answers
        found.left_out += log.left_out
    for number, answers in by_model.items():
        _bring(ready, models[number], answers, found)
    return found


def _model_of(ready: Prepared, log: AnswerLog) -> AskedModel:
    """The study's model of a log's answers."""
    decoding = dict(log.decoding)
    named = [each for each in ready.crossing.models if (each.section.backend, each.section.id) == (IMPORTED, log.model)]
    texts = any(answer.kind == "text" for answer in log.answers)
    fitting = [each for each in named if not texts or dict(each.identity.parameters) == decoding]
    if fitting:
        return fitting[0]
    table: dict[str, Any] = {"name": f"{log.model} {MARK}", "backend": IMPORTED, "id": log.model, "answer": "text"}
    table |= {"decoding": decoding} if decoding and texts else {}
    times = max((answer.repetition for answer in log.answers), default=1)
    table |= {"replicates": times, "baseline_replicates": times}
    try:
        wanted = toml_text({"models": [table]}).strip()
        parse_toml(wanted)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{log.path}: its answers were generated with parameters that a study cannot name ({error}); leave the log "
            "out"
        ) from None
    why = (
        "says that they were generated otherwise"
        if named
        else f"names no model {log.model!r} with backend {IMPORTED!r}"
    )
    raise InputError(
        f"{ready.study.path} {why}, to which the answers of {log.path} would belong. They are kept apart from what is "
        f"asked here; add\n\n{wanted}\n"
    )


def _bring(ready: Prepared, model: AskedModel, answers: Sequence[LoggedAnswer], found: Imported) -> None:
    _refuse_other_versions(ready, model, answers)
    by_content: dict[bytes, list[LoggedAnswer]] = defaultdict(list)
    for answer in sorted(answers, key=lambda each: each.repetition):
        by_content[answer.content].append(answer)
    used: set[bytes] = set()
    asked_for: set[bytes] = set()
    for block in blocks(ready.crossing.trials(model)):
        known = ready.cache.find({asked.key for asked in block})
        for asked in block:
            request, place = asked.request, asked.trial.replicate
            what = content(request.messages, request.kind, request.options)
            here = by_content.get(what, [])
            asked_for.add(what)
            if place >= len(here) or request.key in used:
                continue
            used.add(request.key)
            if request.key in known:
                found.known += 1
                continue
            _record(ready, model, asked, here[place])
            found.new += 1
    matching = sum(len(here) for what, here in by_content.items() if what in asked_for)
    found.left_out["answers that no trial of the study asks for"] += len(answers) - matching
    found.left_out["further answers to what has its answer"] += matching - len(used)


def _refuse_other_versions(ready: Prepared, model: AskedModel, answers: Sequence[LoggedAnswer]) -> None:
    """Raises InputError where the answers, with those in the file, are not of one version of the model."""
    before = ready.cache.served(model.id)
    versions = sorted({each.served for each in answers if each.served} | ({before} if before else set()))
    if len(versions) > 1:
        raise InputError(
            f"{ready.study.database}: the answers of {model.section.name!r} are from {' and '.join(versions)}; "
            "versions of a model are not mixed: import one of them into a study of its own"
        )
    if versions and not before:
        with database_errors(ready.study.database):
            ready.cache.execute("UPDATE model SET served = ? WHERE id = ?", (versions[0], model.id))


def _record(ready: Prepared, model: AskedModel, asked: Asked, answer: LoggedAnswer) -> None:
    """Hand one answer to the writer; what it cost was paid elsewhere."""
    completion = Completion(
        key=asked.key,
        model=model.id,
        persona_text=asked.persona_text,
        item_text=asked.text,
        system_text=ready.crossing.system,
        response=as_stored(answer.response),
        usage=answer.usage,
    )
    ready.cache.record(asked.key, completion)

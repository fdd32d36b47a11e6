"""A study's trials as Inspect logs (`.eval`), written by inspect_ai's own writer, for `inspect view`.

One log a model, measure and wording, and a further one where there are more samples than a viewer likes. A sample is a
trial: its id names the item, the respondent (a hash) and the rotation; its epoch is the replicate.
"""

import hashlib
import json
import math
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from personas.errors import InputError, MachineError
from personas.people.pseudonyms import short_pseudonym
from personas.prompt.messages import compose
from personas.prompt.render import Variant
from personas.prompt.trait_sets import set_name
from runner.sharing.redaction import GONE, HIDDEN
from runner.store.assigned.deals import ELICITATION
from runner.store.cache import unpack
from runner.store.database import keep_private, last_run_row, opened
from runner.study.logs import logger
from runner.study.sections import StudySection
from scoring.answers.items import LETTERS, Item, option_order, question_text
from scoring.statistics.levels import HIDDEN_UNDER
from scoring.statistics.pairs import WORDING

_logger = logger(__name__)
SAMPLES = 5_000
SCORER = "mtpa"
BASELINE = "baseline"
_LEFT_OUT = "[left out]"
_SQL = f"""
SELECT s.item, s.persona, s.rotation, s.replicate, s.chosen_by_text, s.chosen_by_probability, s.value, s.expected,
    s.status, c.answer, c.letters, c.finish, c.prompt_tokens, c.completion_tokens, c.reasoning_tokens, c.cached_tokens,
    c.latency_ms, coalesce(t.text, ''), coalesce(q.text, ''), coalesce(y.text, '')
FROM score AS s JOIN completion AS c ON c.id = s.completion LEFT JOIN text AS t ON t.id = c.persona_text
LEFT JOIN text AS q ON q.id = c.item_text LEFT JOIN text AS y ON y.id = c.system_text
JOIN item AS i ON i.id = s.item WHERE s.model = ? AND s.variant = ? AND i.benchmark = ? AND i.part = ?
    AND {ELICITATION} = ? ORDER BY s.id
"""
_FAILED = f"""
SELECT f.item, f.persona, f.rotation, f.replicate, f.kind, f.message FROM failure AS f JOIN item AS i ON i.id = f.item
WHERE f.model = ? AND f.variant = ? AND i.benchmark = ? AND i.part = ? AND {ELICITATION} = ? AND NOT EXISTS (
    SELECT 1 FROM score AS s WHERE s.model = f.model AND s.persona = f.persona AND s.variant = f.variant
    AND s.item = f.item AND s.rotation = f.rotation AND s.replicate = f.replicate)
GROUP BY 1, 2, 3, 4 HAVING f.id = max(f.id) ORDER BY f.id
"""


@dataclass(frozen=True)
class _Log:
    """What one log is of."""

    model: Mapping[str, Any]
    benchmark: str
    part: str
    elicitation: str
    variant: Mapping[str, Any]

    @property
    def task(self) -> str:
        """What Inspect lists the log under."""
        wording = BASELINE
        if self.variant["id"]:
            told = set_name(json.loads(self.variant["traits"]))
            wording = "-".join([*(str(self.variant[name]) for name in WORDING), told])
        elicitation = "" if self.elicitation == "letter" else self.elicitation
        return "-".join(part for part in (self.benchmark, self.part, elicitation, wording) if part)


def require_inspect() -> Any:
    """inspect_ai's modules. Raises InputError where it is not installed."""
    try:
        import inspect_ai.log
        import inspect_ai.model
        import inspect_ai.scorer
    except ImportError:
        raise InputError("export --inspect needs inspect_ai: pip install inspect_ai") from None
    return inspect_ai


def write_inspect_logs(copy: Path, folder: Path, study: StudySection, share: bool) -> list[Path]:
    """Write the logs of a (redacted) copy of a study's file; returns their paths.

    Unless `share`, a level that fewer than five people have is hidden. Raises InputError where inspect_ai is missing;
    MachineError where the disk refuses.
    """
    inspect_ai = require_inspect()
    written = []
    with opened(copy) as connection:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            run = last_run_row(connection, "started, ended, code") or ("", "", "")
            tables = {name: _rows(connection, name) for name in ("item", "persona")}
            for persona in tables["persona"].values():
                persona["subgroups"] = json.loads(persona["subgroups"])
            if not share:
                _hide_rare(tables["persona"].values())
            for log in _logs(connection):
                values = (log.model["id"], log.variant["id"], log.benchmark, log.part, log.elicitation)
                answered = (_sample(inspect_ai, log, row, tables) for row in connection.execute(_SQL, values))
                failed = (_failure(inspect_ai, log, row, tables) for row in connection.execute(_FAILED, values))
                found, number = chain(answered, failed), 0
                while samples := list(islice(found, SAMPLES)):
                    number += 1
                    path = folder / _file_name(run[0], log, number)
                    document = _document(inspect_ai, log, samples, run, (study.name, path.stem))
                    inspect_ai.log.write_eval_log(document, path, format="eval")
                    if study.is_private(share):
                        keep_private(path)
                    written.append(path)
                    _logger.info("%s: %s samples", path.name, f"{len(samples):,}")
        except OSError as error:
            raise MachineError(f"{folder}: cannot be written ({error.strerror}); choose another place") from None
    return written


def _rows(connection: sqlite3.Connection, table: str) -> dict[int, dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    return {row[0]: dict(zip(names, row, strict=True)) for row in cursor}


def _hide_rare(personas: Collection[Mapping[str, Any]]) -> None:
    """Hide levels that too few people have."""
    people = Counter(level for persona in personas for level in persona["subgroups"].items())
    for persona in personas:
        for level in persona["subgroups"].items():
            if people[level] < HIDDEN_UNDER:
                persona["subgroups"][level[0]] = HIDDEN


def _logs(connection: sqlite3.Connection) -> Iterator[_Log]:
    models, variants = _rows(connection, "model"), {0: {"id": 0, **asdict(Variant())}, **_rows(connection, "variant")}
    sql = (
        f"SELECT DISTINCT s.model, i.benchmark, i.part, {ELICITATION}, s.variant "
        "FROM (SELECT model, item, variant FROM score UNION SELECT model, item, variant FROM failure) AS s "
        "JOIN item AS i ON i.id = s.item ORDER BY 1, 2, 3, 4, 5"
    )
    for model, benchmark, part, elicitation, variant in connection.execute(sql).fetchall():
        yield _Log(models[model], benchmark, part, elicitation, variants[variant])


def _file_name(started: str, log: _Log, number: int) -> str:
    """As Inspect names its logs: time, task, id."""
    name = f"{log.task}-{log.model['name']}" + (f"-{number}" if number > 1 else "")
    clean = "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in name)[:120]
    digest = hashlib.sha256(f"{log.model['sha']!r}\x1f{log.variant.get('sha')!r}\x1f{name}".encode()).hexdigest()[:22]
    return f"{started.replace(':', '-')}_{clean}_{digest}.eval"


def _sample(inspect_ai: Any, log: _Log, row: Sequence[Any], tables: Mapping[str, Mapping[int, Any]]) -> Any:
    """One answered trial as an EvalSample."""
    by_text, by_probability, value, expected, status = row[4:9]
    answer, letters, finish, tokens_in, tokens_out, reasoning, cached, latency, told, asked, system = row[9:]
    _, order, head = _head(row, tables)
    chosen = by_text if by_probability is None else by_probability
    letter = LETTERS[order.index(chosen)] if chosen is not None else None
    known = {"status": status, "expected": expected, "letter_logprobs": _finite(unpack(letters))}
    score = inspect_ai.scorer.Score(
        value=math.nan if value is None else value,
        answer=letter,
        metadata={name: each for name, each in known.items() if each is not None},
        reason=status if value is None else None,
    )
    text = _LEFT_OUT if finish == GONE else answer or letter or ""
    usage = _usage(inspect_ai, tokens_in or 0, tokens_out or 0, reasoning, cached or 0)
    model = _model_name(log.model)
    output = inspect_ai.model.ModelOutput.from_content(model, text, _STOPS.get(finish, "stop"))
    output.usage, output.time = usage, (latency or 0) / 1000
    messages = _messages(inspect_ai, log.variant, told or _instead(head), asked, system)
    return inspect_ai.log.EvalSample(
        **head,
        input=messages,
        messages=[*messages, output.choices[0].message],
        output=output,
        scores={SCORER: score},
        model_usage={model: usage},
    )


def _failure(inspect_ai: Any, log: _Log, row: Sequence[Any], tables: Mapping[str, Mapping[int, Any]]) -> Any:
    """One trial that failed, as an EvalSample with an error and no score."""
    item, order, head = _head(row, tables)
    said = f"{row[4]}: {row[5]}" if row[5] else str(row[4])
    messages = _messages(inspect_ai, log.variant, _instead(head), question_text(item, order), "")
    error = inspect_ai.log.EvalError(message=said, traceback="", traceback_ansi="")
    return inspect_ai.log.EvalSample(**head, input=messages, messages=messages, error=error)


def _head(row: Sequence[Any], tables: Mapping[str, Mapping[int, Any]]) -> tuple[Item, tuple[int, ...], dict[str, Any]]:
    """The item, its options in the order shown, and what says which trial a sample is."""
    item_id, persona_id, rotation, replicate = row[:4]
    item, person = Item(**json.loads(tables["item"][item_id]["record"])), tables["persona"].get(persona_id)
    who = short_pseudonym(person["persona_id"]) if person else BASELINE
    order = option_order(item, rotation)
    right = [LETTERS[place] for place, option in enumerate(order) if item.weights and item.weights[option] == 1]
    about = {"respondent": who, "part": item.part, "group": item.group, "rotation": rotation}
    return (
        item,
        order,
        {
            "id": f"{item.id}@{who}#{rotation}",
            "epoch": replicate + 1,
            "choices": [item.choices[option] for option in order],
            "target": right,
            "metadata": about | (person["subgroups"] if person else {}),
        },
    )


def _instead(head: Mapping[str, Any]) -> str:
    """What stands for a persona's text that is not in the file; nothing in the baseline."""
    who = head["metadata"]["respondent"]
    return "" if who == BASELINE else f"[the text of respondent {who} is left out]"


_STOPS = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter", GONE: "unknown"}


def _finite(numbers: Sequence[float] | None) -> list[float | None] | None:
    return None if numbers is None else [each if math.isfinite(each) else None for each in numbers]


def _usage(inspect_ai: Any, tokens_in: int, tokens_out: int, reasoning: int | None, cached: int) -> Any:
    return inspect_ai.model.ModelUsage(
        input_tokens=tokens_in - cached,
        output_tokens=tokens_out,
        total_tokens=tokens_in + tokens_out,
        input_tokens_cache_read=cached,
        reasoning_tokens=reasoning,
    )


def _messages(inspect_ai: Any, variant: Mapping[str, Any], told: str, asked: str, system: str) -> list[Any]:
    """The messages as they were sent; `told` stands where the persona's text stood."""
    wording = Variant(**{name: variant[name] for name in WORDING})
    kinds = {"system": inspect_ai.model.ChatMessageSystem, "user": inspect_ai.model.ChatMessageUser}
    return [kinds[each["role"]](content=each["content"]) for each in compose(told or None, asked, system, wording)]


def _model_name(model: Mapping[str, Any]) -> str:
    return f"{model['provider']}/{model['served'] or model['model']}"


def _document(inspect_ai: Any, log: _Log, samples: Sequence[Any], run: Sequence[str], names: tuple[str, str]) -> Any:
    """The whole log: what was run, its samples, and their mean."""
    started, ended, code = run
    answered = [each for each in samples if each.scores]
    scored = [each.scores[SCORER].value for each in answered if not math.isnan(each.scores[SCORER].value)]
    metrics = {"mean": inspect_ai.log.EvalMetric(name="mean", value=math.fsum(scored) / len(scored))} if scored else {}
    counts = {"scored_samples": len(scored), "unscored_samples": len(answered) - len(scored)}
    score = inspect_ai.log.EvalScore(name=SCORER, scorer=SCORER, metrics=metrics, **counts)
    epochs = max(each.epoch for each in samples)
    spec = inspect_ai.log.EvalSpec(
        eval_id=names[1][-22:],
        run_id=hashlib.sha256(f"{names[0]}\x1f{started}".encode()).hexdigest()[:22],
        task_id=names[1][-22:],
        created=started,
        task=log.task,
        model=_model_name(log.model),
        dataset=inspect_ai.log.EvalDataset(name=log.benchmark, samples=len(samples) // epochs, shuffled=False),
        config=inspect_ai.log.EvalConfig(epochs=epochs),
        packages={"mtpa": code},
        metadata={"study": names[0], "model_name": log.model["name"], "answer": log.model["answer"]}
        | ({} if log.elicitation == "letter" else {"elicitation": log.elicitation}),
    )
    results = inspect_ai.log.EvalResults(total_samples=len(samples), completed_samples=len(answered), scores=[score])
    total = inspect_ai.model.ModelUsage()
    for each in answered:
        total = total + each.output.usage
    stats = inspect_ai.log.EvalStats(
        started_at=started, completed_at=ended or "", model_usage={_model_name(log.model): total}
    )
    return inspect_ai.log.EvalLog(status="success", eval=spec, results=results, stats=stats, samples=list(samples))

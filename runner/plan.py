"""What a run would do, before it does it: nothing is sent."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from runner.backends.families import adapted
from runner.engine import Prepared
from runner.estimate import Estimate, estimate
from runner.prices import warnings
from runner.targeting import is_targeted, target_of
from runner.trials import Asked, AskedModel, Question
from scoring.sequential import LEAST_PERSONAS, Target

BLOCK = 4096


@dataclass
class PlanRow:
    """One model and benchmark: trials, the distinct requests behind them, those that are answered, and what the rest
    will take. Dollars run from the fewest to the most output tokens."""

    model: str
    benchmark: str
    trials: int = 0
    requests: int = 0
    answered: int = 0
    prompt_tokens: int = 0
    output_tokens_low: float = 0.0
    output_tokens_high: float = 0.0
    usd_low: float = 0.0
    usd_high: float = 0.0
    minutes: float = 0.0

    @property
    def to_send(self) -> int:
        """Requests that a run would send."""
        return self.requests - self.answered

    def as_dict(self) -> dict[str, Any]:
        """For --json; a batch costs half."""
        return {**asdict(self), "to_send": self.to_send, "usd_batch": self.usd_high / 2}


@dataclass
class Plan:
    """The rows, and what there is to know beside them."""

    rows: list[PlanRow]
    remarks: list[str]

    @property
    def usd(self) -> float:
        """The most that the run can be expected to cost."""
        return sum(row.usd_high for row in self.rows)


def plan(ready: Prepared, limit: int | None = None) -> Plan:
    """Enumerate the study against the file."""
    rows: list[PlanRow] = []
    remarks: list[str] = []
    for model in ready.crossing.models:
        found = estimate(model, ready.cache)
        rows += _rows(ready, model, found, limit)
        remarks.append(f"{model.section.name}: tokens and times are {found.basis}")
        known = (*adapted(model.section)[1], *warnings(model.section))
        remarks += [f"{model.section.name}: {remark}" for remark in known]
    if target := target_of(ready.study):
        remarks.append(_about_target(target, ready.crossing.questions))
    return Plan(rows, remarks)


def _about_target(target: Target, questions: Sequence[Question]) -> str:
    """What a plan says of a run that may end early."""
    of = f"each level of {target.by}" if target.by else "everybody"
    text = (
        f"[target]: this is the most; asking ends once Δ of {of} is known to ± {target.half_width:g} for these items, "
        f"looked at {target.rounds} times at most, each time at {100 * target.confidence:.2f} %; "
        f"under {LEAST_PERSONAS} different personas everything is asked"
    )
    whole = sorted({question.measure for question in questions if not is_targeted(question)})
    return f"{text}; so it is of {', '.join(whole)}" if whole else text


def _rows(ready: Prepared, model: AskedModel, found: Estimate, limit: int | None) -> list[PlanRow]:
    rows: dict[str, PlanRow] = {}
    seen: set[bytes] = set()
    trials = islice(ready.crossing.trials(model), limit)
    while block := list(islice(trials, BLOCK)):
        known = ready.cache.find({asked.request.key for asked in block})
        for asked in block:
            name = asked.question.measure
            row = rows.setdefault(name, PlanRow(model.section.name, name))
            row.trials += 1
            if asked.request.key in seen:
                continue
            seen.add(asked.request.key)
            row.requests += 1
            if asked.request.key in known:
                row.answered += 1
            else:
                row.prompt_tokens += found.prompt_tokens(asked.request)
    for row in rows.values():
        _price(row, model, found)
    return list(rows.values())


def _price(row: PlanRow, model: AskedModel, found: Estimate) -> None:
    row.output_tokens_low, row.output_tokens_high = row.to_send * found.low, row.to_send * found.high
    row.usd_low = found.cost(row.prompt_tokens, row.output_tokens_low) / 1e6
    row.usd_high = found.cost(row.prompt_tokens, row.output_tokens_high) / 1e6
    section = model.section
    minutes = [row.to_send * found.seconds / section.concurrency / 60]
    if section.requests_per_minute:
        minutes.append(row.to_send / section.requests_per_minute)
    if section.tokens_per_minute:
        minutes.append((row.prompt_tokens + row.output_tokens_high) / section.tokens_per_minute)
    row.minutes = max(minutes)


def first_requests(ready: Prepared, count: int) -> Iterator[Asked]:
    """The first requests of each model with a persona, exactly as they would be sent."""
    for model in ready.crossing.models:
        with_persona = (asked for asked in ready.crossing.trials(model) if asked.persona is not None)
        yield from islice(with_persona, count)

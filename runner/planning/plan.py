"""What a run would do, before it does it: nothing is sent."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from statistics import fmean
from typing import Any

from runner.backends.catalogue.parameters import adapted, without_probabilities
from runner.backends.catalogue.price_list import batch_factor, listed
from runner.backends.catalogue.prices import batch_price_of, mode_price_of, most_output_tokens, warnings
from runner.crossing.prepare import Prepared
from runner.crossing.questions import Question
from runner.crossing.trials import Asked, AskedModel
from runner.engine.estimate import CostEstimate, estimate
from runner.engine.pilot import REQUESTS
from runner.store.cache import Trial
from runner.store.prompt_caching import caching
from runner.store.resolutions import in_file
from runner.study.amounts import counted
from runner.study.sections import ModelSection
from runner.study.target import target_of
from scoring.statistics.designs.adaptive_floor import FLOOR
from scoring.statistics.designs.sequential import LEAST_PERSONAS, Target

BLOCK = 4096
BATCH_MINUTES = 24 * 60.0  # what both providers promise at most
PREFIXES = 20


@dataclass
class PlanRow:
    """One model and benchmark: trials, distinct requests, those already answered, and what the rest will take.

    Dollars run from the fewest to the most output tokens; `usd_batch` is the most that batches would cost, where the
    provider takes them. `longest_prompt` is in tokens. `minutes` is None where nobody can know yet. `not_imported` are
    those that no log has, of a model whose answers come from logs.
    """

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
    usd_batch: float = 0.0
    longest_prompt: int = 0
    minutes: float | None = None
    not_imported: int = 0

    @property
    def to_send(self) -> int:
        """Requests that a run would send."""
        return self.requests - self.answered - self.not_imported

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "to_send": self.to_send}


@dataclass
class Plan:
    """The rows, and what there is to know beside them."""

    rows: list[PlanRow]
    remarks: list[str]

    @property
    def usd(self) -> float:
        """The most that the run can be expected to cost."""
        return sum(row.usd_high for row in self.rows)

    @property
    def usd_batch(self) -> float:
        """The same, if every model were asked in batches whose provider takes them."""
        return sum(row.usd_batch for row in self.rows)


def plan(ready: Prepared, limit: int | None = None) -> Plan:
    """Enumerate the study against the file."""
    rows: list[PlanRow] = []
    remarks = list(ready.remarks)
    for model in ready.crossing.models:
        found = replace(estimate(model, ready.cache), price=mode_price_of(model.section))
        rows += _rows(ready, model, found, limit)
        remarks.append(_about_basis(model, found, rows))
        if (times := model.baseline_replicates) > model.section.replicates:
            why = "as the study says" if model.section.baseline_replicates else "the cheapest for Δ on these items"
            remarks.append(f"{model.section.name}: the sampled baseline is asked {times} times ({why})")
        told = (*window_remarks(model, rows), *batch_remarks(model, rows), *caching_remarks(ready, model, found))
        resolved = in_file(ready.cache.connection, model.section)
        changed = adapted(model.section)[1] if resolved is None else resolved.remarks
        known = (*changed, *without_probabilities(model.section), *warnings(model.section), *told)
        remarks += [f"{model.section.name}: {remark}" for remark in known]
    if target := target_of(ready.study):
        remarks.append(_about_target(target, ready.crossing.questions))
    return Plan(rows, remarks)


def _about_basis(model: AskedModel, found: CostEstimate, rows: Sequence[PlanRow]) -> str:
    """What the figures of a model rest on; of one whose answers come from logs, how many are in none."""
    name = model.section.name
    if not model.section.kind.from_logs:
        return f"{name}: tokens and times are {found.basis}"
    missing = sum(row.not_imported for row in rows if row.model == name)
    return f"{name}: answers come from logs (`mtpa-run import`); {missing:,} requests are in none so far"


def _about_target(target: Target, questions: Sequence[Question]) -> str:
    """What a plan says of a run that may end early."""
    of = f"each level of {target.by}" if target.by else "everybody"
    text = (
        f"[target]: this is the most; asking ends once Δ of {of} is known to ± {target.half_width:g} for these items, "
        f"looked at {target.rounds} times at most, all looks together at 95 %; "
        f"under {LEAST_PERSONAS} different personas everything is asked"
    )
    if target.adaptive:
        among = f" and people by {', '.join(target.strata)}" if target.strata else ""
        text += f"; after the first round item groups{among} that vary more are asked more, none with π under {FLOOR:g}"
    whole = sorted({question.measure for question in questions if not question.can_be_targeted})
    return f"{text}; so it is of {', '.join(whole)}" if whole else text


def _rows(ready: Prepared, model: AskedModel, found: CostEstimate, limit: int | None) -> list[PlanRow]:
    rows: dict[str, PlanRow] = {}
    seen: set[bytes] = set()
    trials = islice(ready.crossing.trials(model), limit)
    while block := list(islice(trials, BLOCK)):
        known = ready.cache.find({asked.key for asked in block})
        for asked in block:
            name = asked.question.measure
            row = rows.setdefault(name, PlanRow(model.section.name, name))
            row.trials += 1
            if asked.key in seen:
                continue
            seen.add(asked.key)
            row.requests += 1
            if asked.key in known:
                row.answered += 1
            elif model.section.kind.from_logs:
                row.not_imported += 1
            else:
                tokens = found.prompt_tokens(asked.request)
                row.prompt_tokens += tokens
                least, most = found.output_tokens(asked)
                row.output_tokens_low += least * found.answers(asked.request)
                row.output_tokens_high += most * found.answers(asked.request)
                row.longest_prompt = max(row.longest_prompt, tokens)
    for row in rows.values():
        _price(row, model, found)
    return list(rows.values())


def _price(row: PlanRow, model: AskedModel, found: CostEstimate) -> None:
    row.usd_low = found.cost(row.prompt_tokens, row.output_tokens_low, row.longest_prompt) / 1e6
    row.usd_high = found.cost(row.prompt_tokens, row.output_tokens_high, row.longest_prompt) / 1e6
    section = model.section
    batched = replace(found, price=batch_price_of(section))
    row.usd_batch = batched.cost(row.prompt_tokens, row.output_tokens_high, row.longest_prompt) / 1e6
    if section.mode != "live":
        row.minutes = BATCH_MINUTES if row.to_send else 0.0
        return
    if found.seconds is None and row.to_send:
        return
    minutes = [row.to_send * (found.seconds or 0.0) / section.concurrency / 60]
    if section.requests_per_minute:
        minutes.append(row.to_send / section.requests_per_minute)
    if section.tokens_per_minute:
        minutes.append((row.prompt_tokens + row.output_tokens_high) / section.tokens_per_minute)
    row.minutes = max(minutes)


def window_remarks(model: AskedModel, rows: list[PlanRow]) -> Iterator[str]:
    """Whether the longest request fits into what the model can read, where that is known."""
    known = listed(model.section)
    longest = max((row.longest_prompt for row in rows if row.model == model.section.name), default=0)
    tokens = longest + (most_output_tokens(model.identity) or 0)
    if known and known.context_window and tokens > known.context_window:
        yield (
            f"the longest request takes about {tokens:,} tokens with its answer, but {model.section.id} has room for "
            f"{known.context_window:,}; show fewer traits, or lower decoding.max_tokens"
        )


def batch_remarks(model: AskedModel, rows: list[PlanRow]) -> Iterator[str]:
    """How a model's requests go up in jobs."""
    section = model.section
    if section.mode == "live":
        return
    to_send = sum(row.to_send for row in rows if row.model == section.name)
    least = -(-to_send // section.batch.requests)
    pilot = f", after a pilot of {REQUESTS} live ones if the model is new" if section.mode == "auto" else ""
    factor = batch_factor(section)
    yield (
        f"{to_send:,} requests in {counted(least, 'job')} or more at {factor:.0%} of the live price{pilot}; "
        "a provider may take up to 24 hours for a job, and usually takes much less"
    )


def caching_remarks(ready: Prepared, model: AskedModel, found: CostEstimate) -> Iterator[str]:
    """What the provider's cache of prompts did so far, and whether the requests share enough for it."""
    if known := caching(ready.cache.connection, model.id).sentence():
        yield f"so far {known}"
    least = model.section.kind.cached_from
    shared = shared_prefix(ready, model)
    if least is None or not shared:
        return
    tokens = round(shared * found.tokens_a_byte)
    verdict = "what they share is cheaper" if tokens >= least else "do not count on a discount"
    if model.section.kind.marked_cache and tokens >= least:
        verdict = marked_cache(model.section)
    yield (
        f"requests of one persona go out together and begin with the same {tokens:,} tokens or so; "
        f"the provider caches from {least:,} on: {verdict}"
    )


def marked_cache(section: ModelSection) -> str:
    """What a provider's cache costs and saves that keeps only what is marked for it."""
    rates = mode_price_of(section)
    read, write = (rates.input if each is None else each for each in (rates.cached, rates.cache_write))
    prices = (
        f"a token that is written to it costs {write:g} dollars a million, one that is read {read:g}, another "
        f"{rates.input:g}; requests that are in flight together each write"
    )
    if section.endpoint.prompt_cache:
        return f"each persona is marked for it ({prices})"
    return f"endpoint = {{ prompt_cache = true }} marks each persona for it ({prices})"


def shared_prefix(ready: Prepared, model: AskedModel) -> float:
    """The bytes with which requests of a persona begin alike, on average over the first personas."""
    crossing, found = ready.crossing, []
    for number, persona in crossing.personas[:PREFIXES]:
        asked = [question for question in crossing.questions if question.is_for(persona)][:2]
        trials = [Trial(model.id, number, crossing.variants_of(persona)[0].id, question.id, 0, 0) for question in asked]
        requests = [crossing.asked(model, trial).request for trial in trials]
        texts = ["".join(message["content"] for message in request.messages).encode() for request in requests]
        if len(texts) == 2:
            shorter = min(map(len, texts))
            found.append(next((place for place in range(shorter) if texts[0][place] != texts[1][place]), shorter))
    return fmean(found) if found else 0.0


def first_requests(ready: Prepared, count: int) -> Iterator[Asked]:
    """The first requests of each model with a persona, exactly as they would be sent."""
    for model in ready.crossing.models:
        with_persona = (asked for asked in ready.crossing.trials(model) if asked.persona is not None)
        yield from islice(with_persona, count)

"""What requests of a model will take: measured on the answers in the file where there are any, else stated guesses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from runner.backends.catalogue.parameters import family
from runner.backends.catalogue.prices import cost_at, most_output_tokens, price_of
from runner.backends.request import Request, Usage
from runner.crossing.trials import Asked, AskedModel
from runner.store.cache import ResultCache
from runner.study.sections import Price
from scoring.answers.items import INSTRUCTIONS, Elicitation, elicitation_of

BYTES_A_TOKEN = 4.0
TEXT_TOKENS = 512
SECONDS_A_REQUEST = 1.0
LEAST_MEASURED = 20

# The fewest tokens that an answer of each form has.
LEAST_TOKENS: Mapping[Elicitation, float] = {"text": 1.0, "json": 6.0, "probability": 10.0, "reasoning": 32.0}

_SQL = f"""
SELECT substr(i.text, -{max(map(len, INSTRUCTIONS.values()))}), prompt_tokens,
    length(CAST(coalesce(p.text, '') || i.text || coalesce(s.text, '') AS BLOB)), completion_tokens,
    nullif(latency_ms, 0), cached_tokens, written_tokens
FROM (SELECT * FROM completion WHERE model = ? AND prompt_tokens > 0 ORDER BY id DESC LIMIT 1000) AS c
JOIN text AS i ON i.id = c.item_text LEFT JOIN text AS p ON p.id = c.persona_text
LEFT JOIN text AS s ON s.id = c.system_text
"""


@dataclass(frozen=True)
class CostEstimate:
    """Per model: tokens a byte of prompt, output tokens from `low` to `high`, seconds a request, and where from.

    `cached_share` of the prompts' tokens come from the provider's cache, `written_share` are written to it; `elicited`
    are the mean output tokens of answers that are not asked for as a letter, where they are measured. `seconds` is None
    where nobody can know: what this machine makes of a local model shows with the first answers. `apart` says that a
    prompt is sent once for each continuation whose log-likelihood is asked for.
    """

    tokens_a_byte: float
    low: float
    high: float
    seconds: float | None
    price: Price
    measured: int
    cached_share: float = 0.0
    written_share: float = 0.0
    apart: bool = False
    elicited: Mapping[Elicitation, float] = field(default_factory=dict)

    @property
    def basis(self) -> str:
        """In words."""
        if self.measured:
            return f"measured on {self.measured:,} answers in the file"
        seconds = "seconds a request unknown" if self.seconds is None else f"{self.seconds:.0f} s a request"
        return f"an estimate: {BYTES_A_TOKEN:.0f} bytes a token, {seconds}"

    def output_tokens(self, asked: Asked) -> tuple[float, float]:
        """The fewest and the most output tokens that a trial's answer is reckoned with."""
        elicitation = asked.question.item.elicitation
        if elicitation == "letter":
            return self.low, self.high
        if (mean := self.elicited.get(elicitation)) is not None:
            return mean, mean
        most = float(most_output_tokens(asked.request) or TEXT_TOKENS)
        return min(LEAST_TOKENS[elicitation], most), most

    def prompt_tokens(self, request: Request) -> int:
        """The tokens of a request's prompt."""
        size = sum(len(message["content"].encode()) for message in request.messages)
        if (answers := self.answers(request)) > 1:
            size = size * answers + sum(len(option.encode()) for option in request.options)
        return round(self.tokens_a_byte * size)

    def answers(self, request: Request) -> int:
        """How many answers a request takes: one, but a token behind each continuation that is sent apart."""
        return len(request.options) if request.kind == "loglik" and self.apart and not self.measured else 1

    def cost(self, prompt_tokens: float, output_tokens: float, longest: int | None = None) -> int:
        """In millionths of a dollar; of many requests together, at the rates of the longest prompt among them."""
        rates = self.price.at(round(prompt_tokens) if longest is None else longest)
        cached = round(prompt_tokens * self.cached_share)
        written = round(prompt_tokens * self.written_share)
        usage = Usage(round(prompt_tokens), round(output_tokens), cached_tokens=cached, written_tokens=written)
        return cost_at(rates, usage)


def estimate(model: AskedModel, cache: ResultCache) -> CostEstimate:
    """What a model's requests will take.

    A model that thinks may use anything up to its bound; others answer with a letter, or with text up to their bound.
    """
    rows = cache.connection.execute(_SQL, (model.id,)).fetchall()
    bound = float(most_output_tokens(model.identity) or TEXT_TOKENS)
    thinks = family(model.section).thinks
    low, high = (1.0, bound) if thinks or model.section.answer == "text" else (1.0, 1.0)
    guess = None if model.section.is_local else SECONDS_A_REQUEST
    price = price_of(model.section)
    tokens, size = (sum(row[place] or 0 for row in rows) for place in (1, 2))
    if len(rows) < LEAST_MEASURED or not size:
        # before any is, all of what may be written to the cache may be
        written_share = float(model.section.endpoint.prompt_cache)
        apart = not model.section.is_local
        return CostEstimate(1 / BYTES_A_TOKEN, low, high, guess, price, 0, written_share=written_share, apart=apart)
    means = _mean_outputs(rows)
    if (mean := means.pop("letter", None)) is not None:
        low = high = mean
    latencies = [row[4] for row in rows if row[4] is not None]
    seconds = fmean(latencies) / 1000 if latencies else guess  # a batch has no latency
    cached, written = (sum(row[place] or 0 for row in rows) / tokens for place in (5, 6))
    return CostEstimate(tokens / size, low, high, seconds, price, len(rows), cached, written, elicited=means)


def _mean_outputs(rows: Sequence[Sequence[Any]]) -> dict[Elicitation, float]:
    """The mean output tokens of each way of asking that has enough answers."""
    found: dict[Elicitation, list[int]] = {}
    for said, _, _, output, *_ in rows:
        if output is not None:
            found.setdefault(elicitation_of(said), []).append(output)
    return {name: max(1.0, fmean(each)) for name, each in found.items() if len(each) >= LEAST_MEASURED}

"""What requests of a model will take: measured on the answers in the file where there are any, else stated guesses."""

from dataclasses import dataclass

from runner.backends.catalogue.parameters import family
from runner.backends.catalogue.prices import cost_at, most_output_tokens, price_of
from runner.backends.request import Request, Usage
from runner.crossing.trials import AskedModel
from runner.store.cache import ResultCache
from runner.study.sections import Price

BYTES_A_TOKEN = 4.0
TEXT_TOKENS = 512
SECONDS_A_REQUEST = 1.0
LEAST_MEASURED = 20

_SQL = """
SELECT count(*), sum(prompt_tokens), sum(length(CAST(coalesce(p.text, '') || i.text || coalesce(s.text, '') AS BLOB))),
    avg(completion_tokens), avg(nullif(latency_ms, 0)), sum(cached_tokens)
FROM (SELECT * FROM completion WHERE model = ? AND prompt_tokens > 0 ORDER BY id DESC LIMIT 1000) AS c
JOIN text AS i ON i.id = c.item_text LEFT JOIN text AS p ON p.id = c.persona_text
LEFT JOIN text AS s ON s.id = c.system_text
"""


@dataclass(frozen=True)
class CostEstimate:
    """Per model: tokens a byte of prompt, output tokens from `low` to `high`, seconds a request, and where from.

    `cached_share` of the prompts' tokens come from the provider's cache. `seconds` is None where nobody can know: what
    this machine makes of a local model shows with the first answers.
    """

    tokens_a_byte: float
    low: float
    high: float
    seconds: float | None
    price: Price
    measured: int
    cached_share: float = 0.0

    @property
    def basis(self) -> str:
        """In words."""
        if self.measured:
            return f"measured on {self.measured:,} answers in the file"
        seconds = "seconds a request unknown" if self.seconds is None else f"{self.seconds:.0f} s a request"
        return f"an estimate: {BYTES_A_TOKEN:.0f} bytes a token, {seconds}"

    def prompt_tokens(self, request: Request) -> int:
        """The tokens of a request's prompt."""
        return round(self.tokens_a_byte * sum(len(message["content"].encode()) for message in request.messages))

    def cost(self, prompt_tokens: float, output_tokens: float, longest: int | None = None) -> int:
        """In millionths of a dollar; of many requests together, at the rates of the longest prompt among them."""
        rates = self.price.at(round(prompt_tokens) if longest is None else longest)
        cached = round(prompt_tokens * self.cached_share)
        return cost_at(rates, Usage(round(prompt_tokens), round(output_tokens), cached_tokens=cached))


def estimate(model: AskedModel, cache: ResultCache) -> CostEstimate:
    """What a model's requests will take. A model that thinks may use anything up to its bound; others answer with a
    letter, or with text up to their bound."""
    measured, tokens, size, output, latency, cached = cache.connection.execute(_SQL, (model.id,)).fetchone()
    bound = float(most_output_tokens(model.identity) or TEXT_TOKENS)
    thinks = family(model.section).thinks
    low, high = (1.0, bound) if thinks or model.section.answer == "text" else (1.0, 1.0)
    guess = None if model.section.is_local else SECONDS_A_REQUEST
    if measured < LEAST_MEASURED or not size:
        return CostEstimate(1 / BYTES_A_TOKEN, low, high, guess, price_of(model.section), 0)
    mean = max(1.0, output)
    seconds = guess if latency is None else latency / 1000  # a batch has no latency
    return CostEstimate(tokens / size, mean, mean, seconds, price_of(model.section), measured, cached / tokens)

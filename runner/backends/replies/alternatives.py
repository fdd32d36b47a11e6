"""The likeliest first tokens that an endpoint shows: asked for, read in whatever shape they come, and checked."""

import math
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from runner.backends.errors import BackendError, ModelUnavailable
from runner.backends.request import Request
from scoring.answers.responses import MOST_MASS

LARGEST = 0.01  # of a log-probability that was rounded
MOST = 20  # as many as OpenAI shows
FEWER = (10, 5)  # asked for next by an endpoint that refuses without naming its limit
REMEDY = "; set answer = 'text' for this model, or ask another endpoint"
_SPACES = "▁ĠĊ \t\r\n"  # "▁" and "Ġ" stand for a space in vocabularies, "Ċ" for a newline
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_NUMBERED = re.compile(r"token_id:\d+")
_UNSUPPORTED = re.compile(r"not (?:supported|available|allowed|enabled)|unsupported|unrecogni[sz]ed|unknown", re.I)


Reply = TypeVar("Reply")


class Shown(NamedTuple):
    """A token as it is written in a text, and its probability."""

    token: str
    probability: float


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What an endpoint shows of the first token: the likeliest ones, and the most that any other may have (`ceiling`).

    Raises ModelUnavailable, on making, where the numbers are no probabilities.
    """

    shown: tuple[Shown, ...]
    ceiling: float

    def letters(self, letters: Sequence[str]) -> tuple[float, ...]:
        """The log-probability of each letter, its spellings summed (natural log); -inf for one that is not shown."""
        masses = dict.fromkeys(letters, 0.0)
        for token, probability in self.shown:
            if (letter := token.strip()) in masses:
                masses[letter] += probability
        return tuple(math.log(mass) if mass else -math.inf for mass in masses.values())

    @property
    def likeliest(self) -> str:
        """The likeliest token."""
        return max(self.shown, key=lambda each: each.probability).token


class TopLogprobs:
    """How many alternatives are asked for: 20, or as many as the endpoint shows where it refuses that."""

    def __init__(self) -> None:
        self.number = MOST

    async def asked(self, request: Request, ask: Callable[[int], Awaitable[Reply]]) -> Reply:
        """What `ask` returns for a number of alternatives, asked again with fewer where that is what is refused."""
        while True:
            number = self.number
            try:
                return await ask(number)
            except BackendError as error:
                # the study's own number is obeyed
                own = any(type(request.parameters.get(name)) is int for name in ("top_logprobs", "logprobs"))
                if request.kind != "letters" or own or not self.lower(number, str(error)):
                    raise

    def lower(self, asked: int, refusal: str) -> bool:
        """Ask for fewer, if that is what a refusal of `asked` is about; whether to ask again."""
        if self.number < asked:
            return True  # another request has found out meanwhile
        if "logprob" not in refusal:
            return False
        numbers = map(int, re.findall(r"(?<![\d.])\d{1,2}(?![\d.]*\d)", refusal))
        ladder = () if _UNSUPPORTED.search(refusal) else FEWER
        fewer = max(
            (each for each in numbers if 0 < each < asked), default=next((each for each in ladder if each < asked), 0)
        )
        self.number = fewer or self.number
        return fewer > 0


def first_token(logprobs: Any) -> Alternatives | None:
    """The alternatives in the `logprobs` of a choice; None where there are none.

    Read are chat completions' `content`, a bare list of its entries, and the older `tokens`, `token_logprobs` and
    `top_logprobs`; alternatives may be a list of entries or a mapping. Raises ModelUnavailable for any other shape.
    """
    try:
        return checked(list(_entries(logprobs)), _is_sampled_only(logprobs))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ModelUnavailable(
            "probabilities",
            f"the endpoint's log-probabilities are in a shape that cannot be read ({type(error).__name__}: {error})"
            + REMEDY,
            charged=True,
        ) from None


def checked(entries: Sequence[tuple[str, float]], sampled_only: bool = False) -> Alternatives | None:
    """Tokens with natural logs as alternatives, the same entry twice merged; None where there is no distribution.

    `sampled_only` says that the token is the one drawn, so that any other may be likelier. Raises ModelUnavailable.
    """
    if any(_NUMBERED.fullmatch(token) for token, _ in entries):
        raise ModelUnavailable(
            "probabilities",
            "the endpoint names tokens by their numbers (token_id:…), so no letter can be found among them; "
            "have it name their texts (vLLM: start it without --return-tokens-as-token-ids)",
            charged=True,
        )
    if wrong := [logprob for _, logprob in entries if logprob > LARGEST]:
        raise ModelUnavailable(
            "probabilities",
            f"the endpoint shows {wrong[0]:g} as a log-probability, which none can be{REMEDY}",
            charged=True,
        )
    shown = tuple(Shown(token, math.exp(logprob)) for token, logprob in _distinct(entries))
    mass = math.fsum(each.probability for each in shown)
    if mass > MOST_MASS:
        raise ModelUnavailable(
            "probabilities",
            f"the probabilities of the tokens shown sum to {mass:.3f}, which is over 1{REMEDY}",
            charged=True,
        )
    likely = [each.probability for each in shown if each.probability > 0]
    if not likely or (len(likely) == 1 and mass > 1 - 1e-6):
        return None  # all on one token is what an endpoint says that has nothing but the token drawn
    left = max(0.0, 1 - mass)
    return Alternatives(shown, left if sampled_only else min(left, *likely))


def _distinct(entries: Sequence[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """The entries without those that are there twice (the token drawn stands beside the likeliest ones).

    Two tokens may have the same text; they differ in their probability.
    """
    seen: dict[str, list[float]] = {}
    for token, logprob in entries:
        alike = seen.setdefault(token, [])
        if not any(math.isclose(logprob, each, abs_tol=1e-5) for each in alike):
            alike.append(logprob)
            yield token, logprob


def _entries(logprobs: Any) -> Iterator[tuple[str, float]]:
    """The alternatives of the first token; those without a number are left out: they belong to the unknown tail."""
    first = _first(logprobs)
    if first is None:
        return
    top = first.get("top_logprobs") or [first]
    listed = top.items() if isinstance(top, Mapping) else ((each, each["logprob"]) for each in top)
    for token, logprob in listed:
        if isinstance(logprob, bool | str):
            raise TypeError(f"{logprob!r} is no number")
        if logprob is not None and not math.isnan(logprob):
            yield spelling(token), float(logprob)


def _is_sampled_only(logprobs: Any) -> bool:
    first = _first(logprobs)
    return first is not None and not first.get("top_logprobs")


def _first(logprobs: Any) -> Mapping[str, Any] | None:
    """The first token's entry, as chat completions have it."""
    if not logprobs:
        return None
    if isinstance(logprobs, Mapping) and "tokens" in logprobs:
        if not logprobs["tokens"]:
            return None
        top = logprobs.get("top_logprobs") or [None]
        return {
            "token": logprobs["tokens"][0],
            "logprob": (logprobs.get("token_logprobs") or [None])[0],
            "top_logprobs": top[0],
        }
    content = logprobs["content"] if isinstance(logprobs, Mapping) else logprobs
    if not isinstance(content, list | None):
        raise TypeError(f"content is a {type(content).__name__}")
    first = content[0] if content else None
    if first is not None and not isinstance(first, Mapping):
        raise TypeError(f"the first entry is a {type(first).__name__}")
    return first


def spelling(entry: Any) -> str:
    """A token as it is written in a text, from its name or its entry.

    Bytes first, then with the vocabulary's own spelling ("▁A", "ĠA", "<0x41>", "A</w>") undone.
    """
    token = entry["token"] if isinstance(entry, Mapping) else entry
    if isinstance(token, str) and token.isascii() and "<" not in token and ":" not in token:
        return token  # as most are
    if isinstance(entry, Mapping):
        raw = entry.get("bytes")
        if raw and bytes(raw) != str(token).encode("utf-8", "replace"):
            return bytes(raw).decode("utf-8", "replace")
    if not isinstance(token, str):
        raise TypeError(f"a token is a {type(token).__name__}")
    token = token.removesuffix("</w>")
    if byte := _BYTE.fullmatch(token):
        return chr(int(byte.group(1), 16))
    bare = token.strip(_SPACES)
    return (
        f" {bare}" if bare and token[0] in _SPACES else bare or ("\n" if set(token) & set("Ċ\n") else " " * len(token))
    )

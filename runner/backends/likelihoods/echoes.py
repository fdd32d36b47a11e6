"""The log-probabilities of a prompt's own tokens, read from a completion.

There is a number only where every token of the continuation has one, the tokens spell what was sent, the continuation
begins where a token does, and each token's number is what the model said before it.

The last is not a matter of course: llama-cpp-python 0.3.36 gives for each token what the model says after it, where a
prompt does not begin with a beginning-of-text token. There, no number is given for the token that is written after the
prompt; where the numbers are right, it has one, and is the likeliest.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from runner.backends.errors import BadRequest, ModelUnavailable
from runner.backends.likelihoods.continuations import Continuation
from runner.backends.replies.alternatives import LARGEST, spelling
from runner.backends.request import Usage

KIND = "log-likelihoods"
REMEDY = (
    "; ask this benchmark by another part, a local model, or a server that tells a prompt's log-probabilities (vLLM, "
    "llama-cpp-python with logits_all, `mtpa-run serve`; llama.cpp's own server tells none)"
)
TIE = 1e-3  # by how much rounding may put another token before the likeliest
WITH_IDS = "; name the model's tokenizer in endpoint.tokenizer, and its token ids are sent"
UNSPELT = "�"  # what stands for part of a character, or for a token whose text is not told
_BYTES = "bytes:"


class Echo(NamedTuple):
    """A prompt's tokens as they came back, each with its log-probability.

    `offsets` is where they begin in the text, as far as the endpoint says; what was written after the prompt may
    follow. `tops` are the likeliest tokens in each place; `by_place` says that the endpoint counts places itself.
    """

    tokens: Sequence[str]
    logprobs: Sequence[Any]
    offsets: Sequence[Any] | None = None
    tops: Sequence[Any] = ()
    by_place: bool = False


def loglik(reply: Mapping[str, Any], sent: Continuation, usage: Usage) -> float:
    """The summed natural log of a continuation's tokens in a reply; `usage` is what the endpoint counts, if anything.

    Raises ModelUnavailable where the endpoint tells no such numbers, BadRequest where they are not those of this
    continuation.
    """
    try:
        echo = _echo(reply["choices"][0], sent)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise _not_at_all(
            f"the endpoint's log-probabilities are in a shape that cannot be read ({type(error).__name__}: {error})"
        ) from None
    by_ids = isinstance(sent.prompt, list)
    first, end = _by_ids(echo, sent, usage.prompt_tokens) if by_ids else _by_text(echo, sent)
    if not echo.by_place:
        _check_places(echo, end, usage)
    return _summed(echo, first, end)


def _echo(choice: Mapping[str, Any], sent: Continuation) -> Echo:
    """What a choice says of the prompt: vLLM's `prompt_logprobs`, else completions' `logprobs`."""
    if (entries := choice.get("prompt_logprobs")) is not None:
        ids = sent.prompt if isinstance(sent.prompt, list) else [None] * len(entries)
        told = [_entry(entry, token) for entry, token in zip(entries, ids, strict=False)]
        return Echo([token for token, _ in told], [number for _, number in told], by_place=True)
    logprobs = choice.get("logprobs")
    if not isinstance(logprobs, Mapping):
        raise _not_at_all("the endpoint tells no log-probabilities of the prompt")
    tokens, numbers, offsets = (logprobs.get(name) for name in ("tokens", "token_logprobs", "text_offset"))
    if (
        not isinstance(tokens, list)
        or not isinstance(numbers, list)
        or not all(isinstance(each, str) for each in tokens)
    ):
        raise _not_at_all("the endpoint's log-probabilities have no tokens, or no numbers")
    if len(tokens) != len(numbers) or (isinstance(offsets, list) and len(offsets) != len(tokens)):
        raise _wrong(f"{len(tokens)} tokens came back with {len(numbers)} log-probabilities")
    tops = logprobs.get("top_logprobs")
    return Echo(tokens, numbers, offsets if isinstance(offsets, list) else None, tops if isinstance(tops, list) else ())


def _entry(entry: Any, token: int | None) -> tuple[str, Any]:
    """A token of `prompt_logprobs` and its number: the only one that is listed, or the one that was sent."""
    if entry is None:
        return "", None
    if token is None and len(entry) != 1:
        raise ValueError(f"{len(entry)} tokens in one place")
    if token is not None and str(token) not in entry:
        raise _wrong(f"token {token} was sent, and the endpoint lists {', '.join(list(entry)[:3])}")
    found = next(iter(entry.values())) if token is None else entry[str(token)]
    text = found.get("decoded_token")
    return UNSPELT if text is None else str(text), found["logprob"]


def _by_ids(echo: Echo, sent: Continuation, prompt_tokens: int | None) -> tuple[int, int]:
    """The places of a continuation that was sent as token ids."""
    count = len(sent.prompt)
    if prompt_tokens is not None and prompt_tokens != count:
        raise _wrong(f"{count} tokens were sent, and the endpoint counts {prompt_tokens}")
    if len(echo.tokens) < count:
        raise _wrong(f"{count} tokens were sent, and {len(echo.tokens)} came back")
    own = echo.tokens[sent.begins : count]
    for found, spelt in zip(own, sent.spelt, strict=True):
        if not _is_spelt(found, spelt):
            raise _wrong(
                f"a token that is {sorted(spelt)[0]!r} by endpoint.tokenizer came back as {found!r}: the endpoint's "
                "tokenizer is another"
            )
    return sent.begins, count


def _is_spelt(found: str, spelt: frozenset[str]) -> bool:
    """Whether a token came back as it may; part of a character is written in as many ways as there are servers."""
    if found in spelt or any(UNSPELT in each for each in (found, *spelt)):
        return True
    return bool(found) and spelling(found).strip() in {spelling(each).strip() for each in spelt}


def _by_text(echo: Echo, sent: Continuation) -> tuple[int, int]:
    """The places of a continuation that was sent as text, by what the tokens spell."""
    text = str(sent.prompt).encode("utf-8", "surrogatepass")
    # 1: the endpoint spells the beginning-of-text token that it puts before the prompt, too
    ways = ((skip, form) for form in (str, spelling) for skip in (0, 1))
    found = ((skip, _starts(echo.tokens[skip:], text, form)) for skip, form in ways)
    skip, starts = next(((skip, each) for skip, each in found if each is not None), (0, None))
    if starts is None:
        raise _wrong(f"the tokens that came back do not spell the prompt as it was sent{WITH_IDS}")
    _check_offsets(echo, text, skip, starts)
    if sent.begins not in starts:
        shown = text[max(0, sent.begins - 12) : sent.begins + 12].decode("utf-8", "replace")
        raise _wrong(f"the continuation does not begin where a token does (in {shown!r}){WITH_IDS}")
    first = skip + starts.index(sent.begins)
    if first == 0 and echo.tokens[0] == "" and len(starts) > 1:  # a beginning-of-text token that is spelt as nothing
        first = 1
    return first, skip + len(starts)


def _starts(tokens: Sequence[str], text: bytes, form: Callable[[str], str]) -> list[int] | None:
    """Where each token of the text begins, in bytes; None where the tokens do not spell it."""
    found, end = list[int](), 0
    for token in tokens:
        if end == len(text):
            break
        try:
            piece = _as_bytes(token, form)
        except ValueError:
            return None
        if not text.startswith(piece, end):
            return None
        found.append(end)
        end += len(piece)
    return found if end == len(text) else None


def _as_bytes(token: str, form: Callable[[str], str]) -> bytes:
    r"""A token's bytes; OpenAI writes part of a character as "bytes:\xe2\x80"."""
    if token.startswith(_BYTES):
        return bytes.fromhex(token.removeprefix(_BYTES).replace("\\x", ""))
    return form(token).encode("utf-8", "surrogatepass")


def _check_offsets(echo: Echo, text: bytes, skip: int, starts: Sequence[int]) -> None:
    """Raises BadRequest where the offsets, counted from the first token of the text, are not where the tokens are."""
    if echo.offsets is None or any(token.startswith(_BYTES) for token in echo.tokens):
        return
    told = echo.offsets[skip : skip + len(starts)]
    if not all(type(offset) is int for offset in told):
        raise _wrong("the endpoint's text offsets are no numbers")
    for offset, start in zip(told, starts, strict=True):
        characters = len(text[:start].decode("utf-8", "ignore"))
        if offset - told[0] != characters:
            raise _wrong(f"a token that begins at character {characters} came back with the offset {offset - told[0]}")


def _check_places(echo: Echo, end: int, usage: Usage) -> None:
    """Raises BadRequest unless the numbers are shown to be what the model said before each token.

    Either the token written after the prompt is the likeliest there; or, where none is written, one more token was read
    than has a number, which is the beginning-of-text token.
    """
    if len(echo.tokens) > end:
        top = echo.tops[end] if len(echo.tops) > end else None
        numbers = [each for each in (top.values() if isinstance(top, Mapping) else ()) if isinstance(each, int | float)]
        own = echo.logprobs[end]
        if not numbers or (isinstance(own, int | float) and own > max(numbers) - TIE):
            return
    elif not usage.completion_tokens and usage.prompt_tokens == end + 1:
        return
    raise _wrong(
        "the endpoint's log-probabilities are not those of the tokens they stand with (llama-cpp-python tells them of "
        "the next token, unless the model has a beginning-of-text token)" + REMEDY
    )


def _summed(echo: Echo, first: int, end: int) -> float:
    numbers = list(echo.logprobs[first:end])
    if first == 0 and numbers and numbers[0] is None:
        raise _wrong(f"nothing stands before the continuation, so its first token has no log-probability{WITH_IDS}")
    if not numbers or any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers):
        raise _wrong("a token of the continuation has no log-probability")
    if any(not math.isfinite(each) for each in numbers):
        raise _wrong("a log-probability of the continuation is not finite")
    if wrong := [each for each in numbers if each > LARGEST]:
        raise _not_at_all(f"the endpoint shows {wrong[0]:g} as a log-probability, which none can be")
    return math.fsum(numbers)


def _wrong(reason: str) -> BadRequest:
    return BadRequest(KIND, reason, charged=True)


def _not_at_all(reason: str) -> ModelUnavailable:
    return ModelUnavailable(KIND, reason + REMEDY, charged=True)

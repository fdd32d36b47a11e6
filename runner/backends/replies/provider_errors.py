"""What a provider's refusal means: for this prompt, for this request, or for everything that the model is asked."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.backends.errors import BackendError, BadRequest, ModelUnavailable, PromptRefused, Transient
from runner.backends.replies.usage import chat_usage
from runner.backends.replies.waiting import delay
from runner.backends.request import Usage
from runner.study.masking import scrub

EXCERPT = 300
RETRIED = frozenset({408, 409, 425, 429})

# What codes, types and reasons say, whatever the status.
_OF_PROMPT = re.compile(
    r"content_?(filter|polic|moderation)|responsible_?ai|data_?inspection|invalid_prompt|moderation|flagged"
    r"|safety_(filter|violation|block)|sensitive|guardrail|prohibited_content|prompt_blocked"
)
_FOR_GOOD = re.compile(
    r"insufficient_(quota|balance|credit|fund)|billing|payment_required|account_(deactivated|suspended|disabled|not_active)|api_?key_?invalid|invalid_?api_?key"
    r"|unsupported_(parameter|value|model)|model_?not_?(found|supported)|invalid_model|model_decommissioned"
)
# What sentences say, where there is no code; of an account nothing is said of the prompt.
_DECLINED = re.compile(
    r"(prompt|input|content|message|request|text)\b.{0,80}"
    r"\b(flagged|filtered|moderat|blocked by|inappropriate|violat\w+ .{0,40}(polic|terms|guideline))"
    r"|(flagged|rejected|blocked|refused)\b.{0,40}\b(moderation|safety|content|polic)",
    re.IGNORECASE | re.DOTALL,
)
_OF_ACCOUNT = re.compile(r"\b(account|organi[sz]ation|api.?key|billing|suspended|deactivated|banned)\b", re.IGNORECASE)
_BAD_KEY = re.compile(
    r"\bapi.?key\b.{0,40}\b(not valid|invalid|incorrect|expired)|\b(invalid|incorrect) api.?key"
    r"|\bcredit balance is too low",
    re.I,
)

# The status that an error has where it names a word instead of a number (google.rpc.Code, and the usual types).
_STATUS = (
    (re.compile(r"rate_?limit|resource_?exhausted|too_?many|throttl|quota"), 429),
    (re.compile(r"insufficient|billing|credits|payment"), 402),
    (re.compile(r"overloaded|unavailable"), 503),
    (re.compile(r"timeout|timed_out|deadline"), 504),
    (re.compile(r"unauthenticated|authentication|unauthorized|api_?key"), 401),
    (re.compile(r"permission|forbidden"), 403),
    (re.compile(r"not_?found"), 404),
    (re.compile(r"invalid|unsupported|bad_?request|failed_precondition|context_length|content_|_filter"), 400),
)
_SAID = 4  # of these, the first few are looked for in the sentence too

# One of these is in the body of an answer.
_ANSWERS = ("choices", "candidates", "promptFeedback")


def refusal(status: int, body: bytes, hint: str = "") -> BackendError:
    """The error that an HTTP status with this body means.

    From 500 on it may have cost what an answer costs, below only where the provider says what was used. `hint` is said
    behind the provider's sentence.
    """
    value, text = _parsed(body), body.decode("utf-8", "replace")
    told = _error_object(value)
    found = _sorted(status, told, text, f"HTTP {status}: {_sentence(told) or _cut(text)}{hint}")
    found.usage, found.about = _usage(value), _parameter(told)
    found.charged = status >= 500 or found.usage is not None
    return found


def error_in(reply: Mapping[str, Any]) -> BackendError | None:
    """The error that the body of a 200 is instead of an answer, as routers and gateways send them; else None.

    It costs nothing, unless the provider says what was used.
    """
    error = reply.get("error")
    if not error and not any(reply.get(name) for name in _ANSWERS):
        error = next((reply[name] for name in ("errors", "base_resp") if reply.get(name)), reply)
        error = error[0] if isinstance(error, list) else error
        if not (isinstance(error, Mapping) and _sentence(error)):
            return None
    if not error or not isinstance(error, str | Mapping):
        return None
    told, text = _error_object({"error": error}), _as_text(error)
    status = _status_of(told)
    found = _sorted(status, told, text, f"200, but an error in it ({status}): {_sentence(told) or _cut(text)}")
    if isinstance(found, Transient):
        found.retry_after = delay({}, text)
    found.usage = _usage(reply)
    found.charged, found.about = found.usage is not None, _parameter(told)
    return found


def _sorted(status: int, told: Mapping[str, Any], text: str, message: str) -> BackendError:
    kind, codes = str(status), " ".join(_codes(told)).lower()
    sentence = _sentence(told) or text
    if _is_of_prompt(status, told, codes, sentence):
        return PromptRefused(kind, message)
    for_good = status in (401, 403, 404) or (status < 500 and _FOR_GOOD.search(codes or text.lower()))
    if for_good or (status == 400 and _BAD_KEY.search(sentence)):
        return ModelUnavailable(kind, message)
    if status in RETRIED or status >= 500:
        return Transient(kind, message)
    return BadRequest(kind, message)


def _is_of_prompt(status: int, told: Mapping[str, Any], codes: str, sentence: str) -> bool:
    if status in (401, 402, 404, 429):
        return False
    if status == 451 or _OF_PROMPT.search(codes):
        return True
    metadata = told.get("metadata")
    if isinstance(metadata, Mapping) and (metadata.get("flagged_input") or metadata.get("reasons")):
        return True
    return status in (400, 403, 406, 422) and bool(_DECLINED.search(sentence)) and not _OF_ACCOUNT.search(sentence)


def _parsed(body: bytes) -> Any:
    """The JSON value that a body is; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error_object(value: Any) -> Mapping[str, Any]:
    """The object that a JSON value says an error with; empty where there is none."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, Mapping):
        return {}
    error = value.get("error")
    if isinstance(error, str):
        return {"message": error, **value}
    return error if isinstance(error, Mapping) else value


def _as_text(value: Any) -> str:
    """A JSON value as it may have been sent."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""


def _cut(text: str) -> str:
    """The beginning of what a provider says; a key in it is masked first, lest half of one stay."""
    return scrub(text).strip()[:EXCERPT]


def _codes(told: Mapping[str, Any]) -> Iterator[str]:
    """The words by which an error is known to programs."""
    inner = told.get("innererror")
    details = told.get("details")
    nested = [inner, *(details if isinstance(details, list) else [details])]
    for each in (told, *(each for each in nested if isinstance(each, Mapping))):
        yield from (str(each[name]) for name in ("code", "type", "status", "reason") if isinstance(each.get(name), str))


def _parameter(told: Mapping[str, Any]) -> str:
    """The parameter that an error names as such; "" where it names none.

    OpenAI's `param`, a field violation of google.rpc.BadRequest, or the `loc` of a validation error.
    """
    if isinstance(param := told.get("param"), str):
        return param
    details = told.get("details") or told.get("detail")
    for each in details if isinstance(details, list) else ():
        if isinstance(each, Mapping):
            violations = each.get("fieldViolations")
            first = violations[0] if isinstance(violations, list) and violations else {}
            place = first.get("field") if isinstance(first, Mapping) else None
            if isinstance(loc := each.get("loc"), list) and loc:
                place = str(loc[-1])
            if isinstance(place, str) and place:
                return place
    return ""


def _sentence(told: Mapping[str, Any]) -> str:
    """What an error says to people; "" where it says nothing."""
    for name in ("message", "detail", "msg", "status_msg", "error_description", "title"):
        value = told.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, Mapping):
            value = " ".join(str(each) for each in (value.get("msg") or value.get("message"), value.get("loc")) if each)
        if isinstance(value, str) and value.strip():
            codes = [each for each in _codes(told) if each.lower() not in value.lower()]
            return f"{_cut(value)}{f' ({_cut(codes[0])})' if codes else ''}"
    return ""


def _status_of(told: Mapping[str, Any]) -> int:
    """The HTTP status that an error without one stands for: its own number, else what its words say, else 500."""
    for name in ("code", "status", "status_code"):
        value = str(told.get(name) or "")
        if len(value) == 3 and value.isdecimal() and 400 <= int(value) < 600:
            return int(value)
    words, said = " ".join(_codes(told)).lower(), _sentence(told).lower().replace(" ", "_")
    found = next((status for pattern, status in _STATUS if pattern.search(words)), None)
    return found or next((status for pattern, status in _STATUS[:_SAID] if pattern.search(said)), 500)


def _usage(value: Any) -> Usage | None:
    """What the body of an error says was used, where it does."""
    try:
        found = chat_usage(value["usage"], False, 0)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
    return found if found.known else None

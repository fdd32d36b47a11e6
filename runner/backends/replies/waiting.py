"""How long a provider asks its caller to wait, from a refusal's headers and body."""

import json
import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPELT = {"second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "hr": "h", "day": "d", "millisecond": "ms"}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_ASKED = re.compile(
    r"(?:again|retry|wait)(?:ing)?(?:\s+(?:in|after|for|another|about))*\s*:?\s*"
    r"((?:\d+(?:\.\d+)?\s*(?:milliseconds?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[smhd])\b[\s,]*(?:and\s+)?)+"
    r"|(?:\d+(?:\.\d+)?(?:ms|[smhd]))+)",
    re.IGNORECASE,
)
_RESET = re.compile(r"^(?:x-|anthropic-)?ratelimit-(?:reset(?:-[\w-]+)?|[\w-]+-reset)$")
YEAR = 366 * 86_400.0
MOST_READ = 20_000  # characters of a body that are searched


def delay(headers: Mapping[str, str], body: str) -> float | None:
    """The seconds to wait, at most a year; None where nothing is said.

    Retry-After first, then the body's own words, then the reset of a limit that is used up.
    """
    found = _delay(headers, body)
    return None if found is None else min(found, YEAR)


def _delay(headers: Mapping[str, str], body: str) -> float | None:
    named = {name.lower(): value for name, value in headers.items()}
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (milliseconds := retry_after(named.get(name))) is not None:
            return milliseconds / 1000
    if (found := retry_after(named.get("retry-after"))) is not None:
        return found
    if (found := _in_body(body[:MOST_READ])) is not None:
        return found
    return _until_reset(named)


def retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header asks for: a number, or a date. None where it names neither."""
    if not value:
        return None
    try:
        number = float(value)
        return max(0.0, number) if math.isfinite(number) else None
    except ValueError:
        pass
    if (seconds := _duration(value)) is not None:
        return seconds
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _duration(text: str) -> float | None:
    """The seconds of "6m0s", "350ms", "1.5 seconds", "2 minutes and 5 seconds"; None for anything else."""
    text = re.sub(r"\s*(?:,|\band\b)\s*", " ", text.strip().lower())
    total, done = 0.0, 0
    for part in _PART.finditer(text):
        unit = part[2].removesuffix("s") if len(part[2]) > 2 else part[2]
        unit = _SPELT.get(unit, unit)
        if text[done : part.start()].strip() or unit not in _UNITS:
            return None
        total, done = total + float(part[1]) * _UNITS[unit], part.end()
    return total if done and not text[done:].strip() else None


def _in_body(body: str) -> float | None:
    """google.rpc.RetryInfo, a field named after retrying, or "try again in 6m0s" in the message."""
    try:
        found = _named(json.loads(body))
    except (ValueError, RecursionError):
        found = None
    if found is not None:
        return found
    match = _ASKED.search(body)
    return _duration(match[1]) if match else None


def _named(value: Any) -> float | None:
    """The delay in a field of a JSON value, at any depth."""
    for each in value if isinstance(value, list) else ():
        if (found := _named(each)) is not None:
            return found
    for name, each in value.items() if isinstance(value, Mapping) else ():
        word = name.lower().replace("_", "").replace("-", "")
        if word in ("retrydelay", "retryafter", "retryafterseconds", "retryafterms") and isinstance(
            each, str | int | float
        ):
            seconds = retry_after(str(each))
            return seconds / 1000 if seconds is not None and word.endswith("ms") else seconds
        if isinstance(each, Mapping | list) and (found := _named(each)) is not None:
            return found
    return None


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """The longest reset of the limits that have nothing left; where none says what is left, the shortest reset."""
    used_up, unknown = [], []
    for name, value in headers.items():
        if not _RESET.match(name) or (seconds := _moment(value)) is None:
            continue
        left = headers.get(name.replace("reset", "remaining"))
        if left is None:
            unknown.append(seconds)
        elif _is_nothing(left):
            used_up.append(seconds)
    return max(used_up) if used_up else min(unknown, default=None)


def _is_nothing(text: str) -> bool:
    try:
        return float(text) <= 0
    except ValueError:
        return False


def _moment(value: str) -> float | None:
    """The seconds until a reset: a duration, a number of seconds, a time since 1970 in seconds or ms, or a date."""
    seconds = retry_after(value)
    if seconds is not None and seconds > 1e11:
        return max(0.0, seconds / 1000 - time.time())
    if seconds is not None and seconds > 1e9:
        return max(0.0, seconds - time.time())
    if seconds is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


def in_words(seconds: float) -> str:
    """A time as people say it, rounded up: "45 seconds", "3 minutes", "24 hours"."""
    for unit, size, least in (("hours", 3600, 7200), ("minutes", 60, 120)):
        if seconds >= least:
            return f"{math.ceil(seconds / size)} {unit}"
    count = math.ceil(seconds)
    return "1 second" if count == 1 else f"{count} seconds"

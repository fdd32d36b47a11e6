"""How long a provider asks to wait, in all the places where it says so."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.replies.waiting import YEAR, delay, in_words, retry_after


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("1.5") == 1.5
    assert retry_after("-3") == 0.0
    assert retry_after(None) is retry_after("") is retry_after("soon") is retry_after("nan") is None
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 27 < (retry_after(later) or 0) <= 30


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "7", "x-ratelimit-reset-tokens": "1s"}, "try again in 3s", 7),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, "", 1.5),
        ({}, '{"error": {"details": [{"@type": "…RetryInfo", "retryDelay": "51.25s"}]}}', 51.25),
        ({}, '{"error": {"metadata": {"retry_after_ms": 2500}}}', 2.5),
        ({}, "Limit reached. Please try again in 1h2m3s.", 3723),
        ({}, "Please try again in 240ms, or ask for more", 0.24),
        ({}, "Slow down! Retry after 2 minutes and 30 seconds", 150),
        ({}, "You must wait 90 seconds", 90),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "9h"}, "", None),
        (
            {
                "X-RateLimit-Remaining-Tokens": "0",
                "X-RateLimit-Reset-Tokens": "12s",
                "X-RateLimit-Remaining-Requests": "5",
                "X-RateLimit-Reset-Requests": "4h",
            },
            "",
            12,
        ),
        ({"RateLimit-Reset": "20", "RateLimit-Remaining": "0"}, "", 20),
        ({}, f"try again in {'9' * 400}s", YEAR),
        ({"Retry-After": "1e308"}, "", YEAR),
        ({}, "version 12 of the model is gone", None),
    ],
)
def test_the_delay_is_found_wherever_it_is_said(headers: dict[str, str], body: str, seconds: float | None) -> None:
    assert delay(headers, body) == (None if seconds is None else pytest.approx(seconds))


@given(st.dictionaries(st.sampled_from(["Retry-After", "x-ratelimit-reset", "retry-after-ms"]), st.text()), st.text())
def test_nonsense_is_no_delay_and_no_error(headers: dict[str, str], body: str) -> None:
    assert (delay(headers, body) or 0) >= 0
    assert (delay({}, json.dumps({"retry_after": [body], "a": {"retryDelay": body}})) or 0) >= 0


def test_a_time_is_said_as_people_say_it() -> None:
    assert [in_words(each) for each in (0.2, 75, 150, 86400)] == ["1 second", "75 seconds", "3 minutes", "24 hours"]

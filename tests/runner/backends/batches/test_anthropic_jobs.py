"""Anthropic's batches, which hold no marker: ids, and the search for a batch whose making went unheard."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
from fake_batches import FakeBatches

from runner.backends.batches.anthropic_jobs import AnthropicBatches, custom_id, key_of
from runner.backends.batches.base import KEY_BYTES
from runner.backends.errors import BadRequest, Transient
from runner.backends.request import Request
from runner.study.sections import ModelSection

MARKER, OTHER = "mtpa-" + 24 * "a", "mtpa-" + 24 * "b"


@pytest.fixture
def server() -> Iterator[FakeBatches]:
    """The provider; a batch ends when it is looked at for the third time."""
    with FakeBatches(views=3) as running:
        yield running


@pytest.fixture
async def batches(server: FakeBatches, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AnthropicBatches]:
    """One run's batches."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    made = another(server)
    yield made
    await made.close()


def another(server: FakeBatches) -> AnthropicBatches:
    """The batches of another run."""
    table = {"name": "m", "backend": "anthropic", "id": "claude-haiku-4-5", "base_urls": [server.anthropic_url]}
    return AnthropicBatches(
        ModelSection.model_validate({**table, "answer": "text", "decoding": {"max_tokens": 3}, "key_env": None})
    )


def content(batches: AnthropicBatches, first: int = 0) -> bytes:
    """Two requests, the first of this number."""
    keys = [bytes([number]) * 32 for number in (first, first + 1)]
    asked = [Request(key, [{"role": "user", "content": "?"}], {"max_tokens": 3}, "text", ()) for key in keys]
    return b"".join(batches.line(each) for each in asked)


def test_an_id_holds_marker_and_key_and_is_as_short_as_it_must_be() -> None:
    for key in (bytes(32), bytes(range(224, 256)), b"\xfb\xff" * 16):
        found = custom_id(MARKER, key)
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", found) and found.startswith(MARKER)
        assert key_of(found) == key[:KEY_BYTES]
    with pytest.raises(ValueError):
        key_of("somebody-elses")


async def test_a_batch_whose_making_went_unheard_is_found_by_its_ids_once_it_has_ended(
    server: FakeBatches, batches: AnthropicBatches
) -> None:
    note = await batches.upload(MARKER, content(batches))
    server.at = lambda step: step == "after create"
    with pytest.raises(Transient):
        await batches.create(MARKER, note)
    server.at = lambda step: False
    later = another(server)  # after a kill: nothing is known but marker and note
    for _ in range(2):
        with pytest.raises(Transient, match="may be this one"):
            await later.find_job(MARKER, note)
    assert await later.find_job(MARKER, note) == "job0"
    assert [result.key for result in [each async for each in later.results(await later.view("job0"))]] == [
        bytes([number]) * KEY_BYTES for number in (0, 1)
    ]
    await later.close()


async def test_somebody_elses_batch_is_waited_for_and_then_passed_over(
    server: FakeBatches, batches: AnthropicBatches
) -> None:
    theirs = await batches.upload(OTHER, content(batches, 8))
    await batches.create(OTHER, theirs)
    larger = await batches.upload(OTHER, content(batches) + content(batches, 4))
    await batches.create(OTHER, larger)
    ours = await batches.upload(MARKER, content(batches))
    for _ in range(2):
        with pytest.raises(Transient, match="batch job0 may be"):
            await batches.find_job(MARKER, ours)
    assert await batches.find_job(MARKER, ours) is None
    assert await batches.find_job(OTHER, larger) == "job1"
    server.jobs["job0"].made = server.jobs["job1"].made = "2020-01-01T00:00:00Z"
    assert await batches.find_job(OTHER, larger) is None  # made long before


async def test_what_an_earlier_run_noted_is_not_made_of_nothing(server: FakeBatches, batches: AnthropicBatches) -> None:
    note = await batches.upload(MARKER, content(batches))
    later = another(server)
    with pytest.raises(BadRequest, match="ended before it was sent"):
        await later.create(MARKER, note)
    await later.close()
    assert not server.jobs

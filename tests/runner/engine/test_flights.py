"""A request is on its way once, and no more are taken up than there is room for."""

import asyncio
from types import SimpleNamespace
from typing import Any

from runner.engine.flights import A_SLOT, Flights


def trial(key: bytes) -> Any:
    return SimpleNamespace(key=key)


async def test_a_trial_waits_for_the_request_that_is_on_its_way() -> None:
    flights, one, other = Flights(2), trial(b"a"), trial(b"a")
    assert not flights.joined_by(one)
    flight = flights.begin(one)
    assert flights.joined_by(other)
    assert flight.waiting == [one, other]
    flights.land(flight)
    assert len(flights) == 0 and not flights.joined_by(other)


async def test_where_there_are_too_many_the_next_waits_until_several_are_through() -> None:
    flights = Flights(3)
    begun = [flights.begin(trial(bytes([number]))) for number in range(3 * A_SLOT)]
    waiting = asyncio.create_task(flights.room())
    for flight in begun[:3]:
        await asyncio.sleep(0)
        assert not waiting.done()
        flights.land(flight)
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(flights.room(), 5)  # there is some left

"""Connections that ask nothing keep nobody out, and do not stay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from waiting import until

from runner.serve import app as serving
from runner.serve.door import Door

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served(
    path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[asyncio.Event, list[None]]]:
    """A server on a Unix socket that lets in `most`; `/slow` answers once the event is set, and counts."""
    release, ready = asyncio.Event(), asyncio.Event()
    slowly: list[None] = []

    async def slow(request: web.Request) -> web.Response:
        slowly.append(None)
        await release.wait()
        return web.Response(text="done")

    async def quick(request: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/slow", slow)
    app.router.add_get("/quick", quick)
    monkeypatch.setattr(serving, "Door", lambda: Door(most))
    task = asyncio.create_task(serving.serve(app, path, "", 0, ready.set))
    await ready.wait()
    yield release, slowly
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def ask(path: Path, what: str) -> tuple[int, str]:
    connector = aiohttp.UnixConnector(str(path))
    async with aiohttp.ClientSession(connector=connector) as session, session.get(f"http://here/{what}") as reply:
        return reply.status, await reply.text()


async def test_those_who_ask_nothing_make_room_the_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    async with served(path, 4, monkeypatch) as (release, slowly):
        answering = asyncio.create_task(ask(path, "slow"))
        await until(lambda: slowly)
        silent: list[Connection] = [await asyncio.open_unix_connection(path) for _ in range(3)]
        for _, writer in silent:
            writer.write(b"GET /quick HTTP/1.1\r\nHost: h\r\nX: ")  # a head that never ends
        assert await ask(path, "quick") == (200, "here")
        assert await asyncio.wait_for(silent[0][0].read(), 5) == b""  # the oldest of them was let go
        release.set()
        assert await answering == (200, "done")
        for _, writer in silent:
            writer.close()


async def test_where_all_are_at_work_the_next_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    async with served(path, 2, monkeypatch) as (release, slowly):
        first = [asyncio.create_task(ask(path, "slow")) for _ in range(2)]
        await until(lambda: len(slowly) == 2)
        assert (await ask(path, "quick"))[0] == 503
        release.set()
        assert [status for status, _ in await asyncio.gather(*first)] == [200, 200]
        assert await ask(path, "quick") == (200, "here")


async def test_a_head_that_comes_slowly_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "IDLE_SECONDS", 0.5)
    path = tmp_path / "s"
    async with served(path, 4, monkeypatch):
        reader, writer = await asyncio.open_unix_connection(path)
        reading = asyncio.create_task(reader.read())
        for letter in b"GET /quick HTTP/1.1\r\nX: " + b"x" * 1000:
            if reading.done():
                break
            writer.write(bytes([letter]))
            await asyncio.sleep(0.05)
        assert await asyncio.wait_for(reading, 5) == b""
        writer.close()


async def test_many_connect_to_a_unix_socket_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    async with served(path, 4096, monkeypatch):
        connector = aiohttp.UnixConnector(str(path), limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one() -> int:
                async with session.get("http://here/quick", data=b"x" * 4000) as reply:
                    return reply.status

            assert set(await asyncio.gather(*(one() for _ in range(300)))) == {200}

"""A chat-completions endpoint that is never the bottleneck: a bare asyncio protocol, one letter for every request.

python fast_server.py PORT LATENCY_SECONDS [LIFETIME_SECONDS]     loopback only; ends by itself

GET /stats tells how many requests came, and how many different ones: {"chat": …, "unique": …}; GET /reset, too, and
counts anew.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

BODY = json.dumps(
    {
        "model": "fast-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 250, "completion_tokens": 1, "total_tokens": 251},
    }
).encode()
GEMINI = json.dumps(
    {
        "candidates": [{"content": {"parts": [{"text": "A"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 250, "candidatesTokenCount": 1, "totalTokenCount": 251},
        "modelVersion": "fast-1",
    }
).encode()


def framed(body: bytes) -> bytes:
    """The body as an HTTP response."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


REPLIES = {False: framed(BODY), True: framed(GEMINI)}


class Tally:
    """How many requests came, and which bodies they had, by hash."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests, self.bodies = 0, set[int]()

    def add(self, body: bytes) -> None:
        self.requests += 1
        self.bodies.add(hash(body))

    def told(self, head: bytes) -> bytes:
        """The answer to a GET, which may begin the count anew."""
        answer = framed(json.dumps({"chat": self.requests, "unique": len(self.bodies)}).encode())
        if head.startswith(b"get /reset"):
            self.reset()
        return answer


class Endpoint(asyncio.Protocol):
    """One connection: a request is as long as its Content-Length says."""

    def __init__(self, latency: float, tally: Tally) -> None:
        self.latency, self.tally, self.buffer = latency, tally, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            if head.startswith(b"get"):
                self.buffer = self.buffer[end + 4 :]
                self.transport.write(self.tally.told(head))
                continue
            start = head.index(b"content-length:") + 15
            length = int(head[start : (head.find(b"\r\n", start) + 1 or len(head) + 1) - 1])
            if len(self.buffer) < end + 4 + length:
                return
            gemini = b"generatecontent" in head
            self.tally.add(self.buffer[end + 4 : end + 4 + length])
            self.buffer = self.buffer[end + 4 + length :]
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self.reply, gemini)
            else:
                self.reply(gemini)

    def reply(self, gemini: bool) -> None:
        if not self.transport.is_closing():
            self.transport.write(REPLIES[gemini])


async def main(port: int, latency: float, lifetime: float) -> None:
    loop, tally = asyncio.get_running_loop(), Tally()
    server = await loop.create_server(lambda: Endpoint(latency, tally), "127.0.0.1", port, backlog=4096)
    await asyncio.sleep(lifetime)
    server.close()


class Counts(NamedTuple):
    """What a server has counted: requests, and different ones."""

    requests: int
    distinct: int

    @classmethod
    def of(cls, url: str, what: str = "stats") -> "Counts":
        """As the server at this base URL tells it; `reset` begins anew."""
        with urllib.request.urlopen(f"{url.removesuffix('/v1')}/{what}") as answer:
            told = json.loads(answer.read())
        return cls(told["chat"], told["unique"])


@contextmanager
def fast_server(latency: float = 0.0, lifetime: float = 86_400.0) -> Iterator[str]:
    """The base URL of a server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, str(port), str(latency), str(lifetime)])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise SystemExit("the server did not start")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 600.0))

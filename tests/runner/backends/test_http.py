"""Bodies that are small on the wire and would fill the memory: every backend stops reading."""

import gzip
import resource
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.backends.errors import BackendError, Transient
from runner.backends.http import MAX_BODY, json_object
from runner.backends.providers import make_backend
from runner.backends.request import ModelIdentity, Request
from runner.study.sections import ModelSection

BOMB = gzip.compress(bytes(60 * MAX_BODY))


class Handler(BaseHTTPRequestHandler):
    """Answers everything with the bomb, packed or (where the path says so) without an end."""

    def do_POST(self) -> None:
        """One answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if "endless" in self.path:
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b" " * 65536)
            except OSError:
                return
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(BOMB)))
        self.end_headers()
        self.wfile.write(BOMB)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The endpoint's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["packed", "endless"])
@pytest.mark.parametrize("backend", ["openai", "openai-compatible", "gemini", "anthropic"])
async def test_a_body_is_not_read_past_the_bound(
    url: str, backend: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "k")
    section = ModelSection.model_validate(
        {
            "name": "m",
            "backend": backend,
            "id": "gpt-4o",
            "base_urls": [f"{url}/{path}"],
            "timeout": 60,
            "answer": "text",
            "decoding": {"max_tokens": 3},
        }
    )
    asked = make_backend(section, ModelIdentity(backend, "gpt-4o", "", "", {}), lambda headers: None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with pytest.raises(BackendError, match=r"a body (of over|packed as gzip)"):
            await asked.answer(Request(b"k", [{"role": "user", "content": "?"}], {}, "text", ()))
    finally:
        await asked.close()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 30 * MAX_BODY


def test_marks_of_a_stream_around_an_answer_are_no_part_of_it() -> None:
    body = b': keep-alive\n\ndata: {"choices": []}\n\ndata: [DONE]\n\n'
    assert json_object("u", body) == {"choices": []}
    with pytest.raises(Transient, match="not JSON"):
        json_object("u", b'data: {"choices": []}\n\ndata: {"choices": []}\n\n')

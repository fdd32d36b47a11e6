"""Gemini through Vertex AI: credentials of the environment, the project's address, log-probabilities, and failures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fake_llm import FakeLLM
from pydantic import ValidationError
from studies import load, rows

from personas.errors import InputError
from runner.backends.catalogue.parameters import without_probabilities
from runner.backends.errors import BrokenOff, Transient
from runner.backends.gemini import GeminiBackend
from runner.backends.gemini import read as read_gemini
from runner.backends.keys import endpoints, unfamiliar
from runner.backends.request import Request
from runner.engine.run import run
from runner.study.sections import ModelSection

TOKEN = "ya29.a-token-that-nobody-else-may-see"
PATH = "/v1/projects/my-project/locations/europe-west4/publishers/google/models/gemini-3.5-flash-lite:generateContent"


class Vertex(FakeLLM):
    """Vertex AI, and Google's place for tokens beside it."""

    def __init__(self, status: int = 200, token_status: int = 200) -> None:
        super().__init__(misbehave=self._vertex)
        self.status, self.token_status, self.location = status, token_status, ""
        self.seen: list[tuple[str, str, dict[str, Any]]] = []

    async def _vertex(self, server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        if request.path == "/token":
            if self.token_status != 200:
                return web.json_response({"error": "invalid_grant", "error_description": "gone"}, status=400)
            return web.json_response({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        self.seen.append((request.path, request.headers.get("Authorization", ""), json.loads(raw)))
        if self.status != 200:
            error = {"code": self.status, "message": f"no: {TOKEN}", "status": "PERMISSION_DENIED"}
            return web.json_response({"error": error}, status=self.status, headers={"Location": self.location})
        found = self._gemini(raw.decode())
        shown = [{"token": "B", "logProbability": -0.25}, {"token": "A", "logProbability": -1.75}]
        found["candidates"][0]["logprobsResult"] = {"topCandidates": [{"candidates": shown}]}
        return web.json_response(found)


@pytest.fixture
def vertex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vertex]:
    """The server; the environment has a service account's key that asks it for tokens."""
    with Vertex() as server:
        _put_credentials(server, tmp_path, monkeypatch)
        yield server


def _put_credentials(server: FakeLLM, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    account = {
        "type": "service_account",
        "project_id": "my-project",
        "client_email": "mtpa@my-project.iam.example",
        "private_key": key.decode(),
        "token_uri": server.url.replace("/v1", "/token"),
    }
    path = folder / "credentials.json"
    path.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key-of-the-other-api")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)


def table(url: str, **changes: Any) -> dict[str, Any]:
    place = {"project": "my-project", "location": "europe-west4"}
    free = {"input": 0.0, "output": 0.0}
    named = {"name": "m", "backend": "gemini", "id": "gemini-3.5-flash-lite", "price": free, "endpoint": place}
    return {
        **named,
        "base_urls": [url.removesuffix("/v1")],
        "answer": "probabilities",
        "baseline_replicates": 1,
        **changes,
    }


async def test_letters_have_probabilities_through_vertex(vertex: Vertex, tmp_path: Path) -> None:
    state = await run(load(tmp_path, [table(vertex.url)], n=1, groups=2))
    assert state.exit_code == 0, state.remarks
    assert {(path, authorised) for path, authorised, _ in vertex.seen} == {(PATH, f"Bearer {TOKEN}")}
    config = vertex.seen[-1][2]["generationConfig"]
    assert config["responseLogprobs"] and config["logprobs"] == 20
    assert rows(tmp_path, "SELECT count(*), count(mass), min(mass) FROM completion") == [
        (4, 4, pytest.approx(0.952575))
    ]
    assert all("a-key-of-the-other-api" not in json.dumps(body) for _, _, body in vertex.seen)


@pytest.mark.parametrize("fault", ["refused", "no token"])
async def test_what_is_refused_stops_the_model_and_no_token_is_written(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vertex(403 if fault == "refused" else 200, 400 if fault == "no token" else 200) as server:
        _put_credentials(server, tmp_path, monkeypatch)
        state = await run(load(tmp_path, [table(server.url)], n=1, groups=2))
    assert state.exit_code != 0
    said = " ".join(
        [*state.remarks, *(row[0] for row in rows(tmp_path, "SELECT message FROM failure")), str(vars(state))]
    )
    assert TOKEN not in said
    assert ("gave no access token" if fault == "no token" else "no: ") in said
    assert TOKEN.encode() not in (tmp_path / "study.sqlite").read_bytes()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_token_follows_no_redirect(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeLLM() as elsewhere, Vertex(status) as server:
        server.location = f"http://127.0.0.1:{elsewhere.port}{PATH}"
        _put_credentials(server, tmp_path, monkeypatch)
        state = await run(load(tmp_path, [table(server.url)], n=1, groups=2))
        assert elsewhere.requests == elsewhere.looks == 0
    assert [authorised for _, authorised, _ in server.seen] == [f"Bearer {TOKEN}"]
    assert "redirects to" in state.stopped["m"]


def test_without_credentials_a_sentence_says_where_to_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    section = ModelSection.model_validate(table("http://127.0.0.1:1"))
    with pytest.raises(InputError, match=r"no credentials of Google Cloud.*GOOGLE_APPLICATION_CREDENTIALS"):
        GeminiBackend(section, lambda headers: None)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_a_token_goes_to_google_and_nowhere_else_unasked(location: str, host: str) -> None:
    own = table("", base_urls=[], endpoint={"project": "p", "location": location})
    section = ModelSection.model_validate(own)
    assert endpoints(section) == (f"https://{host}",) and unfamiliar(section) == []
    elsewhere = ModelSection.model_validate({**own, "base_urls": ["https://gateway.example"]})
    assert [str(each) for each in unfamiliar(elsewhere)] == [
        "GOOGLE_APPLICATION_CREDENTIALS to https://gateway.example"
    ]


def test_log_probabilities_are_not_warned_of() -> None:
    through = ModelSection.model_validate(table("http://127.0.0.1:1"))
    assert without_probabilities(through) == []
    assert without_probabilities(through.model_copy(update={"endpoint": ModelSection.model_fields["endpoint"].default}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": "batch"}, "no batches through Vertex AI"),
        ({"key_env": "GEMINI_API_KEY"}, "leave key_env out"),
        ({"endpoint": {"location": "eu"}}, "set endpoint.project too"),
        ({"endpoint": {"project": "p/q"}}, "endpoint"),
        ({"backend": "openai"}, "endpoint.location is for backend = 'gemini'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ModelSection.model_validate(table("http://127.0.0.1:1", **changes))


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        ({"candidates": [{"finishReason": "TOO_MANY_TOOL_CALLS"}]}, BrokenOff),
        ({"candidates": [{"content": {"parts": [{"text": "A"}]}, "finishReason": "NOVA"}]}, BrokenOff),
        ({"error": {"code": 429, "message": "later", "status": "RESOURCE_EXHAUSTED"}}, Transient),
        ({"candidates": []}, Transient),
    ],
)
def test_what_gemini_sends_instead_of_an_answer_is_a_failure(odd: dict[str, object], kind: type) -> None:
    with pytest.raises(kind):
        read_gemini({**odd, "usageMetadata": {"promptTokenCount": 9}}, Request(b"", (), {}, "text", ()), 0)


def test_a_wrong_kind_of_value_is_a_sentence_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    section = ModelSection(name="m", backend="gemini", id="m", decoding={"thinking_config": {"thinking_budget": "all"}})
    with pytest.raises(InputError, match=r"decoding.thinking_config.thinking_budget"):
        GeminiBackend(section, lambda headers: None)

"""Restricted survey text leaves the machine only after an acknowledgement."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model, rows

from personas.errors import InputError
from runner.engine.run import run
from runner.study.config import Study
from runner.study.sections import ModelSection
from runner.study.sources import load_personas

FREE = {"input": 0.0, "output": 0.0}


@pytest.fixture
def restricted(monkeypatch: pytest.MonkeyPatch) -> None:
    def people(study: Study, rule: int) -> object:
        found = load_personas(study, rule)
        sources = {name: replace(each, restricted=True, licence="for my eyes") for name, each in found.sources.items()}
        return replace(found, sources=sources)

    monkeypatch.setattr("runner.crossing.prepare.load_personas", people)


@pytest.mark.usefixtures("restricted")
async def test_restricted_answers_are_sent_away_only_after_an_acknowledgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.study.sections.is_loopback", lambda host: False)
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url, unpriced="allow")])
        with pytest.raises(InputError, match="for my eyes"):
            await run(study)
        assert server.requests == 0
        await run(study, acknowledge=True)
        state = await run(study)
    assert (server.requests, state.sent) == (50, 0)
    assert rows(tmp_path, "SELECT survey, licence FROM acknowledgement") == [("starter_wvs3", "for my eyes")]


@pytest.mark.usefixtures("restricted")
async def test_an_endpoint_on_this_machine_needs_none(tmp_path: Path) -> None:
    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url)]))
    assert server.requests == 50


async def test_a_sampling_parameter_is_left_out_only_where_somebody_agreed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with FakeLLM() as server:
        decoding = {"top_p": 0.5, "max_tokens": 2048}
        table = model(server.url, backend="openai", id="gpt-6-astra", price=FREE, decoding=decoding)
        with pytest.raises(InputError, match="takes no top_p"):
            await run(load(tmp_path, [table], n=1, groups=2))
        assert server.requests == 0
        await run(load(tmp_path, [{**table, "allow_dropped": ["top_p"]}], n=1, groups=2))
        assert not any("top_p" in body for body in server.bodies)
        sent = server.requests
        assert sent > 0
        await run(load(tmp_path, [table], n=1, groups=2))  # it has answers, and stays as it was asked
        assert server.requests == sent


@pytest.mark.parametrize(
    ("backend", "urls", "away"),
    [
        ("local", (), False),
        ("openai", (), True),
        ("gemini", (), True),
        ("openai-compatible", ("http://127.0.0.1:8000/v1", "http://localhost:1/v1", "http://[::1]:2/v1"), False),
        ("openai-compatible", ("http://127.0.0.1:8000/v1", "http://example.org/v1"), True),
        ("openai-compatible", ("http://127.0.0.1.example.org/v1",), True),
    ],
)
def test_what_leaves_the_machine(backend: str, urls: tuple[str, ...], away: bool) -> None:
    section = ModelSection(name="m", backend=backend, id="m", base_urls=urls)  # type: ignore[arg-type]
    assert section.leaves_machine is away

"""Persona texts embedded by an endpoint in OpenAI's shape."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, write_study
from typer.testing import CliRunner

from personas.errors import InputError, MachineError
from runner.cli.app import app
from runner.results.coherence import study_coherence
from runner.study.config import Study


def words(text: str) -> list[float]:
    """A text as the sum of a random direction a word: texts that share words are near."""
    seeds = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") for word in text.split()]
    return [float(each) for each in sum(np.random.default_rng(seed).normal(size=32) for seed in seeds)]


async def embeddings(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
    assert request.path == "/v1/embeddings"
    body = json.loads(raw)
    assert body["model"] == "fake" and len(body["input"]) <= 16
    data = [{"object": "embedding", "index": n, "embedding": words(text)} for n, text in enumerate(body["input"])]
    return web.json_response({"object": "list", "data": data[::-1], "model": "fake"})


def test_texts_that_tell_alike_are_near(tmp_path: Path) -> None:
    with FakeLLM(misbehave=embeddings) as server:
        path = write_study(tmp_path, [model(server.url)], n=40, variants={"formats": ["prose", "bullets"]})
        result = CliRunner().invoke(app, ["--study", str(path), "coherence", "--people", "30", "--csv"])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "study.coherence.csv")
    assert list(table["format"]) == ["prose", "bullets"] and set(table["personas"]) == {30}
    assert (table["correlation"] > 0.3).all() and (table["p"] <= 0.01).all() and (table["shuffled"].abs() < 0.1).all()
    assert server.requests == 4  # 60 texts, 16 together


def test_groups_that_answer_alike_are_embedded_alike_though_nothing_is_told_of_their_answers(tmp_path: Path) -> None:
    """Age bands of the GSS; the neighbouring ones read alike, and answer alike."""
    asked = [f"starter_gss2018:{name}" for name in ("polviews", "natenvir", "natsoc", "natheal")]
    tables = {
        "study": {"name": "f", "database": "study.sqlite"},
        "personas": {"sources": ["starter_gss2018"], "n": 120, "stratify": ["age_band"], "allocation": "equal"},
        "variants": {"traits": ["all"]},
        "fidelity": {"ask": asked},
        "report": {"by": ["age_band", "gender"]},
    }
    with FakeLLM(misbehave=embeddings) as server:
        study = Study.from_dict({**tables, "models": [model(server.url)]}, tmp_path / "f.toml")
        table = asyncio.run(study_coherence(study, None, 120, False))
    shown, people, ages, genders = table.to_dict("records")
    assert (shown["compared"], people["compared"]) == ("traits shown", "answers asked")
    assert shown["shown"] != people["shown"] and people["traits"] == 4
    assert ages["compared"] == "answers asked, 6 levels of age_band" and -1 <= ages["correlation"] <= 1
    assert 90 < ages["personas"] < 120 and np.isnan(genders["correlation"])  # two levels are too few
    assert shown["correlation"] > people["correlation"]


HOSTILE: dict[str, Any] = {
    "too few": {"data": [{"index": 0, "embedding": [1.0]}]},
    "no list": {"data": {"a": 1}},
    "not numbers": {"data": [{"index": n, "embedding": ["x"]} for n in range(5)]},
    "nan": {"data": [{"index": n, "embedding": [float("nan")]} for n in range(5)]},
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_is_no_embedding_is_a_sentence(kind: str, tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return web.json_response(HOSTILE[kind])

    with FakeLLM(misbehave=misbehave) as server:
        study = load(tmp_path, [model(server.url)], n=5)
        with pytest.raises(MachineError, match="did not answer with one embedding a text"):
            await study_coherence(study, None, 5, False)


async def test_who_cannot_embed_is_said(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return web.Response(status=404, text="no such path")

    with FakeLLM(misbehave=misbehave) as server:
        priced = model(server.url, name="priced", id="p", price={"input": 1.0, "output": 1.0})
        study = load(tmp_path, [model(server.url), priced], n=5)
        with pytest.raises(MachineError, match="gives no embeddings: HTTP 404"):
            await study_coherence(study, "fake", 5, False)
    with pytest.raises(InputError, match="did you mean 'fake'"):
        await study_coherence(study, "fak", 5, False)
    with pytest.raises(InputError, match="do not count against a budget"):
        await study_coherence(study, "priced", 5, False)

"""Answers that a judge settles: the judge's requests are requests like any other."""

import json
import zlib
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import model, rows, write_study

from personas.errors import InputError
from runner.engine.run import rescore, run
from runner.study.config import Study


def judged_study(folder: Path, url: str, **changes: object) -> Study:
    judge = model(url, name="judge", id="judge-1", **changes)
    path = write_study(folder, [model(url, id="asked", decoding={"max_tokens": 64}), judge], n=2)
    judged = 'name = "truthfulqa_v0"\npart = "generation"\njudge = "judge"'
    text = path.read_text().replace('name = "crows_pairs"\npart = "choice"', judged)
    path.write_text(text)
    return Study.load(path)


async def answer(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
    body = json.loads(raw)
    if body["model"] == "asked":
        message = {"role": "assistant", "content": f"An answer to {zlib.crc32(raw)}"}
        return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}], "model": "asked"})
    return None


async def test_each_answer_is_judged_once_and_kept(tmp_path: Path) -> None:
    with FakeLLM(misbehave=answer, model="judge-1") as server:
        study = judged_study(tmp_path, server.url)
        state = await run(study)
        assert state.exit_code == 0
        assert server.requests == 60
        assert rows(tmp_path, "SELECT status, count(*) FROM score WHERE value IS NOT NULL GROUP BY 1") == [("ok", 30)]
        ours = "SELECT count(*) FROM score JOIN completion c ON c.id = completion WHERE c.answer LIKE 'An answer to%'"
        assert rows(tmp_path, ours) == [(30,)]
        assert (await run(study)).sent == 0
        before = rows(tmp_path, "SELECT model, item, persona, value FROM score ORDER BY 1, 2, 3")
        assert (await rescore(study)).sent == 0
        assert rows(tmp_path, "SELECT model, item, persona, value FROM score ORDER BY 1, 2, 3") == before
    assert server.repeats == 0


async def test_a_judge_is_asked_as_its_endpoint_wants(tmp_path: Path) -> None:
    async def odd(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        body = json.loads(raw)
        if body["model"] == "judge-1" and "max_tokens" in body:
            return web.json_response({"error": {"message": "'max_tokens' is not supported"}}, status=400)
        return await answer(server, request, raw)

    with FakeLLM(misbehave=odd, model="judge-1") as server:
        study = judged_study(tmp_path, server.url)
        state = await run(study)
        assert (state.exit_code, server.requests) == (0, 61)
        assert (await run(study)).sent == 0
    assert rows(tmp_path, "SELECT count(*) FROM score WHERE status = 'ok'") == [(30,)]


async def test_what_is_pending_is_judged_by_the_next_run_and_not_asked_again(tmp_path: Path) -> None:
    async def no_judge(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        if json.loads(raw)["model"] == "judge-1":
            return web.json_response({"error": {"message": "no key"}}, status=401)
        return await answer(server, request, raw)

    with FakeLLM(misbehave=no_judge, model="judge-1") as server:
        study = judged_study(tmp_path, server.url, concurrency=1)
        state = await run(study)
        assert state.exit_code == 3
        assert "no key" in state.stopped["judge"]
        assert rows(tmp_path, "SELECT status, count(*) FROM score GROUP BY 1") == [("pending", 30)]
        server.misbehave = answer
        state = await run(study)
    assert (state.exit_code, state.sent) == (0, 30)
    assert rows(tmp_path, "SELECT status, count(*) FROM score GROUP BY 1") == [("ok", 30)]


def test_a_judge_must_be_named_and_known(tmp_path: Path) -> None:
    path = write_study(tmp_path, [model("http://x")])
    path.write_text(path.read_text().replace('"crows_pairs"', '"crows_pairs"\njudge = "nobody"'))
    with pytest.raises(InputError, match="no model is named 'nobody'"):
        Study.load(path)
    path.write_text(path.read_text().replace('"nobody"', '"fake"'))
    with pytest.raises(InputError, match="every model is a judge"):
        Study.load(path)

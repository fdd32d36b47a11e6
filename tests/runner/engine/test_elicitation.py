"""Ways of asking for an answer through the engine: what is sent, read, kept, and reported."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import inspect_ai.log as inspect_log
import numpy as np
import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import model, rows, write_study

from personas.errors import InputError
from runner.crossing.prepare import prepared
from runner.engine.run import rescore, run
from runner.planning.explain import explain
from runner.planning.plan import plan
from runner.results.study_report import study_findings
from runner.sharing.inspect_logs import write_inspect_logs
from runner.store.database import opened
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study
from runner.view.queries.trial import opened as opened_trial
from runner.view.queries.trial_table import Place, TrialFilter
from scoring.answers.items import INSTRUCTIONS, elicitation_of

ALL = list(INSTRUCTIONS)


def in_form(text: str, letter: str) -> str:
    """The letter's answer in the form that a question asks for."""
    options = [line for line in text.splitlines() if line.startswith("- ")]
    return {
        "letter": letter,
        "text": options["AB".index(letter)].removeprefix("- ") if options else "",
        "json": json.dumps({"answer": letter}),
        "probability": "A: 80 %\nB: 20 %" if letter == "A" else "A: 20 %\nB: 80 %",
        "reasoning": f"One of the two it must be.\n{letter}",
    }[elicitation_of(text)]


async def answer(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse:
    text = json.loads(raw)["messages"][-1]["content"]
    # by what the forms of one question share, so that every form has the same answer
    letter = "AB"[sum(text.split("\n- ")[0].split("\nA. ")[0].encode()) % 2]
    message = {"role": "assistant", "content": in_form(text, letter)}
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return web.json_response({"choices": [choice], "model": "fake", "usage": usage})


@pytest.fixture(scope="module")
def server() -> Iterator[FakeLLM]:
    with FakeLLM(misbehave=answer) as server:
        yield server


def study_of(folder: Path, server: FakeLLM, elicitation: list[str], **changes: Any) -> Study:
    table = model(server.url, **{"decoding": {"max_tokens": 3, "temperature": 0}, **changes})
    variants = {"elicitation": elicitation, "reasoning_tokens": 200}
    return Study.load(write_study(folder, [table], n=6, groups=8, variants=variants))


async def test_each_way_has_its_own_baseline_and_the_letters_stay_as_they_were(server: FakeLLM, tmp_path: Path) -> None:
    alone = Study.load(write_study(tmp_path, [model(server.url, decoding={"max_tokens": 3, "temperature": 0})], 6, 8))
    first = await run(alone)
    before = rows(tmp_path, "SELECT key FROM completion ORDER BY key")
    study = study_of(tmp_path, server, ALL)
    with prepared(study) as ready:
        planned = {row.benchmark: row for row in plan(ready).rows}
    state = await run(study)
    assert (
        state.sent == 4 * first.sent and state.total("hits") == first.sent
    )  # what a letter answered is not sent again
    assert set(before) < set(rows(tmp_path, "SELECT key FROM completion"))
    scores = load_scores(study.database, last_selection(study.database))
    labels = {name: f"crows_pairs:choice [{name}]" for name in ALL if name != "letter"} | {
        "letter": "crows_pairs:choice"
    }
    assert Counter(map(str, scores["benchmark"])) == dict.fromkeys(labels.values(), first.sent)
    assert set(planned) == set(labels.values()) and planned[labels["reasoning"]].output_tokens_high == 200 * first.sent
    assert (scores["status"] == "ok").all()
    effects = study_findings(study).effects
    whole = effects[(effects["attribute"] == "all") & (effects["measure"] == "value")].set_index("benchmark")
    letter = whole.loc[labels["letter"]]
    for name in ("text", "json", "reasoning"):
        assert whole.loc[labels[name], "effect"] == pytest.approx(letter["effect"])
        assert whole.loc[labels[name], "without"] == pytest.approx(letter["without"])
    assert whole.loc[labels["probability"], "effect"] == pytest.approx(0.6 * letter["effect"])  # 80 against 20
    assert whole["metric"].to_dict()[labels["text"]] == "option's text"
    assert (await run(study)).sent == 0


async def test_the_report_compares_the_ways(server: FakeLLM, tmp_path: Path) -> None:
    study = study_of(tmp_path, server, ["letter", "json", "probability"])
    await run(study)
    table = study_findings(study).tables["ways"].set_index("way")
    assert list(table.index) == ["letter", "json", "probability"] and set(table["axis"]) == {"elicitation"}
    assert set(table["benchmark"]) == {"crows_pairs:choice"} and np.isnan(table.loc["letter", "difference"])
    assert table.loc["json", "difference"] == pytest.approx(0)
    effect = table.loc["letter", "effect"]
    assert table.loc["probability", "difference"] == pytest.approx(0.6 * effect - effect)
    assert table.loc["probability", "metric"] == "stated probabilities"


async def test_every_trial_opens_with_the_messages_that_its_key_is_of(server: FakeLLM, tmp_path: Path) -> None:
    study = study_of(tmp_path, server, ALL)
    await run(study)
    with opened(study.database) as connection:
        places = connection.execute(
            "SELECT model, persona, variant, item, rotation, replicate FROM score WHERE persona > 0 GROUP BY item"
        ).fetchall()
    seen = set()
    for place in places:
        with opened(study.database) as connection:
            trial = opened_trial(connection, Place(*place))
        assert trial.matches and trial.without is not None
        seen.add(trial.benchmark)
    assert seen == {"crows_pairs:choice", *(f"crows_pairs:choice [{name}]" for name in ALL if name != "letter")}
    with prepared(study) as ready:
        for asked in list(ready.crossing.trials(ready.crossing.models[0]))[:40]:
            found = explain(ready, asked.request.key.hex())
            assert found.cached and found.key == asked.request.key.hex()


async def test_what_cannot_be_read_is_counted_and_read_again_from_the_file_alone(tmp_path: Path) -> None:
    async def rambles(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse:
        message = {"role": "assistant", "content": "I would say that A: 70 %, more or less."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "model": "fake", "usage": {"total_tokens": 9}})

    with FakeLLM(misbehave=rambles) as server:
        study = study_of(tmp_path, server, ["text", "json", "probability", "reasoning"])
        await run(study, pilot=False)
        assert rows(tmp_path, "SELECT DISTINCT status, value FROM score") == [("unparsed", None)]
        assert (await rescore(study)).sent == 0
    table = study_findings(study).tables["validity"]
    assert (table["unparsed_with"] == 1).all() and len(table) >= 4


async def test_a_person_who_is_dealt_some_groups_is_asked_them_in_every_way(server: FakeLLM, tmp_path: Path) -> None:
    path = study_of(tmp_path, server, ["letter", "json"]).path
    path.write_text(path.read_text().replace("groups = 8\n", "groups = 8\nper_person = 3\n"))
    study = Study.load(path)
    state = await run(study)
    assert state.total("planned") == 2 * (8 + 6 * 3)
    scores = load_scores(study.database, last_selection(study.database))
    people = scores[scores["persona_id"] != ""]
    asked = people.groupby(["persona_id", "benchmark"], observed=True)["group"].agg(lambda names: tuple(sorted(names)))
    assert (asked.unstack().nunique(axis=1) == 1).all() and len(scores) == state.total("planned")
    assert study_findings(study).about.get("incomplete", "") == ""


async def test_an_endpoint_that_takes_no_schema_stops_the_model_with_a_sentence(tmp_path: Path) -> None:
    async def refuses(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        if "response_format" in json.loads(raw):
            return web.json_response({"error": {"message": "'response_format' is not supported"}}, status=400)
        return await answer(server, request, raw)

    with FakeLLM(misbehave=refuses) as server:
        state = await run(study_of(tmp_path, server, ["letter", "json"], concurrency=1))
    assert "'response_format' is not supported" in state.stopped["fake"]


def test_a_model_without_structured_outputs_is_refused_before_anything_is_asked(
    server: FakeLLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    study = study_of(tmp_path, server, ["json"], backend="openai", id="gpt-4-turbo", base_urls=[])
    with pytest.raises(InputError, match=r"'fake': gpt-4-turbo has no structured outputs"), prepared(study):
        pass


def test_a_way_that_is_named_twice_is_refused(server: FakeLLM, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names a way of answering twice"):
        study_of(tmp_path, server, ["json", "json"])


async def test_the_cues_have_a_row_each_and_those_who_read_a_name_are_a_cluster(
    server: FakeLLM, tmp_path: Path
) -> None:
    variants = {
        "cues": ["description", "interview", "memory", "name"], "frames": ["role", "user"], "system": "Be helpful.",
    }  # fmt: skip
    table = model(server.url, decoding={"max_tokens": 3, "temperature": 0})
    path = write_study(tmp_path, [table], n=30, groups=6, variants=variants)
    path.write_text(path.read_text().replace("n = 30", 'n = 30\nwhere = { country = ["USA"] }'))
    study = Study.load(path)
    await run(study)
    scores = load_scores(study.database, last_selection(study.database))
    people = scores[scores["persona_id"] != ""]
    asked = people[["format", "frame", "placement"]].drop_duplicates().astype(str)
    assert sorted(map(tuple, asked.to_numpy())) == [
        ("interview", "role", "prompt"), ("interview", "user", "prompt"), ("memory", "user", "system"),
        ("name", "role", "prompt"), ("name", "user", "prompt"),
        ("prose", "role", "prompt"), ("prose", "user", "prompt"),
    ]  # fmt: skip
    texts = dict(
        rows(
            tmp_path,
            "SELECT p.persona_id, min(t.text) FROM score s JOIN persona p ON p.id = s.persona JOIN variant v ON "
            "v.id = s.variant JOIN completion c ON c.id = s.completion JOIN text t ON t.id = c.persona_text "
            "WHERE v.format = 'name' AND v.frame = 'role' GROUP BY 1",
        )
    )
    ways = study_findings(study).tables["ways"].set_index("way")
    assert list(ways.index) == ["prose", "interview", "memory", "name"] and set(ways["axis"]) == {"cue"}
    traits = dict(rows(tmp_path, "SELECT persona_id, cluster FROM persona"))
    assert ways.loc["name", "clusters"] == len(set(texts.values())) < ways.loc["prose", "clusters"]
    assert ways.loc["prose", "clusters"] == len(set(traits.values()))
    assert (ways["without"] == ways["without"].iloc[0]).all()
    for way in ("interview", "memory", "name"):
        row = ways.loc[way]
        assert row["difference"] == pytest.approx(row["effect"] - ways.loc["prose", "effect"])
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    # all cues together: whoever reads the same by any of them is one cluster in all
    pooled = people.drop_duplicates("persona_id").set_index("persona_id")["cluster"].astype(str)
    for read in (texts, traits):
        assert pooled.groupby(pooled.index.astype(str).map(read)).nunique().eq(1).all()
    assert study_findings(study).effects["clusters"].max() == pooled.nunique() > 1


def test_a_name_needs_a_list_and_a_memory_a_system_text(server: FakeLLM, tmp_path: Path) -> None:
    table = model(server.url)
    study = Study.load(write_study(tmp_path, [table], n=60, variants={"cues": ["name"]}))
    with pytest.raises(InputError, match='"name" has no list of names of Sweden'), prepared(study):
        pass
    with pytest.raises(InputError, match="cues 'memory' needs a system text"):
        Study.load(write_study(tmp_path, [table], variants={"cues": ["memory"]}))


async def test_the_page_and_the_exports_keep_the_ways_apart(server: FakeLLM, tmp_path: Path) -> None:
    study = study_of(tmp_path, server, ["letter", "json"])
    state = await run(study)
    counted = {}
    with opened(study.database) as connection:
        for wanted in ("crows_pairs", "crows_pairs:choice [json]", "crows_pairs:choice [letter]"):
            condition, values = TrialFilter(benchmark=wanted).condition()
            (counted[wanted],) = connection.execute(f"SELECT count(*) FROM score AS t WHERE {condition}", values)
    whole = state.total("planned")
    assert [count for (count,) in counted.values()] == [whole, whole // 2, whole // 2]
    logs = write_inspect_logs(study.database, tmp_path / "logs", study.study, share=True)
    samples = 0
    for path in logs:
        log = inspect_log.read_eval_log(str(path))
        assert len({(each.id, each.epoch) for each in log.samples}) == len(log.samples)
        forms = {elicitation_of(each.input[-1].text) for each in log.samples}
        assert forms == {"json"} if "json" in log.eval.task.split("-") else {"letter"}
        samples += len(log.samples)
    assert samples == whole

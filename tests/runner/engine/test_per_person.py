"""Incomplete balanced crossing through the engine: what is sent, planned, reported, sharded, and extended."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import model, rows, write_study

from personas.errors import InputError
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import plan
from runner.results.study_report import study_findings
from runner.store.completeness import of_scores
from runner.store.merge import merge
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study


@pytest.fixture(scope="module")
def server() -> Iterator[FakeLLM]:
    with FakeLLM() as server:
        yield server


def study_of(folder: Path, server: FakeLLM, per_person: int, n: int = 20, **changes: object) -> Study:
    folder.mkdir(exist_ok=True)
    path = write_study(folder, [model(server.url, concurrency=8)], n=n, groups=8, **changes)
    path.write_text(path.read_text().replace("groups = 8\n", f"groups = 8\nper_person = {per_person}\n"))
    return Study.load(path)


async def test_each_person_is_asked_a_balanced_part_and_more_asks_only_what_is_new(
    server: FakeLLM, tmp_path: Path
) -> None:
    variants = {"formats": ["prose", "bullets"], "neutral": True}
    study = study_of(tmp_path, server, 3, variants=variants)
    with prepared(study) as ready:
        (row,) = plan(ready).rows
    state = await run(study)
    assert state.total("planned") == row.trials == 8 + 20 * (2 * 3 + 8) == state.total("done")
    scores = load_scores(study.database, last_selection(study.database))
    assert of_scores(study.database, scores).sentence == ""
    told = scores[(scores["persona_id"] != "") & (scores["format"] == "prose")]
    assert set(told.groupby("persona_id", observed=True)["group"].nunique()) == {3}
    counts = told["group"].astype(str).value_counts()
    assert len(counts) == 8 and counts.max() - counts.min() <= 2
    assert set(scores[scores["format"] == "neutral"].groupby("persona_id", observed=True)["group"].nunique()) == {8}
    effects = study_findings(study).effects
    assert (effects["items"].max(), effects["personas"].max()) == (8, 20)

    more = study_of(tmp_path, server, 4, n=30, variants=variants)  # more people, and more of each
    state = await run(more)
    assert state.total("hits") >= row.trials  # nothing that was answered is left out, or asked again
    assert state.total("planned") == 8 + 30 * (2 * 4 + 8)
    fewer = study_of(tmp_path, server, 3, variants=variants)
    assert (await run(fewer)).sent == 0
    assert len(load_scores(fewer.database, last_selection(fewer.database))) == row.trials
    assert len(study_findings(fewer).tables["effects"]) and of_scores(fewer.database, scores).is_whole


async def test_shards_are_parts_of_the_same_crossing(server: FakeLLM, tmp_path: Path) -> None:
    whole = study_of(tmp_path / "whole", server, 3)
    await run(whole)
    study = study_of(tmp_path / "parts", server, 3)
    parts = [study.part(f"{number}/2") for number in (1, 2)]
    for part in reversed(parts):  # the part that is merged first started last
        await run(part)
        scores = load_scores(part.database, last_selection(part.database))
        assert of_scores(part.database, scores).sentence == ""
    merge([parts[0].database], study.database)
    scores = load_scores(study.database, last_selection(study.database))
    assert "not merged yet: part 2/2" in of_scores(study.database, scores).sentence
    merge([part.database for part in parts], study.database)
    trials = [
        Counter(map(tuple, load_scores(each.database, last_selection(each.database))[["persona_id", "item_id"]].values))
        for each in (whole, study)
    ]
    assert trials[0] == trials[1]
    scores = load_scores(study.database, last_selection(study.database))
    assert of_scores(study.database, scores).sentence == ""


def test_every_prefix_of_every_shard_is_balanced(server: FakeLLM, tmp_path: Path) -> None:
    study = Study.load(write_study(tmp_path, [model(server.url)], n=60, groups=1))
    asked = []
    for number in (1, 2, 3):
        with prepared(study.part(f"{number}/3")) as ready:
            countries = [persona.country for _, persona in ready.crossing.in_order]
            trials = ready.crossing.trials(ready.crossing.models[0])
            asked += list(dict.fromkeys(each.persona.persona_id for each in trials if each.persona))
        share = Counter(countries)
        for prefix in range(1, len(countries) + 1):
            here = Counter(countries[:prefix])
            assert all(abs(here[name] - prefix * each / len(countries)) < 1 for name, each in share.items())
    assert len(asked) == len(set(asked)) == 60


async def test_a_target_takes_the_rounds_of_what_each_person_is_dealt(server: FakeLLM, tmp_path: Path) -> None:
    study = study_of(tmp_path, server, 6, n=16, target={"half_width": 0.001, "rounds": 3})
    state = await run(study)
    assert state.total("done") == 8 + 16 * 6 == state.total("planned")
    (row,) = study_findings(study).tables["target"].to_dict("records")
    assert (row["asked"], row["rounds"], row["outcome"]) == (3, 3, "everything asked")
    assert (await run(study)).sent == 0


def test_more_groups_a_person_than_there_are_is_a_sentence(server: FakeLLM, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="per_person = 9, but groups = 8"):
        study_of(tmp_path, server, 9)


async def test_models_keep_step(tmp_path: Path) -> None:
    """Where the budget ends the run, a slow model was asked of about as many people as a fast one."""
    with FakeLLM(latency=0.05, model="slow") as slow, FakeLLM(model="fast") as fast:
        price = {"input": 1.0, "output": 1.0}
        models = [
            model(server.url, name=name, id=name, concurrency=2, price=price)
            for name, server in (("fast", fast), ("slow", slow))
        ]
        folder = tmp_path
        study = Study.load(write_study(folder, models, n=60, groups=4, budget={"usd": 0.02, "confirm_above": 9}))
        state = await run(study, pilot=False)
    assert state.exit_code == 4
    found = rows(folder, "SELECT model, count(DISTINCT persona) FROM score WHERE persona GROUP BY 1")
    assert len(found) == 2 and abs(found[0][1] - found[1][1]) <= 8, found

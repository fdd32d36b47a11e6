"""Random profiles through the engine: who is told what beside which items, planned, resumed, sharded, and extended."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model

from personas.errors import InputError
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import plan
from runner.store.completeness import of_scores
from runner.store.merge import merge
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study

KEYS = ["persona_id", "item_id", "format", "told"]


@pytest.fixture(scope="module")
def server() -> Iterator[FakeLLM]:
    with FakeLLM() as server:
        yield server


def study_of(folder: Path, server: FakeLLM, show: str = "random:3", n: int = 12, groups: int = 8) -> Study:
    folder.mkdir(exist_ok=True)
    path = load(folder, [model(server.url, concurrency=8)], n=n, groups=groups, variants={"neutral": True}).path
    path.write_text(
        path.read_text().replace(f"n = {n}\n", f'n = {n}\nshow = "{show}"\nprofiles = 2\nswap = ["gender"]\n')
    )
    return Study.load(path)


async def test_every_group_stands_beside_one_profile_and_more_people_or_groups_ask_only_what_is_new(
    server: FakeLLM, tmp_path: Path
) -> None:
    study = study_of(tmp_path, server)
    with prepared(study) as ready:
        (row,) = plan(ready).rows
    state = await run(study)
    scores = load_scores(study.database, last_selection(study.database))
    assert len(scores) == row.trials == state.total("done") and of_scores(study.database, scores).sentence == ""
    people = scores[(scores["persona_id"] != "") & (scores["format"] == "prose")]
    twins = people["persona_id"].astype(str).str.contains("~")
    own = people[~twins]
    assert len(own) == 12 * 8 and set(own["traits"]) == {"3 of 6 traits at random"}
    sizes = own.groupby(["persona_id", "told"], observed=True)["group"].nunique()
    assert set(sizes) == {4}  # of two profiles each stands beside half of the groups
    told = own.drop_duplicates(["persona_id", "told"])["told"].astype(str).str.split(", ").explode()
    assert told.value_counts().max() <= 12  # every trait in one of everybody's two profiles
    assert people[twins]["told"].astype(str).str.contains("gender").all()  # a twin that reads the same is not asked
    assert 0 < twins.sum() < 12 * 8

    again = load_scores(study.database, last_selection(study.database))[KEYS]
    more = study_of(tmp_path, server, n=16, groups=10)
    assert (await run(more)).total("hits") >= row.trials
    other = study_of(tmp_path, server, "random:2")
    assert (await run(other)).sent > 0
    assert (await run(study_of(tmp_path, server))).sent == 0
    assert load_scores(study.database, last_selection(study.database))[KEYS].equals(again)


async def test_shards_merge_to_the_same_profiles(server: FakeLLM, tmp_path: Path) -> None:
    whole, study = study_of(tmp_path / "whole", server), study_of(tmp_path / "parts", server)
    await run(whole)
    parts = [study.part(f"{number}/2") for number in (2, 1)]
    for part in parts:
        await run(part)
    merge([part.database for part in parts], study.database)
    one, two = (load_scores(each.database, last_selection(each.database))[KEYS].astype(str) for each in (whole, study))
    assert one.sort_values(KEYS).reset_index(drop=True).equals(two.sort_values(KEYS).reset_index(drop=True))


def test_what_cannot_be_told_at_random_is_refused(server: FakeLLM, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="6 traits are chosen"), prepared(study_of(tmp_path, server, "random:6")):
        pass
    with pytest.raises(InputError, match="show"):
        study_of(tmp_path, server, "random:0")

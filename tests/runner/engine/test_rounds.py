"""Runs that end once Δ is known well enough: what is sent, and how an interrupted one goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from interrupted import run_in_pieces
from studies import load, model, rows

from personas.errors import InputError
from runner.engine.run import rescore, run
from runner.results.study_report import study_findings
from runner.study.config import Study

FULL = 41 * 32


@pytest.fixture
def server() -> Iterator[FakeLLM]:
    with FakeLLM(latency=0.001) as server:
        yield server


def study_of(folder: Path, server: FakeLLM, half_width: float = 0.15, **changes: object) -> Study:
    target = {"half_width": half_width, **changes}
    exact = model(server.url, concurrency=8, decoding={"max_tokens": 3, "temperature": 0})
    return load(folder, [exact], n=40, groups=32, target=target)


async def test_it_ends_at_the_target_and_says_so(server: FakeLLM, tmp_path: Path) -> None:
    study = study_of(tmp_path, server)
    state = await run(study)
    assert state.exit_code == 0 and state.left_over == 0
    assert state.total("done") + state.total("spared") == state.total("planned") == FULL
    assert rows(tmp_path, "SELECT count(*) FROM score")[0][0] == state.total("done") < 0.7 * FULL
    found = study_findings(study)
    (row,) = found.tables["target"].to_dict("records")
    assert row["outcome"] == "reached" and row["half_width"] <= 0.15 and row["asked"] < row["rounds"]
    assert 0.95 < row["confidence"] < 0.995
    assert any("all looks together have 95 %" in line for line in found.warnings)
    again = await run(study)
    assert (again.sent, again.total("hits")) == (0, state.total("done"))
    assert (await rescore(study)).sent == 0


async def test_an_interrupted_run_ends_where_a_whole_one_does(server: FakeLLM, tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    await run(study_of(tmp_path / "whole", server))
    sent = server.requests
    study = study_of(tmp_path / "cut", server)
    await run_in_pieces(study, 150)
    assert server.requests == 2 * sent
    chosen = "SELECT persona_id, item_id FROM score JOIN persona ON persona.id = persona JOIN item ON item.id = item"
    assert sorted(rows(tmp_path / "cut", chosen)) == sorted(rows(tmp_path / "whole", chosen))


async def test_levels_that_cannot_be_narrow_are_asked_whole(server: FakeLLM, tmp_path: Path) -> None:
    state = await run(study_of(tmp_path, server, half_width=0.25, by="country", rounds=4))
    sql = """SELECT country, count(DISTINCT cluster), count(DISTINCT persona_id), count(*)
        FROM score JOIN persona ON persona.id = persona GROUP BY country"""
    found = rows(tmp_path, sql)
    assert len(found) == 4 and sum(clusters < 10 for _, clusters, _, _ in found)
    for _, clusters, people, trials in found:
        assert trials == 32 * people if clusters < 10 else trials <= 32 * people
    assert any(trials < 32 * people for _, _, people, trials in found)
    assert "levels of country" in next(iter(state.targets.values()))


def test_an_attribute_that_was_not_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\[target\] by = 'religion' is not in \[report\] by"):
        load(tmp_path, [model("http://127.0.0.1:9/v1")], target={"half_width": 0.1, "by": "religion"})

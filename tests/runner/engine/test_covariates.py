"""A model that is asked a part beside one that is asked everything: what is sent, planned, reported."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import model, write_study

from personas.errors import InputError
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import plan
from runner.results.study_report import study_findings
from runner.store.completeness import of_scores
from runner.store.merge import merge
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study

EXACT = {"max_tokens": 3, "temperature": 0}  # a baseline without noise


@pytest.fixture(scope="module")
def server() -> Iterator[FakeLLM]:
    with FakeLLM() as server:
        yield server


def study_of(folder: Path, server: FakeLLM, asked: int = 12, per_person: int = 3, **keys: object) -> Study:
    folder.mkdir(exist_ok=True)
    dear = model(server.url, name="dear", id="dear", covariate="cheap", people=asked, decoding=EXACT)
    cheap = model(server.url, name="cheap", id="cheap", **keys)
    path = write_study(folder, [dear, cheap], n=24, groups=8)
    path.write_text(path.read_text().replace("groups = 8\n", f"groups = 8\nper_person = {per_person}\n"))
    return Study.load(path)


async def test_the_dear_model_is_asked_a_balanced_part_and_the_cheap_one_everything(
    server: FakeLLM, tmp_path: Path
) -> None:
    study = study_of(tmp_path, server)
    with prepared(study) as ready:
        dear, cheap = plan(ready).rows
    assert (dear.trials, cheap.trials) == (8 + 12 * 3, 8 + 24 * 8)
    state = await run(study)
    assert state.total("planned") == dear.trials + cheap.trials == state.total("done")
    scores = load_scores(study.database, last_selection(study.database))
    assert of_scores(study.database, scores).sentence == ""
    told = scores[(scores["persona_id"] != "") & (scores["model"] == "dear")]
    counts = told["group"].astype(str).value_counts()
    assert told["persona_id"].nunique() == 12 and len(counts) == 8 and counts.max() - counts.min() <= 2
    table = study_findings(study).tables["covariates"]
    everybody = table[table["attribute"] == "all"].iloc[0]
    assert (everybody["personas"], everybody["personas_covariate"]) == (12, 24)

    more = study_of(tmp_path, server, asked=16, per_person=4)
    state = await run(more)
    assert state.total("planned") == 8 + 16 * 4 + cheap.trials
    assert state.total("hits") == dear.trials + cheap.trials  # nothing that was answered is asked again, or left out
    fewer = study_of(tmp_path, server)
    assert (await run(fewer)).sent == 0
    assert len(load_scores(fewer.database, last_selection(fewer.database))) == dear.trials + cheap.trials


async def test_parts_of_such_a_study_are_merged(server: FakeLLM, tmp_path: Path) -> None:
    study = study_of(tmp_path, server)
    parts = [study.part(f"{number}/2") for number in (1, 2)]
    for part in parts:
        await run(part)
    merge([part.database for part in parts], study.database)
    scores = load_scores(study.database, last_selection(study.database))
    assert of_scores(study.database, scores).sentence == "" and len(scores) == 8 + 12 * 3 + 8 + 24 * 8
    assert (await run(study)).sent == 0


def test_a_covariate_that_cannot_be_one_is_a_sentence(server: FakeLLM, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model 'cheap' is the covariate of 'dear', and is asked about fewer people"):
        study_of(tmp_path, server, people=6)
    with pytest.raises(InputError, match="model 'cheap' is a covariate, and is asked everything"):
        study_of(tmp_path, server, covariate="dear")


async def test_a_target_asks_the_covariate_first_and_looks_with_its_answers(server: FakeLLM, tmp_path: Path) -> None:
    study = study_of(tmp_path, server, per_person=6)
    study.path.write_text(study.path.read_text() + "[target]\nhalf_width = 0.001\nrounds = 3\n")
    study = Study.load(study.path)
    state = await run(study)
    assert state.total("done") == 8 + 24 * 8 + 8 + 12 * 6 == state.total("planned")
    found = study_findings(study).tables
    (row,) = found["target"].to_dict("records")
    assert (row["model"], row["personas"], row["asked"], row["outcome"]) == ("dear", 12, 3, "everything asked")
    everybody = found["covariates"].iloc[0]
    assert row["effect"] == pytest.approx(everybody["effect"]) and row["half_width"] > 0
    assert (await run(study)).sent == 0

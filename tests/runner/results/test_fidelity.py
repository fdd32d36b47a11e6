"""Fidelity from a study file to its report: what is asked, what is hidden, and what is said of it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fake_llm import FakeLLM
from studies import model, rows

from personas.errors import InputError
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.results.study_report import finding, study_findings
from runner.study.config import Study
from runner.study.sections import BenchmarkSection, PersonaSection
from runner.view.fidelity_results import fidelity_results
from runner.view.pages.fidelity import _content
from runner.view.source import ViewSource
from scoring.fidelity.learned import is_installed
from scoring.report.page import page

ASK = [f"starter_gss2018:{name}" for name in ("natenvir", "natheal", "natcrime", "natrace")]


def study(folder: Path, url: str = "http://127.0.0.1:9/v1", n: int = 24, swap: str = "", **fidelity: Any) -> Study:
    tables = {
        "study": {"name": "f", "database": "study.sqlite", "seed": 3},
        "personas": {"sources": ["starter_gss2018"], "n": n, "stratify": ["gender"], "traits": "all"}
        | ({"swap": [swap]} if swap else {}),
        "fidelity": {"ask": ASK, **fidelity},
        "models": [model(url)],
        "report": {"by": ["gender"]},
    }
    return Study.from_dict(tables, folder / "f.toml")


def test_the_answers_to_what_is_asked_are_hidden_and_whoever_did_not_answer_is_not_asked(tmp_path: Path) -> None:
    with prepared(study(tmp_path)) as ready:
        crossing = ready.crossing
        asked = [each for each in crossing.trials(crossing.models[0]) if each.persona is not None]
        assert len(crossing.questions) == 4 and len(asked) > 60
        for each in asked:
            assert each.question.item.target_trait in each.persona.answers
            for trait in ("the environment", "the nation's health", "crime rate", "conditions of Blacks"):
                assert trait not in each.persona_text
            assert "space exploration" in each.persona_text or "natspac" not in str(each.persona.answers)
        assert not [each for each in crossing.trials(crossing.models[0]) if each.persona is None]


def test_each_person_is_asked_some_the_first_people_only_and_other_traits_are_shown(tmp_path: Path) -> None:
    with prepared(study(tmp_path, per_person=2, n=24, show=["gender", "age"])) as ready:
        trials = list(ready.crossing.trials(ready.crossing.models[0]))
        count = {each.trial.persona: 0 for each in trials}
        for each in trials:
            count[each.trial.persona] += 1
            assert "spend" not in each.persona_text
        assert max(count.values()) == 2
    some = study(tmp_path, ask="all")
    some = some.model_copy(update={"fidelity": some.fidelity.model_copy(update={"n": 5, "shares": True})})
    with prepared(some) as ready:
        trials = list(ready.crossing.trials(ready.crossing.models[0]))
        assert len({each.trial.persona for each in trials if each.persona}) == 5
        assert {each.question.item.part for each in trials if each.persona is None} == {"shares"}


def test_twins_are_asked_for_what_is_told_and_what_is_hidden_beside_the_same_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there are none: set .personas. swap"):
        study(tmp_path, twins=True)
    with prepared(study(tmp_path, n=8, swap="gender", twins=True, controls=["education"])) as ready:
        crossing = ready.crossing
        trials = [each for each in crossing.trials(crossing.models[0]) if each.persona]
        controls = [each for each in trials if each.question.item.part == "control"]
        assert {each.question.item.target_trait for each in controls} == {"education"}
        assert all("highest level of education" in each.persona_text for each in controls)
        assert sum("~gender" in each.persona.persona_id for each in controls if each.persona) == len(controls) / 2
        texts = {each.trial.persona: each.persona_text for each in controls}
        assert all(texts.get(each.trial.persona, each.persona_text) == each.persona_text for each in trials)


@pytest.mark.parametrize(
    ("fidelity", "said"),
    [
        ({"ask": "core"}, 'these surveys have no such question; ask = "all" asks those'),
        ({"ask": ["age"]}, "'age' has no scale of 2 to 26 answers"),
        ({"ask": ["starter_gss2018:natspace"]}, "unknown trait 'starter_gss2018:natspace'"),
        ({"per_person": 9}, "per_person = 9, but 4 questions are asked"),
        ({"where": {"gender": ["woman"]}}, "no respondent has gender = 'woman'"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(tmp_path: Path, fidelity: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match="\\[fidelity\\]") as error, prepared(study(tmp_path, **fidelity)):
        pass
    assert said in str(error.value)


def test_a_study_needs_something_to_ask(tmp_path: Path) -> None:
    tables = {
        "study": {"name": "f"},
        "personas": {"sources": ["starter_gss2018"], "n": 2},
        "models": [model("http://x")],
    }
    with pytest.raises(InputError, match="key 'benchmarks' is missing"):
        Study.from_dict(tables, tmp_path / "f.toml")


def test_probabilities_are_calibrated_and_more_traits_are_compared_with_fewer(tmp_path: Path) -> None:
    with FakeLLM() as server:
        small = study(tmp_path, server.url, n=40)
        models = (small.models[0].model_copy(update={"answer": "probabilities"}),)
        variants = small.variants.model_copy(update={"traits": ("demographic", "all")})
        benchmark = BenchmarkSection(name="crows_pairs", part="choice", groups=2)
        personas = PersonaSection(sources=("starter_gss2018",), n=40, stratify=("gender",))
        small = small.model_copy(update={"models": models, "variants": variants, "personas": personas})
        small = small.model_copy(update={"benchmarks": (benchmark,)})
        assert asyncio.run(run(small, pilot=False)).exit_code == 0
    tables = study_findings(small).tables
    brier = tables["fidelity_calibration"]
    assert (brier["trait"] == "all").sum() == 2 and brier["brier"].between(0, 2).all()
    assert tables["fidelity_reliability"]["own"].between(0, 1).all()
    points = tables["fidelity_points"]
    assert set(points["x"]) == {"fidelity", "change of fidelity"} and set(points["of"]) == {"crows_pairs:choice"}
    people = tables["fidelity_people"]
    more = people[people["change"].notna()]
    assert set(more["shown"]) == {"demographic, extended (30)"}  # beside the fewest there is nothing to compare with


def test_a_report_says_how_well_people_are_played_beside_what_needs_no_model(tmp_path: Path) -> None:
    with FakeLLM() as server:
        small = study(tmp_path, server.url, n=60, known=0.5)
        assert asyncio.run(run(small, pilot=False)).exit_code == 0
        sent = server.requests
        assert asyncio.run(run(small, pilot=False)).exit_code == 0 and server.requests == sent
    found = study_findings(small)
    people = found.tables["fidelity_people"]
    exact = people[(people["attribute"] == "all") & (people["trait"] == "all") & (people["score"] == "exact")].iloc[0]
    right = rows(tmp_path, "SELECT avg(value) FROM score WHERE value IS NOT NULL")[0][0]
    assert exact["told"] == pytest.approx(right, abs=0.03)  # everybody's mean, not every answer's
    assert exact["low"] < exact["told"] < exact["high"]
    assert exact["learned"] > exact["draw"] or not is_installed()
    assert {"fidelity_groups", "fidelity_spread", "fidelity_structure", "fidelity_corrected"} <= set(found.tables)
    (sentence,) = finding(small)
    assert sentence.startswith("fake as its personas answers as the respondents themselves did in")
    assert "The majority of their country in" in sentence and "a second sample of as many people is" in sentence
    shown = fidelity_results(small.database, None)  # the page of mtpa-run view
    (told,) = shown.statements
    assert " ".join(told) == sentence and told[0].endswith("60 people, 4 questions.")
    assert "Corrected by the own answers of" in told[1] and "more people" in told[1]
    assert set(shown.tables) == set(shown.files) and shown.files["people"].startswith("model,benchmark,")
    source = ViewSource(small.database)
    assert source.asks_survey()
    assert [each.children for each in _content(shown)[0].children[:1]] == [told[0]]
    source.close()
    html = page(found)
    assert sentence[:60] in html and 'id="fidelity"' in html and "nothing was asked" not in html
    json.dumps({name: json.loads(table.to_json()) for name, table in found.tables.items()})

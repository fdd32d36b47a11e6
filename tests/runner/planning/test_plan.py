"""A plan says what the cap leaves, what is missing, and everything that is wrong at once."""

import json
from pathlib import Path

import pytest
from studies import model, write_study
from typer.testing import CliRunner

from personas.errors import InputError
from runner.cli.app import app
from runner.crossing.prepare import prepared
from runner.planning.cap import Cap, cap_of
from runner.planning.plan import plan
from runner.study.config import Study

PRICE = {"input": 1.0, "output": 2.0}
AWAY = "https://api.example.org/v1"


def invoke(study: Path, *options: str) -> str:
    return CliRunner().invoke(app, ["--study", str(study), "plan", *options], catch_exceptions=False).output


def test_the_cap_and_what_was_spent_before_decide_where_a_run_stops(tmp_path: Path) -> None:
    two = [model(AWAY, name=name, id=name, price=PRICE) for name in ("one", "two")]
    free = plan_of(write_study(tmp_path, two, name="free"))
    assert free[0].share == 1 and not free[0].sentence()
    usd = free[1]
    capped = write_study(tmp_path, two, name="capped", budget={"usd": usd / 4})
    assert plan_of(capped)[0].share == pytest.approx(0.25, abs=0.01)
    one_capped = [{**two[0], "usd": usd / 8}, two[1]]  # a half of the study is cut to a quarter
    assert plan_of(write_study(tmp_path, one_capped, name="own"))[0].share == pytest.approx(0.625, abs=0.01)
    study = Study.load(capped)
    with prepared(study) as ready:
        sql = "INSERT INTO spend (process, model, reserved_micro_usd, settled_micro_usd) VALUES (1, 1, 0, ?)"
        ready.cache.connection.execute(sql, (round(usd / 8 * 1e6),))
    shown = invoke(capped)
    assert "the run stops at about 12%" in " ".join(shown.split())
    assert json.loads(invoke(capped, "--json"))["share_paid_for"] == pytest.approx(0.125, abs=0.01)


def plan_of(path: Path) -> tuple[Cap, float]:
    with prepared(Study.load(path)) as ready:
        found = plan(ready)
        return cap_of(ready, found), found.usd


def test_a_missing_key_is_named_and_the_plan_made_all_the_same(tmp_path: Path) -> None:
    path = write_study(tmp_path, [model(AWAY, key_env="NO_SUCH_KEY", price=PRICE)])
    assert "NO_SUCH_KEY is not set" in " ".join(invoke(path).split())


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = write_study(tmp_path, [model(AWAY, id="of-no-price")])
    text = path.read_text().replace("starter_wvs3", "starter_wvs33").replace("crows_pairs", "crows")
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        invoke(path)
    sentences = str(caught.value).split("\n  ")
    assert len(sentences) == 4
    for words in ("3 faults", "did you mean 'starter_wvs3'", "did you mean 'crows_pairs'", "of-no-price"):
        assert any(words in sentence for sentence in sentences), words
    path.write_text(text.replace("starter_wvs33", "starter_wvs3").replace('"crows"', '"crows_pairs"'))
    with pytest.raises(InputError, match=r"^model 'fake': no price"):
        invoke(path)

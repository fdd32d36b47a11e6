"""Runs by adaptive rounds: what they send, how a killed one goes on, and that every table honours the chances."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_llm import FakeLLM
from interrupted import run_in_pieces
from studies import load, model, rows

from personas.errors import InputError
from runner.cli.terminal.price_table import print_ways
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import Plan, plan
from runner.planning.price_ways import study_ways
from runner.results.study_report import slicing_of, study_findings
from runner.sharing.bundle import unbundle, write_bundle
from runner.store.merge import merge
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study
from scoring.report.findings import findings
from scoring.report.methods import methods_text
from scoring.statistics.designs.inclusion import COLUMNS
from scoring.statistics.designs.savings import ADAPTIVE
from scoring.statistics.subgroups import Slicing

FULL = 41 * 32
CHOSEN = "SELECT persona_id, item_id FROM score JOIN persona ON persona.id = persona JOIN item ON item.id = item"


@pytest.fixture
def server() -> Iterator[FakeLLM]:
    with FakeLLM(latency=0.001) as server:
        yield server


def study_of(folder: Path, server: FakeLLM, half_width: float = 0.09, **changes: object) -> Study:
    target = {"half_width": half_width, "allocation": "neyman", **changes}
    exact = model(server.url, concurrency=8, decoding={"max_tokens": 3, "temperature": 0})
    return load(folder, [exact], n=40, groups=32, target=target, report={"by": ["country", "gender"]})


async def test_a_killed_run_takes_the_same_course_and_sends_nothing_twice(server: FakeLLM, tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    state = await run(study_of(tmp_path / "whole", server))
    sent = server.requests
    assert state.exit_code == 0 and sent == state.total("done") < 0.8 * FULL
    study = study_of(tmp_path / "cut", server)
    await run_in_pieces(study, 170)
    assert server.requests == 2 * sent
    assert sorted(rows(tmp_path / "cut", CHOSEN)) == sorted(rows(tmp_path / "whole", CHOSEN))


async def test_the_report_is_of_the_chances_with_which_was_asked(server: FakeLLM, tmp_path: Path) -> None:
    study = study_of(tmp_path, server, strata=["country"])
    await run(study)
    found = study_findings(study)
    (target,) = found.tables["target"].to_dict("records")
    assert target["outcome"] == "reached" and 2 <= target["asked"] < target["rounds"]
    overall = found.effects.query("attribute == 'all' and measure == 'value'").iloc[0]
    people, d, base = by_hand(study, int(target["asked"]), int(target["rounds"]))
    assert overall["effect"] == pytest.approx(d.mean()) == pytest.approx(target["effect"])
    error = np.sqrt(d.mean(axis=1).var(ddof=1) / len(d))
    assert len(people) == overall["clusters"] == 40 and overall["people_error"] == pytest.approx(error)
    assert overall["pairs"] == len(rows(tmp_path, f"{CHOSEN} WHERE score.persona > 0"))
    assert overall["without"] == pytest.approx(base.mean())
    for level, row in found.effects.query("attribute == 'gender' and measure == 'value'").set_index("level").iterrows():
        inside = people == level
        assert row["effect"] == pytest.approx(d[inside].mean())
        assert row["gap"] == pytest.approx(d[inside].mean() - d[~inside].mean())
    scores = load_scores(study.database, last_selection(study.database), answers=False)
    first = scores[(scores["asked_round"] == 1).to_numpy()]
    told = found.tables["personas"]
    assert told["items"].sum() == len(first) < overall["pairs"]
    assert any("drawn with equal chances" in line for line in found.warnings)


async def test_every_table_is_of_all_rounds_by_their_chances_or_of_the_first(server: FakeLLM, tmp_path: Path) -> None:
    """Those of all rounds are as if the estimates by hand were the answers; the others as if there were one round."""
    study = study_of(tmp_path, server)
    section = study.robustness.model_copy(update={"contrasts": ("gender",), "margin": 0.05})
    study = study.model_copy(update={"robustness": section})
    await run(study)
    found = study_findings(study)
    scores = load_scores(study.database, last_selection(study.database), answers=False)
    alone = scores["persona_id"] == ""
    (target,) = found.tables["target"].to_dict("records")
    _, d, base = by_hand(study, int(target["asked"]), int(target["rounds"]))
    plain = scores[alone].drop(columns=[*COLUMNS]).reset_index(drop=True)
    people = scores[~alone].drop_duplicates("persona_id").astype({"persona_id": str}).sort_values("persona_id")
    order = plain["item_id"].astype(str).argsort().to_numpy()
    crossing = [plain.astype(object)]
    for (_, person), moved in zip(people.iterrows(), d, strict=True):
        own = plain.iloc[order].astype(object).assign(**{name: person[name] for name in PERSON})
        crossing.append(own.assign(value=base + moved))
    slicing = slicing_of(study, scores)
    whole = pd.concat(crossing, ignore_index=True).infer_objects()
    expected, rest = findings_of(whole, slicing), findings_of(first_round(scores), slicing)
    for name in WHOLE:
        same = [each for each in expected[name] if each not in OF_ANSWERS]
        pd.testing.assert_frame_equal(found.tables[name][same], expected[name][same], check_dtype=False)
    assert {*WHOLE, "items", "categories", "reliability"} <= {*rest}
    for name in {*rest} - {*WHOLE, "families"}:
        pd.testing.assert_frame_equal(found.tables[name], rest[name])


WHOLE = ("effects", "contrasts", "equivalence")
PERSON = ("persona_id", "cluster", "weight", "survey", "wave", "country", "gender", "format", "cue")
# what rests on the answers themselves: the least variance of a gap is that of as many answers as were given
OF_ANSWERS = {"pairs", "p", "holm", "within", "equivalent"}
OF_ANSWERS |= {f"gap_{name}" for name in ("error", "low", "high", "freedom", "p", "holm", "q", "resolvable")}
OF_ANSWERS |= {f"{name}_{side}" for name in ("difference", "tost") for side in ("low", "high")}


def first_round(scores: pd.DataFrame) -> pd.DataFrame:
    kept = (scores["persona_id"] == "") | (scores["asked_round"] == 1)
    return scores[kept.to_numpy()].drop(columns=[*COLUMNS])


def findings_of(scores: pd.DataFrame, slicing: Slicing) -> dict[str, pd.DataFrame]:
    """The tables with rows that scores alone make."""
    gold = pd.DataFrame({"item_id": [], "rotation": [], "letter": []})
    tables = findings(scores, slicing, gold, lambda names: pd.DataFrame(), {}).tables
    return {name: table for name, table in tables.items() if len(table)}


def by_hand(study: Study, asked: int, planned: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gender, and every person's d of every item as the rounds estimate it, by the formula and the file alone."""
    scores = load_scores(study.database, last_selection(study.database), answers=False)
    alone = scores["persona_id"] == ""
    base = scores[alone].set_index(scores.loc[alone, "item_id"].astype(str))["value"]
    group = scores[alone].set_index(scores.loc[alone, "item_id"].astype(str))["group"].astype(str)
    told = scores[~alone]
    names, items = sorted(told["persona_id"].astype(str).unique()), sorted(base.index)
    answer = {
        (who, item): value - base[item]
        for who, item, value in zip(
            told["persona_id"].astype(str), told["item_id"].astype(str), told["value"], strict=True
        )
    }
    people = dict(rows(study.database.parent, "SELECT id, persona_id FROM persona"))
    when: dict[tuple[str, str], tuple[int, float]] = {}
    for number, text in rows(study.database.parent, "SELECT number, cells FROM drawn_round"):
        for who, cells in json.loads(text).items():
            when |= {(people[int(who)], name): (number, chance) for name, chance in cells.items()}
    found = np.zeros((len(names), len(items)))
    for number in range(1, asked + 1):
        worth = [1 / ((planned - s + 1) * (planned - s) * (1 if s == 1 else 0.75)) for s in range(1, number + 1)]
        step = worth[-1] / sum(worth)
        seen = {key: value for key, value in answer.items() if when[key[0], group[key[1]]][0] <= number}
        for row, who in enumerate(names):
            others = [(item, value) for (name, item), value in seen.items() if name != who]
            everything = float(np.mean([value for _, value in others]))
            for column, item in enumerate(items):
                own = [value for each, value in others if each == item]
                mean = (sum(own) + everything) / (len(own) + 1)
                estimate = mean
                if (who, item) in seen:
                    drawn, chance = when[who, group[item]]
                    estimate += (seen[who, item] - mean) / (chance if drawn == number else 1.0)
                found[row, column] += step * (estimate - found[row, column])
    by_name = told.drop_duplicates("persona_id").set_index("persona_id")["gender"].astype(str)
    return np.array([by_name[name] for name in names]), found, np.array([base[item] for item in items])


async def test_where_everything_is_asked_the_report_is_that_of_a_full_crossing(server: FakeLLM, tmp_path: Path) -> None:
    for name in ("adaptive", "full"):
        (tmp_path / name).mkdir()
    study = study_of(tmp_path / "adaptive", server, half_width=0.0001, rounds=3)
    exact = model(server.url, concurrency=8, decoding={"max_tokens": 3, "temperature": 0})
    whole = load(tmp_path / "full", [exact], n=40, groups=32, report={"by": ["country", "gender"]})
    await run(study)
    await run(whole)
    found, full = study_findings(study), study_findings(whole)
    assert found.tables["target"]["outcome"].tolist() == ["everything asked"]
    for name in ("effects", "families", "items", "categories", "reliability"):
        pd.testing.assert_frame_equal(found.tables[name], full.tables[name])


async def test_a_bundle_and_a_merged_file_know_the_chances(server: FakeLLM, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    study = study_of(tmp_path / "study", server)
    await run(study)
    expected = study_findings(study)
    other = unbundle(write_bundle(study, tmp_path / "b.zip"), tmp_path / "there")
    merge([study.database], tmp_path / "study" / "merged.sqlite")
    merge([study.database], tmp_path / "study" / "merged.sqlite")
    merged = Study.parse(study.path.read_text().replace("study.sqlite", "merged.sqlite"), study.path)
    for each in (other, merged):
        found = study_findings(each)
        for name in ("effects", "target"):
            pd.testing.assert_frame_equal(found.tables[name], expected.tables[name])
    assert 1 < expected.tables["target"]["asked"][0] == len(rows(tmp_path / "study", "SELECT id FROM drawn_round"))
    text = methods_text(expected)
    assert "at most 8 adaptive rounds" in text and "by the inverse of their chances" in text
    assert any("π under 0.1" in line for line in plan_of(study).remarks)


async def test_balanced_rounds_do_not_follow_adaptive_ones(server: FakeLLM, tmp_path: Path) -> None:
    await run(study_of(tmp_path, server))
    balanced, sent = study_of(tmp_path, server, allocation="equal"), server.requests
    with pytest.raises(InputError, match="do not mix with balanced ones"):
        await run(balanced)
    assert study_findings(balanced).tables["target"].empty
    exact = model(server.url, concurrency=8, decoding={"max_tokens": 3, "temperature": 0})
    whole = load(tmp_path, [exact], n=40, groups=32, report={"by": ["country", "gender"]})
    assert (await run(whole)).exit_code == 0 and server.requests == FULL > sent
    assert study_findings(whole).effects["pairs"][0] == FULL - 32


def plan_of(study: Study) -> Plan:
    with prepared(study) as ready:
        return plan(ready)


async def test_the_plan_prices_adaptive_rounds_by_the_answers_in_the_file(
    server: FakeLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(tmp_path, server, half_width=0.0001)
    print_ways(study, 0.3, False)
    before = " ".join(capsys.readouterr().out.split())
    assert ADAPTIVE not in before and "Adaptive rounds are not priced" in before
    await run(study)
    (found,) = study_ways(study, 0.3)
    assert len(found.pool.spreads) == 32 and ADAPTIVE in [way.name for way in found.ways]
    print_ways(study, 0.3, False)
    after = capsys.readouterr().out
    assert ADAPTIVE in after and "Adaptive rounds: item groups vary" in " ".join(after.split())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"allocation": "equal", "strata": ["country"]}, "strata are for allocation"),
        ({"rounds": 12}, "leaves more than 9 rounds no choice"),
        ({"strata": ["religion"]}, "strata has 'religion', which is not in"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        load(tmp_path, [model("http://127.0.0.1:9/v1")], target={"half_width": 0.1, "allocation": "neyman", **changes})

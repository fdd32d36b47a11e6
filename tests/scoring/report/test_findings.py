"""What the report says: the same numbers everywhere, and a sentence where there is no number."""

import json
import math
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from simulated_findings import found_in

from scoring.report.export import write_tables
from scoring.report.findings import Findings
from scoring.report.methods import methods_text
from scoring.report.numbers import in_points, points, signed
from scoring.report.page import _script_json, page
from scoring.report.terminal import print_report
from scoring.statistics.designs.simulation import Design, as_scores, simulate


def printed(found: Findings) -> str:
    console = Console(width=200, record=True, file=StringIO())
    print_report(console, found, full=True)
    return console.export_text()


@pytest.fixture(scope="module")
def found():
    return found_in(simulate(Design(100, 30), seed=1).scores, "level")


def test_same_numbers_everywhere(found, tmp_path):
    overall = found.effects.iloc[0]
    written = {path.name: path for path in write_tables(tmp_path / "s.sqlite", found.tables, "csv")}
    assert pd.read_csv(written["s.effects.csv"])["effect"].iloc[0] == pytest.approx(overall["effect"], abs=1e-15)
    (parquet,) = [p for p in write_tables(tmp_path / "s.sqlite", found.tables, "parquet") if "effects" in p.name]
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), found.effects)
    (latex,) = [p for p in write_tables(tmp_path / "s.sqlite", found.tables, "tex") if "effects" in p.name]
    shown = in_points(overall["effect"])
    assert f" {signed(overall['effect'])} & " in latex.read_text()
    assert shown in printed(found) and f'<td class="n">{shown}</td>' in page(found)
    gap = found.effects.loc[found.effects["level"] == "level 2", "gap"].iloc[0]
    assert in_points(gap) in printed(found) and f'<td class="n">{in_points(gap)}</td>' in page(found)


def test_says_what_could_not_be_seen(found):
    overall = found.effects.iloc[0]
    (effect, gap) = found.sentences
    least = points(overall["resolvable"], signed=False)
    assert f"100 people and 30 items had under 80 % power for effects under {least}" in effect
    assert "with 20 people in the smallest level and 30 items" in gap and "gaps by level under" in gap
    once = as_scores([[1, 0], [0, 0], [1, 1]], [1, 0]).assign(sampled=True)
    assert any("sampled once" in line for line in found_in(once).warnings)


@pytest.mark.parametrize(
    ("answers", "baseline", "sentence"),
    [
        ([[1, 0, 1]], [1, 1, 0], "too few to generalise from"),
        ([[1], [0], [1]], [1], "too few to generalise from"),
        ([[math.nan] * 3] * 4, [1, 0, 1], "nothing to compare"),
        ([[1, 0, 1, 0, 1]] * 12, [1, 0, 1, 0, 1], "a bound on Δ"),
    ],
)
def test_a_sentence_in_the_place_of_a_number(answers, baseline, sentence):
    people = {"level": [f"level {n % 2}" for n in range(len(answers))]}
    found = found_in(as_scores(answers, baseline, None, people), "level")
    assert sentence in found.sentences[0]
    for text in (printed(found).replace("\n", " "), page(found)):
        assert sentence in text
    assert "nan" not in printed(found).lower().replace("answers", "").split()


def test_nothing_at_all():
    found = found_in(simulate(Design(5, 3), seed=1).scores.iloc[:0], "level")
    assert "nothing to report" in printed(found)
    assert "nothing to report" in page(found)
    assert "nothing was compared" in methods_text(found)


def test_a_level_of_one_person_is_hidden():
    people = {"level": ["alone", *["others"] * 29]}
    scores = as_scores(np.random.default_rng(1).integers(0, 2, (30, 12)), [1] * 12, None, people)
    found = found_in(scores, "level")
    row = found.effects[found.effects["level"] == "alone"].iloc[0]
    assert row["hidden"] and math.isnan(row["effect"])
    assert "under 5 people: hidden" in page(found)
    assert "alone" not in set(found.tables["answers"].get("level", []))


def test_methods_tell_what_was_changed_after(found):
    text = methods_text(found)
    assert "| by | `['level']` | `['level', 'other']` | changed" in text
    assert "@article{cameron2011" in text and "100 personas in 100 clusters" in text


def test_synthetic_people_are_named_before_everything_else_in_every_output(tmp_path):
    scores = simulate(Design(40, 20), seed=2).scores
    made_up = scores["persona_id"].isin(sorted(set(scores["persona_id"].astype(str)) - {""})[:10])
    scores = scores.assign(survey=np.where(made_up, "synthetic_people_of_ours", "wvs7"))
    found = found_in(scores)
    assert found.heading.startswith(
        "10 of the 40 personas are synthetic people (synthetic_people_of_ours): a model made"
    )
    (path,) = write_tables(tmp_path / "s.sqlite", {"effects": found.effects}, "csv", found.heading)
    for text in (printed(found), methods_text(found), page(found, None, None), path.read_text()):
        assert "10 of the 40 personas are synthetic people" in text
    real = found_in(scores.assign(survey="wvs7"))
    assert real.heading == "" and "synthetic" not in printed(real)


def test_no_number_of_a_file_from_elsewhere_ends_the_page():
    """Nor does a text end the script that it stands in."""
    told = _script_json({"a": [math.inf, -math.inf, math.nan, 0.5], "b": "</script>"})
    assert json.loads(told) == {"a": [None, None, None, 0.5], "b": "</script>"} and "<" not in told

"""What the report says: the same numbers everywhere, and a sentence where there is no number."""

import math
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from personas.errors import MachineError
from scoring.report.export import latex_table, write_tables
from scoring.report.findings import Findings, findings
from scoring.report.methods import methods_text
from scoring.report.numbers import in_points, points, signed
from scoring.report.page import page
from scoring.report.paper import paper_figures, paper_grid, paper_tables
from scoring.report.terminal import print_paper, print_report
from scoring.statistics.designs.simulation import Design, as_scores, simulate
from scoring.statistics.effect import persona_effect
from scoring.statistics.subgroups import Slicing
from scoring.tables.items_and_people import item_table
from scoring.tables.score_levels import score_table

ABOUT = {
    "name": "test",
    "study": "",
    "code": "0",
    "seed": 1,
    "started": "",
    "ended": "",
    "trials": 1,
    "packages": {},
    "models": [],
    "data": [],
    "declared": [("by", "['level']", "['level', 'other']")],
}


def no_items(ids):
    return pd.DataFrame(columns=["item_id", "benchmark", "part", "question", "choices"])


def found_in(scores: pd.DataFrame, *by: str) -> Findings:
    return findings(scores, Slicing(by, min_n=20), pd.DataFrame(), no_items, ABOUT)


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


def test_the_papers_tables_have_its_figures_beside_this_runs_part_by_part():
    scores = simulate(Design(60, 20), seed=2).scores.assign(model="GPT-5")
    scores["country"] = scores["level"].astype(str).map({"level 0": "BRA", "level 1": "CAN"}).fillna("USA")
    both = pd.concat(
        [scores.assign(benchmark="truthfulqa_v0:any_true"), scores.assign(benchmark="truthfulqa_v0:mc1_letter")]
    )
    tables = paper_tables(score_table(both, ("country",)))
    assert len(paper_figures()) == 80
    delta = tables["paper_table_2"].query("model == 'GPT-5' and column == 'delta'")
    assert delta["measured_by"].tolist() == ["truthfulqa_v0:any_true", "truthfulqa_v0:mc1_letter"]
    effect = persona_effect(scores)
    assert delta["paper"].tolist() == [0.065] * 2
    assert delta["this_run"].tolist() == pytest.approx([effect.effect] * 2)
    assert delta["low"].tolist() == pytest.approx([effect.items_low] * 2)
    grid = paper_grid(tables["paper_table_3"])
    assert {"Brazil", "Canada", "United States"} <= set(grid.columns)
    mine = grid[grid["this run's"] == "truthfulqa_v0:any_true"].iloc[0]
    brazil = tables["paper_table_3"].query("measured_by == 'truthfulqa_v0:any_true' and level == 'Brazil'").iloc[0]
    score = f"{brazil['this_run']:.3f} [{brazil['low']:.3f}, {brazil['high']:.3f}], n = 12"
    assert mine["Brazil"] == f"{score}; paper 0.878"
    print_paper(Console(width=200), tables, found_in(both, "country"))


def test_methods_tell_what_was_changed_after(found):
    text = methods_text(found)
    assert "| by | `['level']` | `['level', 'other']` | changed" in text
    assert "@article{cameron2011" in text and "100 personas in 100 clusters" in text


def test_latex_has_the_columns_of_a_paper_escaped_and_ruled(found):
    table = latex_table("effects", found.effects)
    assert r"\toprule" in table and r"\usepackage{booktabs}" in table
    head = table.split(r"\toprule")[1].split(r"\midrule")[0]
    assert head.count("&") == 12 and "items too" in head and r"$\Delta$" in head
    row = found.effects.iloc[0]
    assert (
        f"[{row['items_low']:+.3f}, {row['items_high']:+.3f}]".replace("-", "$-$") in table
        and "nan" not in table.lower()
    )
    other = latex_table("unknown", pd.DataFrame({"who_said": ["50 % & more_\\"], "value": [math.nan], "items": [3.0]}))
    assert r"50 \% \& more\_\textbackslash" in other and "& -- & 3 \\\\" in other


def test_an_unwritable_folder_is_a_sentence(found, tmp_path):
    with pytest.raises(MachineError, match="cannot be written"):
        write_tables(tmp_path / "no" / "s.sqlite", found.tables, "csv")


def test_moved_is_measured_against_the_same_order_of_options():
    scores = as_scores([[1, 0], [1, 0], [0, 0]], [1, 0])
    turned = scores.assign(rotation=1, value=1 - scores["value"])  # a letter prior: the other option, whoever asks
    both = pd.concat([scores, turned], ignore_index=True)
    both["chosen_by_text"] = both["value"]
    both["chosen_by_probability"] = math.nan
    moved = item_table(both).set_index("item_id")["moved"]
    assert moved["item 0"] == pytest.approx(1 / 3)
    assert moved["item 1"] == 0


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

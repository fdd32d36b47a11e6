"""The paper's tables beside this run's."""

import math

import pandas as pd
import pytest
from rich.console import Console
from simulated_findings import found_in

from scoring.report.paper import paper_figures, paper_grid, paper_tables
from scoring.report.terminal import print_paper
from scoring.statistics.designs.simulation import Design, as_scores, simulate
from scoring.statistics.effect import persona_effect
from scoring.tables.score_levels import score_table


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
    assert mine["Brazil"] == f"{score}, paper 0.878"
    shown = Console(width=100, record=True)
    print_paper(shown, tables, found_in(both, "country"))
    text = shown.export_text()
    assert (
        f"Brazil {score}, paper 0.878" in " ".join(text.split())
        and "–" not in text.split("Table 3")[1].split("Table 4")[0]
    )


def test_a_baseline_on_four_item_groups_has_no_interval_and_none_leaves_what_is_possible():
    def baseline(groups: int) -> pd.Series:
        answers = as_scores([[1] * groups] * 12, [1] * (groups - 1) + [0], None)
        return score_table(answers.assign(model="m", benchmark="b"), ()).query("column == 'baseline'").iloc[0]

    assert math.isnan(baseline(4)["low"])
    six = baseline(6)
    assert six["low"] < six["value"] < six["high"] == 1

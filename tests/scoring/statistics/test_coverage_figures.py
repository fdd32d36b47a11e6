"""What the report says of its intervals is what the bench measured, and that is what intervals are worth."""

import csv
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scoring.report.findings import findings
from scoring.report.sentences import finding
from scoring.statistics.coverage_figures import FIGURES, INTERVAL, NULL, POWER, covered
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import FEW_DRAWS, NEAR_EDGE, UNEQUAL_GROUPS, estimate
from scoring.statistics.gaps import FEW_TEXTS, SHARED_TEXTS, UNEQUAL_PEOPLE
from scoring.statistics.subgroups import Slicing

sys.path.append(str(Path(__file__).parents[2] / "bench"))
import conditions

with FIGURES.open(encoding="utf-8", newline="") as file:
    ROWS = [{**row} for row in csv.DictReader(file)]
TABLES = {INTERVAL: conditions.CONDITIONS, NULL: conditions.FAMILIES, POWER: conditions.DESIGNS}
ABOUT = dict.fromkeys(("name", "study", "code", "started", "ended"), "")
ABOUT |= {"seed": 1, "trials": 1, "packages": {}, "models": [], "data": [], "declared": []}


def test_every_condition_was_measured_on_enough_studies() -> None:
    measured = [(row["kind"], row["condition"]) for row in ROWS]
    assert measured == [(kind, name) for kind, table in TABLES.items() for name in table]
    assert min(int(row["studies"]) for row in ROWS) >= 2000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']}: {row['condition']}")
def test_intervals_cover_and_tests_reject_as_often_as_they_say(row: dict[str, str]) -> None:
    covers = [float(row[name]) for name in ("people", "items", "gaps") if row[name]]
    assert all(0.93 <= each <= (1 if row["conservative"] else 0.97) for each in covers)
    assert all(float(row[name]) <= 0.06 for name in ("holm", "omnibus", "omnibus_items") if row[name])
    if row["kind"] == POWER:  # ten levels on ten items have cautious degrees of freedom
        assert 0.78 <= float(row["found"]) <= (0.89 if "10 levels of 10, 10 items" in row["condition"] else 0.85)


@pytest.mark.parametrize("gaps", [False, True])
def test_words_are_the_least_and_the_most_of_the_table(gaps: bool) -> None:
    reasons = (NEAR_EDGE, SHARED_TEXTS, FEW_TEXTS, UNEQUAL_PEOPLE) if gaps else (NEAR_EDGE, FEW_DRAWS, UNEQUAL_GROUPS)
    for why in reasons:
        rows = [row for row in ROWS if why in row["conservative"]]
        shares = [float(row[name]) for row in rows for name in (["gaps"] if gaps else ["people", "items"]) if row[name]]
        assert covered(why, gaps) == f"{100 * min(shares):.1f} to {100 * max(shares):.1f} %"
    assert covered("", gaps) == ""


def test_the_report_quotes_these_figures_and_no_others() -> None:
    random = np.random.default_rng(2)
    country = ["NOR" if number % 2 else "SWE" for number in range(60)]
    answers = (random.random((60, 40)) < 0.97).astype(float)
    scores = as_scores(answers, (random.random((2, 40)) < 0.97).astype(float), None, {"country": country})
    scores = scores.assign(frame="role", placement="prompt", trait_order=0, chosen_by_text=np.nan)
    empty = pd.DataFrame(columns=["item_id", "benchmark", "part", "question", "choices"])
    found = findings(scores, Slicing(("country",), min_n=10), pd.DataFrame(), lambda ids: empty, ABOUT)
    both = covered(f"{NEAR_EDGE}; {FEW_DRAWS}")
    assert any(f"({NEAR_EDGE}; {FEW_DRAWS})" in line and both in line for line in found.warnings)
    assert any(f"({NEAR_EDGE})" in line and covered(NEAR_EDGE, gaps=True) in line for line in found.warnings)
    assert any(f"covers {both} in simulation" in text for text in finding(found))
    said = " ".join([*found.warnings, *finding(found)])
    assert set(re.findall(r"covere?[ds] ([\d.]+ to [\d.]+ %)", said)) == {both, covered(NEAR_EDGE, gaps=True)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["100 people, 40 items", "near 0 (3 %)", "10 item groups"])
def test_the_table_is_of_the_code_as_it_is(name: str) -> None:
    (row,) = (row for row in ROWS if (row["kind"], row["condition"]) == (INTERVAL, name))
    covers, half = [], []
    for study in conditions.studies(conditions.CONDITIONS[name], 200):
        found = estimate(study.of, np.ones(len(study.level), dtype=bool), (np.nan, np.nan))
        covers.append(
            (found.people_low <= study.truth <= found.people_high, found.items_low <= study.wide <= found.items_high)
        )
        half.append(((found.people_high - found.people_low) / 2, (found.items_high - found.items_low) / 2))
    expected = np.array([float(row["people"]), float(row["items"])])
    assert np.abs(np.mean(covers, axis=0) - expected).max() < 0.05
    assert np.median(half, axis=0) == pytest.approx([float(row["people_half"]), float(row["items_half"])], rel=0.05)

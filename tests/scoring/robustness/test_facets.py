"""The table of variance by facet, from scores."""

import numpy as np
import pandas as pd
import pytest

from scoring.report.robustness.facet_words import facet_figures, facet_sentences
from scoring.robustness.facets import BELOW, WITH_NOISE, crossed, facet_table
from scoring.statistics.designs.facet_design import FacetLimits, FacetVariances, half_width
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import effect_of
from scoring.statistics.pairs import parts


def study(shifts: dict[str, float], seed: int = 1, alone: int = 1) -> pd.DataFrame:
    """Thirty people, twelve items, a format for each shift."""
    random = np.random.default_rng(seed)
    own, base = 0.3 * random.normal(size=(30, 1)), random.normal(size=12)
    drawn = base + 0.2 * random.normal(size=(alone, 12))
    frames = []
    for name, shift in shifts.items():
        found = as_scores(base + shift + own + 0.2 * random.normal(size=(30, 12)), drawn)
        frames.append(found.assign(format=np.where(found["persona_id"] == "", "", name)))
    whole = pd.concat([frames[0][frames[0]["persona_id"] == ""], *(f[f["persona_id"] != ""] for f in frames)])
    return whole.reset_index(drop=True)


def test_the_baselines_noise_is_taken_off_the_items_or_told() -> None:
    shifts = {"prose": 0.0, "json": 0.4}
    drawn = facet_table(study(shifts, alone=4).assign(sampled=True)).set_index("source")
    once = facet_table(study(shifts, alone=1).assign(sampled=True)).set_index("source")
    exact = facet_table(study(shifts, alone=1).assign(sampled=False)).set_index("source")
    assert once.loc["item", "note"] == WITH_NOISE and exact.loc["item", "note"] == ""
    assert drawn.loc["item", "note"] in ("", BELOW)
    assert drawn.loc["item", "variance"] < 0.01 < once.loc["item", "variance"]
    assert (drawn["share"].sum(), drawn["of_effect"].sum()) == pytest.approx((1, 1))
    assert drawn.loc["wording", "variance"] == pytest.approx(0.08, rel=0.2) and np.isnan(drawn.loc["wording", "low"])
    (said,) = facet_sentences(drawn.reset_index())
    assert said.startswith("Of the variance of one answer's d, ") and " between wordings" in said


def test_people_who_read_the_same_are_one() -> None:
    scores = study({"prose": 0.0}).assign(sampled=False)
    again = scores[scores["persona_id"] == "person 3"].assign(persona_id="person 99")
    twice = pd.concat([scores.astype({"persona_id": str}), again], ignore_index=True)
    pd.testing.assert_frame_equal(facet_table(twice), facet_table(scores))


def test_nothing_that_varies_is_no_row() -> None:
    assert facet_table(as_scores(np.zeros((12, 9)), np.zeros((1, 9)))).empty


def test_the_half_width_that_is_planned_is_the_interval_that_the_report_has() -> None:
    """Of designs as large as the study itself, whose interval is made in another way."""
    planned, reported = [], []
    for seed in range(8):
        (part,) = parts(study({"prose": -0.02, "json": 0.02, "bullets": 0.0}, seed).assign(sampled=False))
        of, found = crossed(part, "value"), effect_of(part)
        assert of is not None
        variances = FacetVariances({each.source: each.variance for each in of.components()})
        reported.append((found.items_high - found.items_low) / 2)
        planned.append(
            half_width(variances, {"people": 30, "groups": 12, "per_person": 12, "wordings": 3}, FacetLimits(12))
        )
    assert np.median(planned) == pytest.approx(np.median(reported), rel=0.15)


def test_the_figure_is_made_of_what_the_pages_plotly_can_draw() -> None:
    """The bundle of plotly.js that reports carry has scatter plots and maps, and draws a bar as a line of points."""
    table = facet_table(study({"prose": 0.0, "json": 0.4}, alone=4).assign(sampled=True))
    ((_, _, _, figure),) = facet_figures({"facets": table})
    assert {trace.type for trace in figure.data} == {"scatter"}
    ends = [max(each for each in trace.x if each is not None) for trace in figure.data]
    assert ends == sorted(ends) and ends[-1] == pytest.approx(100)

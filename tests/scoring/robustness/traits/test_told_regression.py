"""Slopes of what was told, against statsmodels; and what is refused."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from told_studies import NAMES, told_study

from scoring.robustness.traits.told_regression import LEAST, ToldCells, slopes
from scoring.robustness.traits.told_traits import told_cells
from scoring.statistics.pairs import parts
from scoring.statistics.weights import Floats


def _score(frame: pd.DataFrame, random: np.random.Generator) -> Floats:
    by_group = pd.factorize(frame["group"])[0] / 30
    found: Floats = (0.3 * frame["a"] + by_group + 0.2 * random.standard_normal(len(frame))).to_numpy()
    return found


def test_slopes_are_those_of_least_squares_with_a_column_for_every_person_and_group() -> None:
    scores = told_study(_score, people=25, groups=14)
    scores = scores.drop(index=scores.index[40::17])  # some did not answer
    (part,) = parts(scores)
    cells, _ = told_cells(part, "value", NAMES)
    found = slopes(cells)
    frame = scores[scores["persona_id"] != ""].assign(moved=lambda rows: rows["value"] - 0.5)
    weight = 1 / frame.groupby("persona_id")["moved"].transform("size")
    formula = f"moved ~ {' + '.join(NAMES)} + C(persona_id) + C(group)"
    groups = np.column_stack([pd.factorize(frame[name])[0] for name in ("persona_id", "group")])
    model = smf.wls(formula, frame, weights=weight).fit(cov_type="cluster", cov_kwds={"groups": groups})
    for name, slope in zip(NAMES, found, strict=True):
        assert slope.effect == pytest.approx(model.params[name], abs=1e-9)
        assert 0.6 < slope.interval.error / model.bse[name] < 1.7  # statsmodels has no small-sample correction
        assert slope.people == 25 and slope.note == ""
    assert found[0].interval.low < 0.3 < found[0].interval.high


def test_what_cannot_be_told_apart_or_generalised_from_has_no_interval() -> None:
    (part,) = parts(told_study(_score, groups=LEAST - 1))
    cells, _ = told_cells(part, "value", NAMES)
    assert {each.note for each in slopes(cells)} == {f"under {LEAST} item groups"}
    twice = np.column_stack([cells.told[:, :2], cells.told[:, 0], np.ones(len(cells.d))])
    same = slopes(ToldCells(cells.person, cells.group, cells.text, cells.d, cells.weight, twice))
    assert [np.isnan(each.effect) for each in same] == [False, False, True, True]
    assert same[2].note == same[3].note == "told to everybody alike, or together with another"

"""How much of Δ is the wording: between formats, net of the control, and in the order of levels."""

import pandas as pd
import pytest

from scoring.statistics.designs.simulation import as_scores
from scoring.tables.wording import control_table, ranking_table, variance_table

PROSE = as_scores([[1, 0, 1], [1, 1, 1], [0, 0, 1]], [1, 0, 0])  # Δ = 1/3


def people(scores: pd.DataFrame, **columns: object) -> pd.DataFrame:
    return scores[scores["persona_id"] != ""].assign(**columns)


def test_the_variance_between_two_formats():
    bullets = people(as_scores([[1, 1, 1]] * 3, [1, 0, 0]), format="bullets")  # Δ = 2/3
    (row,) = (
        variance_table(pd.concat([PROSE, bullets], ignore_index=True)).query("measure == 'value'").to_dict("records")
    )
    assert (row["source"], row["levels"]) == ("format", 2)
    assert (row["lowest"], row["highest"]) == pytest.approx((1 / 3, 2 / 3))
    assert row["variance"] == pytest.approx((1 / 3) ** 2 / 2)


def test_the_effect_is_the_controls_and_what_is_net_of_it():
    control = people(PROSE, format="neutral", value=[1, 0, 0, 1, 0, 1, 1, 0, 1])  # Δ = 2/9
    (row,) = (
        control_table(pd.concat([PROSE, control], ignore_index=True)).query("measure == 'value'").to_dict("records")
    )
    assert (row["persona"], row["control"], row["net"]) == pytest.approx((1 / 3, 2 / 9, 1 / 9))
    assert control_table(PROSE).empty


def test_levels_whose_order_turns_round_from_one_format_to_the_other():
    levels = {"country": [name for name in ("IND", "NOR", "USA") for _ in range(5)]}
    up = [[0, 0]] * 5 + [[0, 1]] * 5 + [[1, 1]] * 5
    prose = as_scores(up, [0, 0], None, levels)
    bullets = people(as_scores(up[::-1], [0, 0], None, levels), format="bullets")
    (row,) = ranking_table(pd.concat([prose, bullets], ignore_index=True), ["country"]).to_dict("records")
    assert (row["one"], row["other"], row["levels"], row["tau"]) == ("bullets", "prose", 3, pytest.approx(-1))

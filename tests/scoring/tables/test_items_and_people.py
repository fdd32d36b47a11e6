"""How far personas move an item."""

import math

import pandas as pd
import pytest

from scoring.statistics.designs.simulation import as_scores
from scoring.tables.items_and_people import item_table


def test_moved_is_measured_against_the_same_order_of_options():
    scores = as_scores([[1, 0], [1, 0], [0, 0]], [1, 0])
    turned = scores.assign(rotation=1, value=1 - scores["value"])  # a letter prior: the other option, whoever asks
    both = pd.concat([scores, turned], ignore_index=True)
    both["chosen_by_text"] = both["value"]
    both["chosen_by_probability"] = math.nan
    moved = item_table(both).set_index("item_id")["moved"]
    assert moved["item 0"] == pytest.approx(1 / 3)
    assert moved["item 1"] == 0

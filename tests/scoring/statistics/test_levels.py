"""Which levels are withheld, so that none can be worked out from the others and the total."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.statistics.levels import HIDDEN_UNDER, hidden_levels, is_missing


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_what_is_withheld_cannot_be_worked_out(sizes: list[int]) -> None:
    people = pd.Series({f"level {n}": size for n, size in enumerate(sizes)})
    hidden = people[sorted(hidden_levels(people))]
    assert set(people.index[people < HIDDEN_UNDER]) <= set(hidden.index)
    if len(hidden) and len(hidden) < len(people):
        assert len(hidden) >= 2 and hidden.sum() >= HIDDEN_UNDER
        assert hidden.max() <= people.drop(hidden.index).min()
    assert len(hidden) == 0 or (people < HIDDEN_UNDER).any()


@pytest.mark.parametrize(("level", "missing"), [("missing", True), ("", True), ("NOR × missing", True), ("NOR", False)])
def test_a_missing_answer_is_no_level(level: str, missing: bool) -> None:
    assert is_missing(level) is missing

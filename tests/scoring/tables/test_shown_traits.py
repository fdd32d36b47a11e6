"""Two sets of traits side by side."""

import pandas as pd
import pytest

from scoring.statistics.designs.simulation import Design, simulate
from scoring.statistics.effect import persona_effect
from scoring.tables.shown_traits import conditioning_table, of_smallest_set, set_sizes

FEW, MANY = "demographic (10)", "demographic, value (33)"


def both() -> pd.DataFrame:
    """The same people and items under two sets; with values every tenth score is 0 instead."""
    first = simulate(Design(30, 24, levels=1), seed=11).scores
    alone = first["persona_id"] == ""
    few = first.assign(traits=FEW).astype({"traits": object})
    few.loc[alone, "traits"] = ""
    second = few[~alone].assign(traits=MANY)
    second.loc[second.index % 10 == 0, "value"] = 0.0
    return pd.concat([few, second], ignore_index=True)


def test_each_set_has_the_effect_that_it_has_alone_and_their_difference_is_paired() -> None:
    scores = both()
    assert set_sizes(scores) == [FEW, MANY]
    few, many = conditioning_table(scores).to_dict("records")
    alone = persona_effect(of_smallest_set(scores))
    assert (few["effect"], few["items_low"]) == (alone.effect, alone.items_low)
    assert few["effect"] - many["effect"] == pytest.approx(-many["difference"]) and many["difference"] < 0
    paired = many["difference_high"] - many["difference_low"]
    assert paired < 0.8 * (many["items_high"] - many["items_low"])
    assert conditioning_table(of_smallest_set(scores)).empty

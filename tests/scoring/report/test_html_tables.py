"""The page's tables: few columns, each explained, the same numbers as everywhere."""

import numpy as np
import pandas as pd

from scoring.report.html_tables import html_tables
from scoring.report.numbers import in_points, points_interval, score
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.subgroups import Slicing, effect_tables
from scoring.tables.items_and_people import answer_table


def scores(seed: int = 3) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    people = {"gender": ["male", "female"] * 15}
    found = as_scores(random.integers(0, 2, (30, 12)), random.integers(0, 2, (1, 12)), None, people)
    chosen = found["value"].astype(int)
    return found.assign(chosen_by_text=chosen, chosen_by_probability=np.nan)


def test_a_table_has_few_columns_and_explains_each() -> None:
    effects = effect_tables(scores(), Slicing(("gender",), min_n=5)).effects
    tables = html_tables({"effects": effects}, 5)
    for table in tables.values():
        heads = [name for name, _ in table.columns]
        assert len(heads) <= 11 and [name for name, _ in table.legend] == heads
        assert all(words for _, words in table.legend)
        assert all(len(cells) == len(heads) for _, rows in table.models for _, cells in rows)
    shown = dict(zip((name for name, _ in tables["gaps"].columns), tables["gaps"].models[0][1][0][1], strict=False))
    row = effects[effects["level"] == "female"].iloc[0]
    assert shown["level"] == "women" and shown["Δ"] == in_points(row["effect"])
    assert shown["95% interval, these items"] == points_interval(row["people_low"], row["people_high"])
    overall = dict(
        zip(
            (name for name, _ in tables["effects_overall"].columns),
            tables["effects_overall"].models[0][1][0][1],
            strict=False,
        )
    )
    assert overall["with"] == score(effects.iloc[0]["with_persona"])


def test_a_model_is_named_once_above_its_rows() -> None:
    effects = pd.concat([effect_tables(scores(n), Slicing(())).effects.assign(model=f"model {n}") for n in (1, 2)])
    table = html_tables({"effects": effects}, 5)["effects_overall"]
    assert [name for name, _ in table.models] == ["model 1", "model 2"] and table.size == 2
    assert "model" not in [name for name, _ in table.columns]
    single = html_tables({"effects": effects[effects["model"] == "model 1"]}, 5)["effects_overall"]
    assert [name for name, _ in single.models] == [""]


def test_who_changed_is_known_by_level() -> None:
    found = scores()
    table = answer_table(found, ["gender"], list(found["item_id"].unique()))
    alone = found[found["persona_id"] == ""].set_index("item_id")["value"]
    women = found[(found["persona_id"] != "") & (found["gender"] == "female")]
    differ = (women["value"].to_numpy() != women["item_id"].map(alone).to_numpy()).mean()
    of_women = table[(table["attribute"] == "gender") & (table["level"] == "female")]
    assert np.average(of_women["changed"], weights=of_women["answers"]) == differ
    assert table.loc[table["attribute"] == "baseline", "changed"].isna().all()

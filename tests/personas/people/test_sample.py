"""Samples keep the joint distribution, and are the same everywhere."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.errors import InputError
from personas.people.allocation import allocate
from personas.people.respondents import Respondents, Source, combine
from personas.people.sample import deviation, sample, split
from personas.people.twins import twins
from personas.traits import NOT_ASKED, catalogue

CORE = catalogue().traits
STRATA = ["country", "age_band", "gender"]
GOLDEN = ["s:1:57", "s:1:19", "s:1:91", "s:1:162", "s:1:146", "s:1:141"]
OF_RULE_1 = ["s:1:141", "s:1:36", "s:1:183", "s:1:59", "s:1:162", "s:1:166"]


def people(rows: int, seed: int = 0, weighted: bool = True) -> Respondents:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "persona_id": [f"s:1:{n}" for n in range(rows)],
            "survey": "s",
            "wave": "1",
            "country": random.choice(["IND", "NOR", "USA"], rows, p=[0.7, 0.2, 0.1]),
            "weight": random.uniform(0.2, 3, rows),
            "age": random.integers(18, 90, rows).astype(np.int16),
            "gender": random.integers(1, 3, rows).astype(np.int16),
            "imp_work": random.choice([-1, 1, 2, 3, 4], rows).astype(np.int16),
        }
    )
    traits = {name: CORE[name] for name in ("country", "age", "gender", "imp_work")}
    return Respondents(frame, traits, {"s": Source("s", "S", False, "free", "me", weighted)})


def cells(respondents: Respondents) -> pd.Series:
    return pd.concat([respondents.attribute(name) for name in STRATA], axis=1).value_counts()


def worst_deviation(drawn: Respondents, source: Respondents, allocation: str, mass: np.ndarray) -> float:
    """How far any level is from its share of its parent, over all prefixes; where no level runs out."""
    paths = pd.DataFrame({name: source.attribute(name).to_numpy(dtype=str) for name in STRATA})
    own = pd.DataFrame({name: drawn.attribute(name).to_numpy(dtype=str) for name in STRATA})
    everybody, inside = np.ones(len(source), dtype=bool), np.ones(len(drawn), dtype=bool)

    def deviation_below(there: np.ndarray, here: np.ndarray, depth: int) -> float:
        if depth == len(STRATA):
            return 0.0
        name, worst = STRATA[depth], 0.0
        for level in paths.loc[there, name].unique():
            of_level = there & (paths[name] == level).to_numpy()
            drawn_there = here & (own[name] == level).to_numpy()
            share = mass[of_level].sum() / mass[there].sum()
            if allocation == "equal" and depth == 0:
                share = 1 / paths[name].nunique()
            apart = np.abs(np.cumsum(drawn_there) - share * np.cumsum(here)).max()
            worst = max(worst, apart, deviation_below(of_level, drawn_there, depth + 1))
        return worst

    return deviation_below(everybody, inside, 0)


@pytest.mark.parametrize("allocation", ["proportional", "equal"])
@pytest.mark.parametrize("weights", ["none", "survey"])
def test_every_prefix_has_each_level_within_one_of_its_share_of_the_level_above(allocation: str, weights: str) -> None:
    for seed in range(4):
        source = people(900, seed)
        drawn = sample(source, 150, STRATA, seed, allocation, weights)  # type: ignore[arg-type]
        mass = source.frame["weight"].to_numpy() if weights == "survey" else np.ones(900)
        assert worst_deviation(drawn, source, allocation, mass) < 1 + 1e-6
        fewer = sample(source, 61, STRATA, seed, allocation, weights)  # type: ignore[arg-type]
        assert drawn.frame["persona_id"].head(61).tolist() == fewer.frame["persona_id"].tolist()
        assert drawn.frame["persona_id"].is_unique


def test_small_levels_come_early_in_some_branch_and_are_not_left_to_the_end() -> None:
    """In each of 20 branches a level of 10 % is due once in ten people: over all, a tenth has it from the start."""
    frame = pd.DataFrame({"persona_id": [f"s:1:{n}" for n in range(4000)], "survey": "s", "wave": "1", "weight": 1.0})
    frame["country"] = [f"C{n % 20:02}" for n in range(4000)]
    frame["gender"] = np.where(np.arange(4000) // 20 % 10 == 0, 1, 2).astype(np.int16)
    source = Respondents(frame, {name: CORE[name] for name in ("country", "gender")})
    rare = [int((sample(source, 60, ["country", "gender"], seed).frame["gender"] == 1).sum()) for seed in range(20)]
    assert 4.5 < np.mean(rare) < 7.5 and min(rare) > 0


def test_the_same_sample_on_every_machine() -> None:
    drawn = sample(people(200), 6, STRATA, seed=1)
    assert drawn.frame["persona_id"].tolist() == GOLDEN
    shuffled = people(200).take(np.random.default_rng(0).permutation(200))
    assert sample(shuffled, 6, STRATA, seed=1).frame["persona_id"].tolist() == GOLDEN
    cell, gap = deviation(people(200), drawn, STRATA)
    assert cell.count(" × ") == 2 and 0 < abs(gap) < 1 / 6


def test_rule_1_still_draws_whom_it_drew() -> None:
    drawn = sample(people(200), 6, STRATA, seed=1, rule=1)
    assert set(drawn.frame["persona_id"]) == set(OF_RULE_1)
    for n in (7, 150):
        drawn = sample(people(600), n, STRATA, n, rule=1)
        share = cells(people(600)) * n / 600
        assert (share.sub(cells(drawn), fill_value=0).abs() < 1 + 1e-9).all()
        mass = np.ones(n)
        assert worst_deviation(drawn, drawn, "proportional", mass) < 1 + 1e-6


def test_equal_allocation_and_minimum() -> None:
    equal = sample(people(600), 90, STRATA, 0, allocation="equal")
    assert equal.frame["country"].value_counts().to_dict() == {"IND": 30, "NOR": 30, "USA": 30}
    source = people(600)
    drawn = sample(source, 150, STRATA, 0, minimum=2)
    assert (cells(drawn).reindex(cells(source).index, fill_value=0) >= cells(source).clip(upper=2)).all()
    assert len(drawn) == 150
    with pytest.raises(InputError, match="lower the minimum"):
        sample(source, 20, STRATA, 0, minimum=5)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0.01, 100)), min_size=1, max_size=12), st.data())
def test_allocation_gives_exactly_n_within_floors_and_members(
    cells: list[tuple[int, float]], data: st.DataObject
) -> None:
    members = pd.Series([size for size, _ in cells], index=[f"c{n:02}" for n in range(len(cells))])
    mass = pd.Series([weight for _, weight in cells], index=members.index)
    minimum = data.draw(st.integers(0, 4))
    floors = members.clip(upper=minimum)
    n = data.draw(st.integers(int(floors.sum()), int(members.sum())))
    for allocation in ("proportional", "equal"):
        seats = allocate(members, mass, n, allocation, minimum)
        assert seats.sum() == n and (seats >= floors).all() and (seats <= members).all()


def test_weights_decide_shares_and_odds_and_are_then_spent() -> None:
    source = people(3000)
    heavy = source.frame["imp_work"] == 1
    source = replace(source, frame=source.frame.assign(weight=np.where(heavy, 9.0, 1.0)))
    drawn = sample(source, 300, ["country"], 0, weights="survey")
    plain = sample(source, 300, ["country"], 0)
    of_heavy = (drawn.frame["imp_work"] == 1).mean()
    assert of_heavy > 0.55 > 0.3 > (plain.frame["imp_work"] == 1).mean()
    assert set(drawn.frame["weight"]) == {1.0}
    with pytest.raises(InputError, match="has no weights"):
        sample(people(50, weighted=False), 5, [], 0, weights="survey")


def test_the_split_has_a_hundred_answers_of_each_trait_on_both_sides() -> None:
    source = people(1000)
    rare = np.where(np.arange(1000) < 210, 1, NOT_ASKED).astype(np.int16)
    source = replace(
        source, frame=source.frame.assign(literacy=rare), traits={**source.traits, "literacy": CORE["literacy"]}
    )
    done = split(source, STRATA, seed=3).frame
    counts = {part: int((done.loc[done["split"] == part, "literacy"] >= 0).sum()) for part in ("train", "test")}
    assert counts["train"] >= 100 and counts["test"] >= 100
    assert split(source, STRATA, seed=3).frame["split"].tolist() == done["split"].tolist()
    plain = split(people(1000), STRATA, seed=3).frame["split"]
    assert int((plain == "test").sum()) == 200


def test_twins_differ_in_one_trait_alone() -> None:
    source = people(40)
    changed = twins(source, ["gender", "country"])
    both = combine([source, changed]).frame
    original = source.frame.set_index("persona_id")
    assert len(changed) == 80
    for row in changed.frame.to_dict("records"):
        persona_id, _, swap = row["persona_id"].partition("~")
        differing = {name for name, value in original.loc[persona_id].items() if row[name] != value}
        assert differing == {swap.partition("=")[0]}
    assert changed.frame["persona_id"].iloc[0].endswith(("~gender=male", "~gender=female"))
    assert both["persona_id"].is_unique
    with pytest.raises(InputError, match="swap: unknown trait 'sex'"):
        twins(source, ["sex"])


def test_nobody_has_a_twin_in_what_was_not_answered() -> None:
    source = people(40)
    answered = int((source.frame["imp_work"] >= 0).sum())
    assert answered < 40 and len(twins(source, ["imp_work"])) == answered


def test_where_keeps_those_who_have_every_wanted_value_and_names_what_nobody_has() -> None:
    frame = pd.DataFrame({"persona_id": list("abcd"), "survey": "s", "wave": "1", "weight": 1.0})
    frame = frame.assign(country=["NOR", "NOR", "IND", "USA"], gender=[1, 2, 2, -1])
    everyone = Respondents(frame, dict(catalogue().traits))
    assert list(everyone.where({}).frame["persona_id"]) == list("abcd")
    kept = everyone.where({"country": ["NOR", "IND"], "gender": ["female"]})
    assert list(kept.frame["persona_id"]) == ["b", "c"]
    with pytest.raises(InputError, match="no respondent has country = 'NRO'; did you mean 'NOR'"):
        everyone.where({"country": ["NRO"]})
    with pytest.raises(InputError, match="unknown trait 'contry'; did you mean 'country'"):
        everyone.where({"contry": ["NOR"]})
    with pytest.raises(InputError, match="nobody has all of country: USA; gender: female"):
        everyone.where({"country": ["USA"], "gender": ["female"]})

"""Courses of adaptive rounds: nobody is asked twice, levels by themselves, and the table takes the course again."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from scoring.statistics.designs.adaptive_rounds import AdaptiveDesign
from scoring.statistics.designs.inclusion import ASKED, ROUND, Round, with_rounds
from scoring.statistics.designs.sequential import InterimLook, Target, target_table
from scoring.statistics.designs.simulation import Design, simulate

FULL = simulate(Design(60, 24, levels=2, baseline_replicates=100), seed=2).scores
GROUPS = sorted(FULL["group"].astype(str).unique())
TARGET = Target(0.08, by="level", adaptive=True)
PEOPLE = dict(FULL.loc[FULL["persona_id"] != "", ["persona_id", "level"]].astype(str).drop_duplicates().to_numpy())


def answered(rounds: Mapping[tuple[str, int], Round]) -> pd.DataFrame:
    """The answers that these rounds asked for."""
    asked = {(name, group) for one in rounds.values() for name, own in one.items() for group in own}
    keys = zip(FULL["persona_id"].astype(str), FULL["group"].astype(str), strict=True)
    kept = np.array([name == "" or (name, group) in asked for name, group in keys])
    return with_rounds(FULL[kept], rounds, 8, GROUPS)


def course_of(
    people: Mapping[str, str], known: Mapping[tuple[str, int], Round]
) -> tuple[AdaptiveDesign, list[InterimLook]]:
    strata = {name: str(int(name.split()[1]) % 3) for name in people}
    course = AdaptiveDesign(TARGET, people, GROUPS, strata, known)
    looks = course.looks(answered(known))
    while batch := course.next_batch(looks):
        assert {PEOPLE[name] for name in batch.cells} == {batch.level}
        looks = course.looks(answered(course.known))
    return course, looks


def test_levels_end_by_themselves_and_nobody_is_asked_twice() -> None:
    course, looks = course_of(PEOPLE, {})
    assert all(look.reached and 1 < look.asked < 8 for look in looks)
    for level in ("level 0", "level 1"):
        for name in (name for name, own in PEOPLE.items() if own == level):
            asked = [group for (of, _), one in course.known.items() if of == level for group in one[name]]
            assert len(asked) == len(set(asked))
    chances = [chance for one in course.known.values() for own in one.values() for chance in own.values()]
    assert min(chances) >= 0.1 - 1e-9 and max(chances) <= 1


def test_a_course_that_goes_on_draws_nothing_anew_and_the_table_is_of_its_end() -> None:
    course, looks = course_of(PEOPLE, {})
    again, same = course_of(PEOPLE, course.known)
    assert (again.known, same) == (course.known, looks)
    scores = answered(course.known)
    found = target_table(
        scores, TARGET, PEOPLE, {"simulated": GROUPS}, make=lambda part, *own: AdaptiveDesign(*own, known=course.known)
    )
    assert found["asked"].tolist() == [look.asked for look in looks]
    assert found["effect"].tolist() == pytest.approx([look.effect for look in looks])
    assert found["outcome"].tolist() == ["reached", "reached"]


def test_a_round_that_is_not_whole_counts_for_nothing_yet() -> None:
    course, _ = course_of(PEOPLE, {})
    scores = answered(course.known)
    last = max(number for level, number in course.known if level == "level 0")
    rows = scores[(scores[ROUND] == last).to_numpy() & (scores["level"] == "level 0").to_numpy()]
    cut = with_rounds(FULL.loc[scores.index.difference(rows.index[:1])], course.known, 8, GROUPS)
    of_level = cut[(cut["level"] == "level 0").to_numpy()]
    assert of_level[ASKED].max() == last - 1 == of_level[ROUND].max()
    assert of_level[ROUND].isna().sum() == len(rows) - 1


def test_who_joins_later_is_drawn_what_the_others_were_drawn_before() -> None:
    some = {name: level for name, level in PEOPLE.items() if not name.endswith("7")}
    course, _ = course_of(some, {})
    later, looks = course_of(PEOPLE, course.known)
    assert all(later.known[key][name] == one[name] for key, one in course.known.items() for name in one)
    assert all(look.personas == 30 for look in looks) and set(later.known["level 1", 1]) > set(
        course.known["level 1", 1]
    )

"""The test of the answers: what a trait moves though the score stays; and how seldom it finds nothing's trace."""

import numpy as np
import pandas as pd
from told_studies import NAMES, told_study

from scoring.robustness.traits.trait_relevance import UNTESTED, relevance
from scoring.statistics.pairs import parts


def _with_answers(scores: pd.DataFrame, moved: str, random: np.random.Generator) -> pd.DataFrame:
    """Two right options of four: which is chosen depends on whether `moved` is told."""
    told = scores[moved].to_numpy() if moved else np.zeros(len(scores))
    return scores.assign(chosen_by_text=np.where(random.random(len(scores)) < 0.2 + 0.6 * told, 0.0, 3.0))


def test_answers_that_move_are_found_where_the_score_stays() -> None:
    random = np.random.default_rng(1)
    scores = told_study(lambda frame, random: np.full(len(frame), 0.5))
    (part,) = parts(_with_answers(scores, "c", random))
    found = relevance(part, NAMES)
    assert [name for name in NAMES if found[name].moved_p < 0.01] == ["c"]
    assert found["c"].moved > 2 * found["c"].moved_by_chance
    (few,) = parts(scores[scores["persona_id"].isin(["", "p1", "p2"])])
    assert set(relevance(few, NAMES).values()) == {UNTESTED}


def test_people_who_read_the_same_count_once() -> None:
    random = np.random.default_rng(2)
    scores = _with_answers(told_study(lambda frame, random: np.full(len(frame), 0.5), people=10), "", random)
    alone = scores["persona_id"] == ""
    copies = [
        scores.assign(persona_id=scores["persona_id"].where(alone, scores["persona_id"] + each)) for each in "xyz"
    ]
    (once,), (thrice,) = parts(copies[0]), parts(pd.concat(copies))
    assert [each.moved for each in relevance(once, NAMES).values()] == [
        each.moved for each in relevance(thrice, NAMES).values()
    ]

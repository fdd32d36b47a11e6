"""Scores of made-up studies whose traits are told at random."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from personas.prompt.random_profiles import RandomProfiles
from scoring.statistics.weights import Floats

NAMES = ("a", "b", "c", "d", "e")


def told_study(
    score: Callable[[pd.DataFrame, np.random.Generator], Floats], people: int = 30, groups: int = 12, seed: int = 0
) -> pd.DataFrame:
    """Scores as `load_scores` gives them; `score` makes them from a frame with a column of what is told a trait."""
    random = np.random.default_rng(seed)
    rule = RandomProfiles(NAMES, told=2, count=4, seed=seed)
    rows = [
        {"persona_id": f"p{person}", "group": f"g{group}", "profile": rule.beside(f"p{person}", group)}
        for person in range(people)
        for group in range(groups)
    ]
    frame = pd.DataFrame(rows)
    texts = {f"p{person}": rule.of(f"p{person}") for person in range(people)}
    told = [texts[person][profile] for person, profile in zip(frame["persona_id"], frame["profile"], strict=True)]
    for name in NAMES:
        frame[name] = [float(name in each) for each in told]
    frame["told"] = [", ".join(each) for each in told]
    frame["told_text"] = frame["persona_id"] + " " + frame["told"]
    frame["value"] = score(frame, random)
    frame["chosen_by_text"] = (frame["value"] > frame["value"].median()).astype(float)
    frame = frame.assign(cluster=frame["persona_id"], item_id=frame["group"], chosen_by_probability=np.nan)
    alone = frame.drop_duplicates("item_id").assign(persona_id="", cluster="", told="", told_text="", value=0.5)
    both = pd.concat([alone, frame], ignore_index=True)
    return both.assign(model="m", benchmark="b", rotation=0, replicate=0)

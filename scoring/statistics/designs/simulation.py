"""Simulated studies with a known effect, to judge the statistics by and to plan with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Simulated:
    """Scores in `load_scores`' columns, the effect they were drawn with, and its value for these very items."""

    scores: pd.DataFrame
    effect: float
    effect_on_these_items: float


@dataclass(frozen=True)
class Design:
    """Crossed random effects; spreads are standard deviations in score units.

    Items come in groups of `group_size`. Persona and item effects are shifted gamma variates (skewness 1.4), answers
    are 0 or 1, and the baseline is asked `baseline_replicates` times at the same temperature. `level_gap` is added to
    the personas of the first of `levels` levels.
    """

    personas: int
    items: int
    effect: float = -0.05
    persona_spread: float = 0.05
    item_spread: float = 0.08
    group_size: int = 1
    baseline_replicates: int = 5
    levels: int = 5
    level_gap: float = 0.0


def simulate(design: Design, seed: int) -> Simulated:
    """A study drawn from the design: reproducible by its seed."""
    random = np.random.default_rng(seed)
    people, items = design.personas, design.items
    base = 0.35 + 0.4 * random.beta(4, 2, items)
    item_effect = np.repeat(_skewed(random, -(-items // design.group_size)), design.group_size)[:items]
    level = np.arange(people) % design.levels
    person_effect = design.persona_spread * _skewed(random, people) + design.level_gap * (level == 0)
    shift = design.effect + design.item_spread * item_effect
    chance = np.clip(base + shift + person_effect[:, None], 0.0, 1.0)
    answers = (random.random((people, items)) < chance).astype(float)
    alone = (random.random((design.baseline_replicates, items)) < base).astype(float)
    with_gap = design.level_gap * float((level == 0).mean())
    people_columns = {"level": [f"level {each}" for each in level]}
    groups = (np.arange(items) // design.group_size).tolist()
    scores = as_scores(answers, alone, groups, people_columns)
    return Simulated(scores, design.effect + with_gap, float(shift.mean()) + with_gap)


def as_scores(
    answers: ArrayLike,
    alone: ArrayLike,
    groups: Sequence[int] | None = None,
    people_columns: dict[str, list[str]] | None = None,
    weight: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Scores in `load_scores`' columns from a persona × item matrix and a replicate × item baseline (NaN: unparsed)."""
    with_persona, without = np.atleast_2d(np.asarray(answers, float)), np.atleast_2d(np.asarray(alone, float))
    people, items = with_persona.shape
    person = np.r_[np.zeros(without.size, dtype=int), 1 + np.repeat(np.arange(people), items)]
    item = np.r_[np.tile(np.arange(items), len(without)), np.tile(np.arange(items), people)]
    own = np.r_[np.nan, np.ones(people) if weight is None else np.asarray(weight, float)]
    values = np.r_[without.ravel(), with_persona.ravel()]
    names = [f"person {number}" for number in range(people)]
    by_person = {"persona_id": names, "cluster": names, "survey": ["simulated"] * people, **(people_columns or {})}
    of_item = np.arange(items) if groups is None else np.asarray(groups)
    replicate = np.r_[np.repeat(np.arange(len(without)), items), np.zeros(with_persona.size, dtype=int)]
    columns = {name: _named(person, ["", *column]) for name, column in by_person.items()}
    return pd.DataFrame(
        {
            **{name: _named(np.zeros(len(values), dtype=int), ["simulated"]) for name in ("model", "benchmark")},
            "item_id": _named(item, [f"item {number}" for number in range(items)]),
            "group": _named(of_item[item], [f"group {number}" for number in range(int(of_item.max()) + 1)]),
            **columns,
            "weight": own[person],
            "rotation": 0,
            "replicate": replicate,
            "format": "prose",
            "status": np.where(np.isnan(values), "unparsed", "ok"),
            "value": values,
            "expected": np.nan,
        }
    )


def _named(codes: np.ndarray, names: list[str]) -> pd.Categorical:
    """A categorical in which a name may stand behind several codes."""
    distinct, places = np.unique(np.array(names, dtype=object), return_inverse=True)
    return pd.Categorical.from_codes(places[codes], categories=distinct)


def _skewed(random: np.random.Generator, count: int) -> np.ndarray:
    """Gamma(2) variates with mean 0 and standard deviation 1."""
    drawn: np.ndarray = (random.gamma(2.0, size=count) - 2.0) / np.sqrt(2.0)
    return drawn

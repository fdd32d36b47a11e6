"""What telling each trait does: how often the intervals cover and what is found that is not there, on oracle models.

    python tests/bench/traits.py 2000 [CONDITION ...]

Each study draws its people, texts and answers anew: profiles as `RandomProfiles` draws them, a model whose score is
what each told trait adds, for everybody, by item group and by person, with noise that people who read the same share.
Wanted: intervals that cover in at least 93 %, false discoveries after Holm in at most 5 % of the studies.
"""

import sys
import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scoring.robustness.traits.told_regression import ToldCells, slopes
from scoring.robustness.traits.trait_relevance import relevance
from scoring.statistics.clustered_errors import two_sided_p
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.pairs import parts


@dataclass(frozen=True)
class Condition:
    """A design and an oracle. `own` and `items` are the standard deviations of a trait's effect over people and item
    groups, `levels` how many answers a trait has, `texts` the standard deviation of what a text does by itself."""

    people: int = 40
    groups: int = 16
    traits: int = 6
    told: int = 3
    profiles: int = 4
    own: float = 0.0
    items: float = 0.0
    texts: float = 0.0
    levels: int = 40
    missing: float = 0.0
    unequal: bool = False
    weighted: bool = False
    binary: bool = False
    effects: tuple[float, ...] = field(default=(0.25,))


CONDITIONS = {
    "noise alone": Condition(),
    "effects differ by item": Condition(items=0.2),
    "effects differ by person": Condition(own=0.3),
    "both, ten traits": Condition(traits=10, told=4, own=0.2, items=0.2),
    "10 item groups": Condition(groups=10, items=0.2),
    "10 item groups, 2 profiles": Condition(groups=10, profiles=2, items=0.2),
    "12 people": Condition(people=12, own=0.3, items=0.1),
    "20 people, 2 profiles": Condition(people=20, profiles=2, own=0.2),
    "unequal, weighted, missing": Condition(own=0.2, items=0.2, missing=0.2, unequal=True, weighted=True),
    "people who read the same": Condition(levels=2, texts=0.2),
    "few traits told, shared noise": Condition(people=60, traits=6, told=1, levels=3),
    "right or wrong": Condition(binary=True, people=60),
    "right or wrong, rare": Condition(binary=True, people=60, effects=(-0.25,)),
    "40 people, 100 items": Condition(groups=100, own=0.1, items=0.2),
    "200 people": Condition(people=200, groups=12, own=0.2, items=0.2),
}


def texts(c: Condition, random: np.random.Generator) -> np.ndarray:
    """Which traits each text of each person tells, drawn as `RandomProfiles` draws: people × profiles × traits."""
    each, more = divmod(c.told * c.profiles, c.traits)
    often = random.random((c.people, 1, c.traits)).argsort(axis=2) < more
    return random.random((c.people, c.profiles, c.traits)).argsort(axis=1).argsort(axis=1) < each + often


def study(c: Condition, random: np.random.Generator) -> tuple[ToldCells, np.ndarray]:
    """The cells of one study, and each cell's item group."""
    answers = random.integers(0, c.levels, (c.people, c.traits))
    own = texts(c, random) & (random.random((c.people, 1, c.traits)) >= c.missing)
    chunks = [random.random((c.people, c.profiles)).argsort(axis=1) for _ in range(-(-c.groups // c.profiles))]
    person, group = np.repeat(np.arange(c.people), c.groups), np.tile(np.arange(c.groups), c.people)
    told = own[person, np.hstack(chunks)[person, group]]
    text = np.unique(np.where(told, answers[person] + 1, 0), axis=0, return_inverse=True)[1].ravel()
    effect = np.zeros(c.traits)
    effect[: len(c.effects)] = c.effects
    own_slopes = effect + c.own * random.standard_normal((c.people, c.traits))[person]
    own_slopes = own_slopes + c.items * random.standard_normal((c.groups, c.traits))[group]
    score = 0.5 + (told * own_slopes).sum(axis=1) + c.texts * random.standard_normal(text.max() + 1)[text]
    same = np.unique(text * c.groups + group, return_inverse=True)[1].ravel()  # who reads the same gets one answer
    if c.binary:
        level = 0.1 if c.effects[0] > 0 else 0.4  # rare, or half, where it is not told
        d = (random.random(same.max() + 1)[same] < np.clip(score - 0.5 + level, 0.02, 0.98)).astype(float)
    else:
        score += 0.1 * random.standard_normal(c.people)[person] + 0.15 * random.standard_normal(c.groups)[group]
        d = score + 0.3 * random.standard_normal(same.max() + 1)[same]
    weight = random.integers(1, 5, c.groups)[group] if c.unequal else np.ones(len(d))
    weight = weight * (np.exp(0.7 * random.standard_normal(c.people))[person] if c.weighted else 1.0)
    kept = random.random(len(d)) >= c.missing / 2
    codes = [np.unique(code[kept], return_inverse=True)[1].ravel() for code in (person, group, text)]
    return ToldCells(*codes, d[kept], weight[kept].astype(float), told[kept].astype(float)), group[kept]


def measured(condition: Condition, studies: int) -> str:
    """Coverage, false discoveries after Holm, and power."""
    random = np.random.default_rng(1)
    truth = np.zeros(condition.traits)
    truth[: len(condition.effects)] = condition.effects
    null = truth == 0
    cover, half, errors = [], [], []
    for _ in range(studies):
        found = slopes(study(condition, random)[0])
        low, high = (np.array([getattr(each.interval, side) for each in found]) for side in ("low", "high"))
        known = ~np.isnan(low)
        cover += list(((low <= truth) & (truth <= high))[known])
        half += list((high - low)[known] / 2)
        p = [
            two_sided_p(each.effect / each.interval.error, each.interval.freedom) if each.interval.error > 0 else np.nan
            for each in found
        ]
        holds = adjusted(np.array(p))[0] < 0.05
        errors.append((holds[null].any(), holds[~null].all()))
    false, power = np.mean(errors, axis=0)
    shares = f"false {false:.3f}, found {power:.3f}"
    return f"covered {np.mean(cover):.3f} of {len(cover):,}, ± {np.mean(half):.3f}; {shares}"


def answers_measured(condition: Condition, studies: int) -> str:
    """False discoveries after Holm, and power, of the test of the answers, where only one trait moves any."""
    random = np.random.default_rng(1)
    errors = []
    for number in range(studies):
        cells, group = study(condition, random)
        names = [f"t{each}" for each in range(condition.traits)]
        told = [", ".join(name for name, there in zip(names, row, strict=True) if there) for row in cells.told]
        frame = pd.DataFrame({"persona_id": cells.person.astype(str), "item_id": group.astype(str), "told": told})
        frame = frame.assign(told_text=cells.text.astype(str), chosen_by_text=cells.d, chosen_by_probability=np.nan)
        frame = frame.assign(model="m", benchmark="b", rotation=0, replicate=0)
        found = relevance(parts(frame)[0], names, number)
        holds = adjusted(np.array([found[name].moved_p for name in names]))[0] < 0.05
        errors.append((holds[1:].any(), holds[0]))
    false, power = np.mean(errors, axis=0)
    return f"answers: false {false:.3f}, found {power:.3f}"


if __name__ == "__main__":
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for name in sys.argv[2:] or CONDITIONS:
        start, condition = time.perf_counter(), CONDITIONS[name]
        print(f"{name:32s} {measured(condition, studies)}  [{time.perf_counter() - start:.0f} s]", flush=True)
        if condition.binary:
            print(f"{name:32s} {answers_measured(condition, studies)}", flush=True)

"""What telling each trait does: how often the intervals cover and what is found that is not there, on oracle models.

    python tests/bench/traits.py 2000 [CONDITION ...]

Each study draws its people, texts and answers anew: profiles as `RandomProfiles` draws them, a model whose score is
what each told trait adds, for everybody, by item group and by person, with noise that people who read the same share.
Reference (2,000 studies a condition, 2026-11-26): see docs/explanation/robustness.md.
"""

import sys
import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from personas.prompt.random_profiles import RandomProfiles
from scoring.robustness.traits.told_traits import told_trait_table
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
    "8 item groups": Condition(groups=8, items=0.2),
    "8 item groups, 2 profiles": Condition(groups=8, profiles=2, items=0.2),
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


def study(condition: Condition, random: np.random.Generator, seed: int) -> pd.DataFrame:
    """The scores of one study, as `load_scores` gives them."""
    c = condition
    names = [f"t{number}" for number in range(c.traits)]
    rule = RandomProfiles(tuple(names), c.told, c.profiles, seed)
    ids = [f"p{number}" for number in range(c.people)]
    answers = random.integers(0, c.levels, (c.people, c.traits))
    known = random.random((c.people, c.traits)) >= c.missing
    own = np.array([[[name in text for name in names] for text in rule.of(person)] for person in ids]) & known[:, None]
    beside = np.array([[rule.beside(person, place) for place in range(c.groups)] for person in ids])
    person, group = np.repeat(np.arange(c.people), c.groups), np.tile(np.arange(c.groups), c.people)
    told = own[person, beside[person, group]]
    spelt = pd.DataFrame(np.where(told, answers[person] + 1, 0)).astype(str).agg("-".join, axis=1)
    text = pd.factorize(spelt)[0]
    effect = np.zeros(c.traits)
    effect[: len(c.effects)] = c.effects
    slopes = effect + c.own * random.standard_normal((c.people, c.traits))[person]
    slopes = slopes + c.items * random.standard_normal((c.groups, c.traits))[group]
    score = 0.5 + (told * slopes).sum(axis=1) - (0.05 * (c.effects[0] < 0)) * 7
    score += 0.1 * random.standard_normal(c.people)[person] * (not c.binary)
    score += 0.15 * random.standard_normal(c.groups)[group] * (not c.binary)
    score += c.texts * random.standard_normal(text.max() + 1)[text]
    noise = text * c.groups + group
    if c.binary:
        value = (random.random(noise.max() + 1)[noise] < np.clip(score + (0.35 if c.effects[0] < 0 else 0), 0, 1)) * 1.0
    else:
        value = score + 0.3 * random.standard_normal(noise.max() + 1)[noise]
    frame = pd.DataFrame(
        {
            "persona_id": np.array(ids)[person],
            "cluster": np.array(ids)[person],
            "item": group,
            "group": [f"g{each}" for each in group],
            "told": [", ".join(name for name, there in zip(names, row, strict=True) if there) for row in told],
            "told_text": spelt,
            "value": value,
            "chosen_by_text": (value > 0.5).astype(float),
            "chosen_by_probability": np.nan,
            "weight": np.exp(0.7 * random.standard_normal(c.people))[person] if c.weighted else 1.0,
        }
    )
    copies = random.integers(1, 5, c.groups) if c.unequal else np.ones(c.groups, dtype=int)
    frame = frame.loc[frame.index.repeat(copies[group])].reset_index(drop=True)
    frame["item_id"] = frame["group"] + "/" + frame.groupby(["persona_id", "group"]).cumcount().astype(str)
    frame = frame[random.random(len(frame)) >= c.missing / 2]
    alone = frame.drop_duplicates("item_id").assign(persona_id="", cluster="", told="", told_text="", value=0.4)
    both = pd.concat([alone, frame], ignore_index=True)
    return both.assign(model="m", benchmark="b", rotation=0, replicate=0, survey="s", wave="1", country="X")


def measured(condition: Condition, studies: int) -> str:
    """Coverage, false discoveries after Holm, and power; the same of the test of the answers, where a trait without an
    effect moves none."""
    random = np.random.default_rng(1)
    truth = np.zeros(condition.traits)
    truth[: len(condition.effects)] = condition.effects
    null = truth == 0
    weights = "survey" if condition.weighted else "none"
    still = condition.own == condition.items == condition.texts == 0
    cover, half, errors = [], [], []
    for number in range(studies):
        scores = study(condition, random, number)
        scores = scores if still else scores.drop(columns=["chosen_by_text", "chosen_by_probability"])
        table = told_trait_table(parts(scores, weights=weights), (), number).set_index("trait")
        table = table.loc[[f"t{place}" for place in range(condition.traits)]]
        low, high = table["low"].to_numpy(), table["high"].to_numpy()
        known = ~np.isnan(low)
        cover += list(((low <= truth) & (truth <= high))[known])
        half += list((high - low)[known] / 2)
        holds = [table[name].to_numpy() < 0.05 for name in ("holm", "moved_holm")]
        errors.append([each for hold in holds for each in (hold[null].any(), hold[~null].all())])
    false, found, moved_false, moved = np.mean(errors, axis=0)
    told = (
        f"covered {np.mean(cover):.3f} of {len(cover):,}, ± {np.mean(half):.3f}; false {false:.3f}, found {found:.3f}"
    )
    return f"{told}; answers: false {moved_false:.3f}, found {moved:.3f}" if still else told


if __name__ == "__main__":
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for name in sys.argv[2:] or CONDITIONS:
        start = time.perf_counter()
        print(f"{name:32s} {measured(CONDITIONS[name], studies)}  [{time.perf_counter() - start:.0f} s]", flush=True)

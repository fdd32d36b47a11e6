"""Whether the intervals of variance by facet hold: oracle models whose answers have known variance components.

python tests/bench/facets.py [studies] [words of a condition's name]    (2,000 studies a condition by default)

Answers are drawn from a logistic model with effects of persona, item group, item, wording, rotation and
persona × item; the truth is the analysis of variance of the model's chance over a grid of quantiles. Printed, a line a
source: the truth, the mean estimate, the share of studies with an interval, the share of these that covers (at least
93 % is wanted), and the median interval.
"""

import math
import sys
import time
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import expit
from scipy.stats import norm, qmc

from scoring.robustness.crossed import BY, REST, Crossed

LEAST = 0.93


@dataclass(frozen=True)
class Facets:
    """Numbers of levels and spreads on the logit scale; `lost` of the people move by `by` more; `asked` items a
    person (0: all), `unread` a share of answers missing at random, `drawn` replicates of the baseline (0: exact)."""

    people: int = 100
    groups: int = 40
    size: int = 1
    wordings: int = 1
    rotations: int = 1
    replicates: int = 1
    base: float = 0.8
    difficulty: float = 1.0
    of_person: float = 0.4
    of_group: float = 0.3
    of_item: float = 0.4
    of_wording: float = 0.3
    of_rotation: float = 0.3
    of_both: float = 0.0
    of_person_wording: float = 0.0
    lost: float = 0.0
    by: float = -2.0
    skewed: bool = False
    asked: int = 0
    unread: float = 0.0
    drawn: int = 0
    soft: bool = False


CONDITIONS = {
    "100 people, 40 items": Facets(),
    "20 people, 40 items": Facets(people=20),
    "8 people, 12 items, 2 wordings": Facets(people=8, groups=12, wordings=2),
    "100 people, 10 items": Facets(groups=10),
    "100 people, 6 items, 2 rotations": Facets(groups=6, rotations=2),
    "100 people, 40 items, 4 wordings": Facets(wordings=4),
    "50 people, 20 items, 6 wordings": Facets(people=50, groups=20, wordings=6, of_person_wording=0.3),
    "50 people, 20 items, 12 wordings, skewed": Facets(people=50, groups=20, wordings=12, skewed=True),
    "60 people, 20 items, 2 wordings, 2 rotations": Facets(people=60, groups=20, wordings=2, rotations=2),
    "60 people, 20 items, 3 replicates": Facets(people=60, groups=20, replicates=3, of_both=0.6),
    "nobody differs": Facets(of_person=0.0),
    "nothing differs but items' difficulty": Facets(of_person=0.0, of_group=0.0, of_item=0.0),
    "a tenth of the people lost": Facets(lost=0.1),
    "a tenth of the people lost, 30 people": Facets(people=30, lost=0.1),
    "skewed people and items": Facets(skewed=True, of_person=0.7, of_item=0.8),
    "near 1 (97 %)": Facets(base=4.0),
    "near 1 (97 %), 10 items": Facets(base=4.0, groups=10),
    "groups of 4 items": Facets(groups=12, size=4),
    "groups of 4 items, 2 rotations": Facets(people=40, groups=12, size=4, rotations=2),
    "each asked 10 of 40 items": Facets(asked=10),
    "a quarter unread": Facets(unread=0.25, wordings=2),
    "baseline drawn 5 times": Facets(drawn=5),
    "baseline drawn twice, 15 items": Facets(groups=15, drawn=2),
    "probabilities": Facets(soft=True),
    "probabilities, 50 people, 20 items": Facets(people=50, groups=20, soft=True),
    "probabilities, 20 people, 20 items, 2 rotations": Facets(people=20, groups=20, rotations=2, soft=True),
    "probabilities, 60 people, 60 items, skewed": Facets(people=60, groups=60, skewed=True, soft=True),
    "probabilities, 100 people, 40 items, 6 wordings": Facets(wordings=6, soft=True),
    "probabilities, 30 people, 10 items, 3 wordings": Facets(people=30, groups=10, wordings=3, soft=True),
}
SIDES = (("persona",), ("item group", "item", "rotation"), ("wording",))


def spread(of: Facets, random: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Standard normal, or gamma(2) with mean 0 and standard deviation 1."""
    return (random.gamma(2.0, size=size) - 2) / math.sqrt(2) if of.skewed else random.normal(size=size)


def quantiles(of: Facets, count: int) -> np.ndarray:
    """The same as equally likely points."""
    at = (np.arange(count) + 0.5) / count
    if not of.skewed:
        found: np.ndarray = norm.ppf(at)
    else:
        from scipy.stats import gamma

        found = (gamma.ppf(at, 2.0) - 2) / math.sqrt(2)
    return (found - found.mean()) / found.std()


def own_effects(of: Facets, random: np.random.Generator) -> np.ndarray:
    """Each person's."""
    return of.of_person * spread(of, random, (of.people,)) + of.by * (random.random(of.people) < of.lost)


def study(of: Facets, random: np.random.Generator) -> Crossed:
    """A study's differences, and what they are of."""
    P, G, S, R, V, K = of.people, of.groups, of.size, of.rotations, of.wordings, of.replicates
    base = of.base + of.difficulty * spread(of, random, (G, S))
    turn = of.of_rotation * (R > 1) * spread(of, random, (G, S, R))
    item = base + of.of_group * (S > 1) * spread(of, random, (G, 1)) + of.of_item * spread(of, random, (G, S)) - 0.3
    own, word = own_effects(of, random), of.of_wording * (V > 1) * spread(of, random, (V,))
    logit = own[:, None, None, None, None] + (item[..., None] + turn)[..., None] + word
    if of.of_both:
        logit = logit + of.of_both * random.normal(size=(P, G, S, 1, 1))
    if of.of_person_wording:
        logit = logit + of.of_person_wording * random.normal(size=(P, 1, 1, 1, V))
    chance = expit(logit)[..., None]
    answers = np.broadcast_to(chance, (P, G, S, R, V, K))
    if not of.soft:
        answers = (random.random(answers.shape) < answers).astype(float)
    plain = np.broadcast_to(expit(base)[..., None], (G, S, R))
    drawn = random.random((max(of.drawn, 1), G, S, R)) < plain
    without = drawn.mean(axis=0) if of.drawn else plain
    noise = (
        np.broadcast_to((drawn.var(axis=0, ddof=1) / of.drawn)[..., None, None], (P, G, S, R, V, K))
        if of.drawn
        else None
    )
    d = answers - without[..., None, None]
    there = random.random(d.shape) >= of.unread
    if of.asked:
        start = np.arange(P) * of.asked % G
        there &= ((np.arange(G) - start[:, None]) % G < of.asked)[:, :, None, None, None, None]
    p, g, s, r, v, _ = (np.broadcast_to(each, d.shape)[there] for each in np.indices(d.shape, sparse=True))
    items = {"item group": g} if S > 1 else {}
    sides = [{"persona": p}, {**items, "item": g * S + s, "rotation": (g * S + s) * R + r}, {"wording": v}]
    return Crossed(d[there], sides, None if noise is None else noise[there], "rotation" if R > 1 else "item")


def truth(of: Facets) -> dict[str, float]:
    """Variance components by source, of the model's chance less the baseline's over a grid."""
    people = of.of_person * quantiles(of, 60) if of.of_person else np.zeros(1)
    if of.lost:
        people = np.repeat(people, 20) + of.by * np.tile(np.arange(20) < round(20 * of.lost), len(people))
    groups = of.of_group * quantiles(of, 30) if of.size > 1 else np.zeros(1)
    count = 64 if of.size > 1 or of.rotations > 1 else 512
    at = qmc.Sobol(2, seed=1).random(count * 2)
    if of.skewed:
        from scipy.stats import gamma

        z = (gamma.ppf(np.clip(at, 1e-9, 1 - 1e-9), 2.0) - 2) / math.sqrt(2)
    else:
        z = norm.ppf(np.clip(at, 1e-9, 1 - 1e-9))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    base, move = of.base + of.difficulty * z[:, 0], of.of_item * z[:, 1] - 0.3
    turns = of.of_rotation * quantiles(of, 9) if of.rotations > 1 else np.zeros(1)
    words = of.of_wording * quantiles(of, 25) if of.wordings > 1 else np.zeros(1)
    both, pw = np.zeros(1), np.zeros(1)
    if of.of_both:
        both = of.of_both * norm.ppf((np.arange(30) + 0.5) / 30)
    if of.of_person_wording:
        pw = of.of_person_wording * norm.ppf((np.arange(30) + 0.5) / 30)
    shape = (len(people), len(groups), len(base), len(turns), len(words))
    logit = np.zeros(shape)
    for axis, effect in enumerate((people, groups, base + move, turns, words)):
        logit = logit + effect.reshape([-1 if each == axis else 1 for each in range(5)])
    inner = (both[:, None] + pw).ravel()  # effects that persons × items and persons × wordings have of their own
    chance = np.mean([expit(logit + each) for each in inner], axis=0)
    noise = 0.0 if of.soft else float(np.mean([(lambda f: f * (1 - f))(expit(logit + each)).mean() for each in inner]))
    f = chance - expit(base)[None, None, :, None, None]
    found: dict[tuple[int, int, int], float] = {}
    for key in product(range(2), range(4), range(2)):
        kept = (key[0] > 0, key[1] > 0, key[1] > 1, key[1] > 2, key[2] > 0)
        mean = f.mean(axis=tuple(axis for axis, each in enumerate(kept) if not each))
        found[key] = float((mean**2).mean())
    components: dict[tuple[int, int, int], float] = {}
    for key in found:
        below = [each for each in components if all(a <= b for a, b in zip(each, key, strict=True))]
        components[key] = found[key] - sum(components[each] for each in below)
    named = {_named(key): value for key, value in components.items() if any(key)}
    extra = _own_interactions(of, logit, both, pw)
    return {name: value + extra.get(name, 0.0) for name, value in named.items()} | {REST: noise}


def _own_interactions(of: Facets, logit: np.ndarray, both: np.ndarray, pw: np.ndarray) -> dict[str, float]:
    """Variances that come of persona × item and persona × wording effects, each averaged over the other."""
    if len(both) == len(pw) == 1:
        return {}
    chance = np.array([[expit(logit + one + other).astype(np.float32) for other in pw] for one in both])
    words = chance.mean(axis=6, keepdims=True)  # a persona × item effect is the same for all wordings
    of_item = float(words.mean(axis=1).var(axis=0).mean()) if len(both) > 1 else 0.0
    of_word = float(chance.mean(axis=(0, 4))[...].var(axis=0).mean()) if len(pw) > 1 else 0.0
    whole = float(chance.var(axis=(0, 1)).mean())
    return {
        "persona × item": of_item,
        "persona × wording": of_word,
        "persona × item × wording": whole - of_item - of_word,
    }


def _named(key: tuple[int, int, int]) -> str:
    return BY.join(names[depth - 1] for names, depth in zip(SIDES, key, strict=True) if depth)


def measured(of: Facets, studies: int) -> dict[str, list[tuple[float, float, float]]]:
    """Of each source: estimate and interval, a study each."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for number in range(studies):
        for each in study(of, np.random.default_rng([22, number])).components():
            found.setdefault(each.source, []).append((each.raw, each.low, each.high))
    return found


def main(studies: int = 2_000, *words: str) -> None:
    """Run the conditions whose name holds all of these words."""
    for name, of in CONDITIONS.items():
        if not all(word in name for word in words):
            continue
        start, true = time.perf_counter(), truth(of)
        found = measured(of, studies)
        if of.size == 1:
            true = {key: value for key, value in true.items() if "item group" not in key}
        apart = set(found)
        true[REST] += sum(value for key, value in true.items() if key not in apart and key != REST)
        print(f"{name} ({time.perf_counter() - start:.0f} s)", flush=True)
        for source, rows in found.items():
            table = np.array(rows, dtype=float)
            raw, low, high = table.T
            there = ~np.isnan(low)
            line = f"  {source}: true {true[source]:.5f}, mean {raw.mean():.5f}"
            if there.any():
                covered = float(((low <= true[source] + 1e-12) & (true[source] <= high))[there].mean())
                mark = "" if covered >= LEAST else "  <-- too seldom"
                wide = f"{np.median(low[there]):.5f} to {np.median(high[there]):.5f}"
                line += f", there in {there.mean():.1%}, covers {covered:.4f}, {wide}{mark}"
            print(line, flush=True)


if __name__ == "__main__":
    main(*(int(each) if each.isdigit() else each for each in sys.argv[1:]))

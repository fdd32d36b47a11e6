"""Whether the intervals of robustness hold: oracle models with known tail, wording, trait and item effects.

python tests/bench/robustness.py [studies] [words of a condition's name]    (2,000 studies a condition by default)

Printed are the studies with an interval and the share of these that cover (at least 93 % is wanted, 95 % of the
one-sided bounds); for tests, the share that find something where there is nothing (at most 5 % is wanted, a little more
by the luck of 2,000 studies); for many tests at once, the mean share of discoveries that are false.
"""

import math
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from conditions import Condition, draw
from scipy.special import expit

from scoring.robustness.answer_shift import shift_table
from scoring.robustness.item_differences import item_difference_table
from scoring.robustness.multiverse import flipped_p, group_moves
from scoring.robustness.multiverse_gaps import ranked
from scoring.robustness.reliability import split_half
from scoring.robustness.text_means import TextMeans
from scoring.robustness.worst_tenth import worst_tenth
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import estimate
from scoring.statistics.pairs import parts

Random = np.random.Generator
NODES = np.linspace(-6, 6, 49)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()
LEAST = {"interval": 0.93, "bound": 0.95}


class Found(NamedTuple):
    """An interval (NaN: none) and the truth; or whether something false was found; a bound has one infinite end."""

    low: float = math.nan
    high: float = math.nan
    truth: float = math.nan
    false: float = math.nan


class Tail(NamedTuple):
    """People, item groups, replicates of the baseline (0: exact); of `lost` people a share moves by `by` on the logit
    scale beside what everybody differs by; items differ in difficulty and in how they move."""

    people: int
    groups: int
    replicates: int = 0
    lost: float = 0.1
    by: float = -1.5
    spread: float = 0.3
    texts: int = 0


BASE, MOVE, DIFFICULTY, ITEM = 0.8, -0.2, 1.0, 0.4


def moved(of: Tail, random: Random) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """d of each person and item, each person's own effect on the logit scale, and their texts."""
    text = random.integers(of.texts, size=of.people) if of.texts else np.arange(of.people)
    count = of.texts or of.people
    own = (of.spread * random.normal(size=count) + of.by * (random.random(count) < of.lost))[text]
    base = BASE + DIFFICULTY * random.normal(size=of.groups)
    chance = expit(base + MOVE + ITEM * random.normal(size=of.groups) + own[:, None])
    answers = (random.random((count, of.groups))[text] < chance).astype(float)
    drawn = random.random((of.replicates, of.groups)) < expit(base)
    return answers - (drawn.mean(axis=0) if of.replicates else expit(base)), own, text


def true_effect(own: np.ndarray) -> np.ndarray:
    """Δ of people with these own effects on items without number."""
    with_persona = expit(BASE + MOVE + own[:, None] + math.hypot(DIFFICULTY, ITEM) * NODES) @ WEIGHTS
    found: np.ndarray = with_persona - float(expit(BASE + DIFFICULTY * NODES) @ WEIGHTS)
    return found


def means_of(d: np.ndarray, text: np.ndarray) -> TextMeans:
    """The table of texts and item groups."""
    share = np.zeros((text.max() + 1, d.shape[1]))
    total = share.copy()
    np.add.at(share, text, 1.0)
    np.add.at(total, text, d)
    there = share[:, 0] > 0
    return TextMeans(total[there], share[there])


@cache
def true_tail(of: Tail, studies: int = 4000) -> float:
    """Δ of those whom half of the items pick out, by counting: the lowest tenth of the texts by half of the items."""
    found = []
    for number in range(studies):
        random = np.random.default_rng([7, number])
        d, own, text = moved(of._replace(groups=of.groups // 2), random)
        names, first = np.unique(text, return_index=True)
        score = np.array([d[text == name].mean() for name in names]) if of.texts else d.mean(axis=1)
        people = np.bincount(text)[names]
        order = np.argsort(score + 1e-9 * random.random(len(score)))
        enough = int(np.searchsorted(np.cumsum(people[order]) / people.sum(), 0.1 - 1e-12)) + 1
        chosen = order[:enough]
        found.append(np.average(true_effect(own[first[chosen]]), weights=people[chosen]))
    return float(np.mean(found))


def tail(of: Tail, random: Random) -> Found:
    """The bound on the worst tenth."""
    d, _, text = moved(of, random)
    found = worst_tenth(means_of(d, text), True, int(random.integers(1 << 30)))
    return Found(found.bound, math.inf if not math.isnan(found.bound) else math.nan, true_tail(of))


@cache
def true_reliability(of: Tail, studies: int = 400) -> float:
    """The correlation of people's mean d on two sets of items, averaged over sets."""
    found = []
    for number in range(studies):
        random = np.random.default_rng([8, number])
        d, _, _ = moved(of._replace(people=4000, groups=2 * of.groups), random)
        found.append(np.corrcoef(d[:, : of.groups].mean(axis=1), d[:, of.groups :].mean(axis=1))[0, 1])
    return float(np.tanh(np.mean(np.arctanh(found))))


def reliable(of: Tail, random: Random) -> Found:
    """The interval of split-half reliability."""
    d, _, text = moved(of, random)
    found = split_half(means_of(d, text), int(random.integers(1 << 30)))
    return Found(found.reliability_low, found.reliability_high, true_reliability(of))


def equivalent(of: Condition, random: Random) -> Found:
    """Whether Δ is shown to lie within a margin that it is just as large as."""
    study = draw(of, random)
    found = estimate(study.of, np.ones(len(study.level), dtype=bool), (math.nan, math.nan), 0, 0.9)
    if math.isnan(found.items_low):
        return Found()
    return Found(false=float(max(abs(found.items_low), abs(found.items_high)) < abs(study.wide)))


def items(levels: tuple[int, ...], count: int, differing: int, random: Random, base: float = 0.5) -> Found:
    """The share of items found that do not differ; the first level moves otherwise on the first `differing` items."""
    level = np.repeat(np.arange(len(levels)), levels)
    difficulty = base + random.normal(size=count)
    own = 0.4 * random.normal(size=len(level)) - 0.3 * (level == 1)
    other = 1.6 * np.where(np.arange(count) % 2, 1, -1) * (np.arange(count) < differing)
    chance = expit(difficulty + own[:, None] + np.where(level == 0, 1.0, 0.0)[:, None] * other)
    answers = (random.random(chance.shape) < chance).astype(float)
    columns = {"level": [f"level {each}" for each in level]}
    scores = as_scores(answers, np.full((1, count), 0.5), None, columns)
    table = item_difference_table(scores, ["level"], 10)
    if table.empty:
        return Found()
    held = table[table["q"] < 0.05]
    number = held["item_id"].astype(str).str.removeprefix("item ").astype(int)
    wrong = (number >= differing) | ((held["level"] != "level 0") & (differing == 0))
    return Found(false=float(wrong.mean()) if len(held) else 0.0)


def distribution(people: int, replicates: int, count: int, random: Random, texts: int = 0) -> Found:
    """Whether answers are found to move where personas draw from what the baseline draws from."""
    shares = random.dirichlet(np.ones(3), size=count)
    text = random.integers(texts, size=people) if texts else np.arange(people)

    def drawn(size: int) -> np.ndarray:
        return (random.random((size, count))[..., None] > shares.cumsum(axis=1)).sum(axis=2).clip(max=2)

    with_persona, alone = drawn(texts or people)[text], drawn(replicates)
    scores = as_scores(with_persona, alone, None, {"cluster": [f"text {each}" for each in text]})
    scores = scores.assign(chosen_by_text=scores["value"], chosen_by_probability=np.nan, sampled=True)
    table = shift_table(scores, int(random.integers(1 << 30)))
    return Found(false=float(table["p"].iloc[0] <= 0.05))


def against_neutral(people: int, count: int, random: Random) -> Found:
    """The same beside a neutral text for each person."""
    shares = random.dirichlet(np.ones(3), size=count)
    drawn = (random.random((2 * people, count))[..., None] > shares.cumsum(axis=1)).sum(axis=2).clip(max=2)
    scores = as_scores(drawn[:people], np.zeros((1, count))).astype({"persona_id": str, "cluster": str})
    control = as_scores(drawn[people:], np.zeros((1, count))).astype({"persona_id": str, "cluster": str})
    control = control[control["persona_id"] != ""].assign(format="neutral")
    both = pd.concat([scores, control.assign(cluster="control " + control["cluster"])], ignore_index=True)
    both = both.assign(chosen_by_text=both["value"], chosen_by_probability=np.nan, sampled=False)
    return Found(false=float(shift_table(both, int(random.integers(1 << 30)))["p"].iloc[0] <= 0.05))


def wordings(people: int, groups: int, kinds: int, random: Random, skewed: bool = False) -> pd.DataFrame:
    """Answers 0 or 1 under several formats: items move each on its own, and otherwise under each format, by 0 on
    average; people differ, by 0 on average."""

    def spread(size: tuple[int, ...]) -> np.ndarray:
        return (random.gamma(2.0, size=size) - 2) / math.sqrt(2) if skewed else random.normal(size=size)

    item, other = 0.08 * spread((groups,)), 0.06 * spread((kinds, groups))
    own = 0.1 * random.normal(size=people)
    own -= own.mean()
    frames = []
    for kind in range(kinds):
        chance = np.clip(0.5 + item + other[kind] + own[:, None], 0, 1)
        answers = (random.random(chance.shape) < chance).astype(float)
        columns = {"level": [f"level {number % 3}" for number in range(people)]}
        found = as_scores(answers, np.full((1, groups), 0.5), None, columns)
        frames.append(found[(found["persona_id"] != "") | (kind == 0)].assign(format=f"format {kind}"))
    return pd.concat(frames, ignore_index=True).assign(sampled=False)


def flipped(people: int, groups: int, kinds: int, random: Random, skewed: bool = False) -> Found:
    """Whether any specification is found to have an effect, where none has."""
    scores = wordings(people, groups, kinds, random, skewed)
    p = flipped_p(group_moves(parts(scores)[0], "value"), int(random.integers(1 << 30)))
    return Found() if math.isnan(p) else Found(false=float(p <= 0.05))


class Ranked(NamedTuple):
    """Levels that do not differ: their sizes, what people of each differ by, and by format; `texts` that people share
    within a level, `surveys` whose people move otherwise and have other shares of the levels, `unread` a share of the
    answers, `edge` the score near which all lie, and the standard deviation of log weights."""

    sizes: tuple[int, ...] = (20, 20, 20)
    groups: int = 20
    kinds: int = 4
    spreads: tuple[float, ...] = (0.1, 0.1, 0.1)
    of_format: float = 0.0
    texts: int = 0
    surveys: int = 1
    unread: float = 0.0
    edge: float = 0.5
    weights: float = 0.0


def permuted(of: Ranked, random: Random) -> Found:
    """Whether any specification is found to tell levels apart, where none does."""
    level, people = np.repeat(np.arange(len(of.sizes)), of.sizes), sum(of.sizes)
    survey = (random.random(people) * of.surveys + 0.4 * level).astype(int) % of.surveys
    text = level * of.texts + random.integers(of.texts, size=people) if of.texts else np.arange(people)
    count, spread = int(text.max()) + 1, np.array(of.spreads)[level]
    shape = (of.kinds, people, of.groups)
    room = min(of.edge, 1 - of.edge) / 0.5  # effects are as much smaller as there is less room
    own = spread * random.normal(size=count)[text] + 0.15 * survey
    by_format = of.of_format * random.normal(size=(of.kinds, count))[:, text, None]
    item, other = 0.08 * random.normal(size=of.groups), 0.06 * random.normal(size=(of.kinds, 1, of.groups))
    chance = np.clip(of.edge + room * (item + other + own[:, None] + by_format), 0, 1)
    drawn = random.random((of.kinds, count, of.groups))[:, text]
    answers = np.where(random.random(shape) < of.unread, np.nan, (drawn < chance).astype(float))
    columns = {
        "level": [f"level {each}" for each in level],
        "survey": [f"survey {each}" for each in survey],
        "cluster": [f"text {each} {side}" for each, side in zip(text, survey, strict=True)],
    }
    there = ~np.isnan(answers).all(axis=2).T
    value = np.nan_to_num(np.nanmean(answers, axis=2).T - of.edge)
    weight = np.exp(of.weights * random.normal(size=people))[:, None] * there
    found = ranked(pd.DataFrame(columns), value, weight, "level", (10, int(random.integers(1 << 30))))
    return Found(false=float(found["p"] <= 0.05)) if found else Found()


RANKED = {
    "60 people of 3 levels": Ranked(),
    "2 levels, 12 and 88": Ranked((12, 88), spreads=(0.1, 0.1)),
    "2 levels of 50, unequal spread": Ranked((50, 50), spreads=(0.2, 0.02)),
    "12 and 88, the few of wide spread": Ranked((12, 88), spreads=(0.2, 0.02)),
    "12 and 88, the many of wide spread": Ranked((12, 88), spreads=(0.02, 0.2)),
    "4 levels of 10, 10, 10 and 70, one of wide spread": Ranked((10, 10, 10, 70), spreads=(0.2, 0.03, 0.03, 0.03)),
    "3 levels who share 8 texts each": Ranked((40, 40, 40), texts=8),
    "2 levels who share 4 texts each": Ranked((40, 40), spreads=(0.1, 0.1), texts=4),
    "3 surveys that differ": Ranked((30, 30, 30), surveys=3),
    "a quarter unread": Ranked(unread=0.25),
    "near 1 (97 %)": Ranked(edge=0.97),
    "survey weights, sd 1": Ranked((30, 30, 30), weights=1.0),
    "people differ by format": Ranked(of_format=0.1),
    "10 items, 8 formats": Ranked(groups=10, kinds=8),
}


TAILS = {
    "50 people, 20 items": Tail(50, 20),
    "50 people, 40 items, nobody lost": Tail(50, 40, lost=0.0),
    "100 people, 10 items": Tail(100, 10),
    "100 people, 20 items": Tail(100, 20),
    "100 people, 40 items": Tail(100, 40),
    "100 people, 40 items, nobody lost": Tail(100, 40, lost=0.0),
    "100 people, 40 items, all alike": Tail(100, 40, lost=0.0, spread=0.0),
    "100 people, 40 items, baseline drawn 5 times": Tail(100, 40, replicates=5),
    "300 people, 40 items, few far lost": Tail(300, 40, lost=0.03, by=-3.0),
    "300 people, 100 items": Tail(300, 100),
    "300 people who read 60 texts, 40 items": Tail(300, 40, texts=60),
}
CONDITIONS: dict[str, Callable[[Random], Found]] = {
    **{f"bound: worst tenth, {name}": (lambda random, of=of: tail(of, random)) for name, of in TAILS.items()},
    **{
        f"interval: reliability, {name}": (lambda random, of=of: reliable(of, random))
        for name, of in TAILS.items()
        if not of.texts
    },
    "test: equivalence, 100 people, 40 items": lambda random: equivalent(Condition(), random),
    "test: equivalence, 20 people, 10 items": lambda random: equivalent(Condition(people=20, groups=10), random),
    "test: equivalence, baseline exact": lambda random: equivalent(Condition(exact=True), random),
    "test: items, 4 levels of 30, none differs": lambda random: items((30,) * 4, 40, 0, random),
    "test: items, 20 and 180 people, none differs": lambda random: items((20, 180), 40, 0, random),
    "test: items, 4 levels of 30, near 1, none differs": lambda random: items((30,) * 4, 40, 0, random, 3.0),
    "test: items, 20 and 180 people, near 1, none differs": lambda random: items((20, 180), 40, 0, random, 2.5),
    "test: items, 4 levels of 50, 4 of 40 differ": lambda random: items((50,) * 4, 40, 4, random),
    "test: distribution, 40 people, 5 draws, 20 items": lambda random: distribution(40, 5, 20, random),
    "test: distribution, 40 people of 12 texts": lambda random: distribution(40, 5, 20, random, 12),
    "test: multiverse, 60 people, 40 items, 4 formats": lambda random: flipped(60, 40, 4, random),
    "test: multiverse, 60 people, 10 items, 4 formats": lambda random: flipped(60, 10, 4, random),
    "test: multiverse, 60 people, 40 items, 8 formats, skewed": lambda random: flipped(60, 40, 8, random, True),
    "test: multiverse, 60 people, 10 items, 3 formats, skewed": lambda random: flipped(60, 10, 3, random, True),
    **{f"test: multiverse gaps, {name}": (lambda random, of=of: permuted(of, random)) for name, of in RANKED.items()},
    "test: distribution, 20 people and the neutral text": lambda random: against_neutral(20, 20, random),
}


def summary(name: str, found: list[Found]) -> str:
    """How many had an interval and covered, or how many found what is not there; marked where it is not as wanted."""
    table = np.array(found, dtype=float)
    false = table[~np.isnan(table[:, 3]), 3]
    if name.startswith("test"):
        if not len(false):
            return "no test"
        most = 0.05 + 2 * math.sqrt(0.05 * 0.95 / len(false))
        return f"found falsely in {false.mean():.4f}{'' if false.mean() <= most else '  <-- too often'}"
    low, high, truth = table[~np.isnan(table[:, 0])].T[:3]
    if not len(low):
        return "no interval"
    covered = float(((low <= truth) & (truth <= high)).mean())
    wide = np.median(np.where(np.isinf(high), truth - low, high - low))
    mark = "" if covered >= LEAST[name.partition(":")[0]] else "  <-- too seldom"
    return f"there in {len(low) / len(table):.1%}, holds in {covered:.4f}, reach {wide:.3f}{mark}"


def main(studies: int = 2_000, *words: str) -> None:
    """Run the conditions whose name holds all of these words."""
    for name, drawn in CONDITIONS.items():
        if all(word in name for word in words):
            start = time.perf_counter()
            found = [drawn(np.random.default_rng([number, len(name)])) for number in range(studies)]
            print(f"{name}: {summary(name, found)}  ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main(*(int(each) if each.isdigit() else each for each in sys.argv[1:]))

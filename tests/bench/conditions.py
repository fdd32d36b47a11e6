"""Kinds of study with a known truth, for `coverage.py`.

Answers are 0 or 1, drawn from a logistic model with effects of item, item group, persona and, where a condition says
so, wording, country or level × item group. The truth for these items is the model's mean over personas; for items like
these the mean over items too. Both are integrals over a normal distribution, taken as sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import expit

from personas.people.quota import QuotaTree
from scoring.statistics.designs.power import DEFAULTS, baseline_replicates
from scoring.statistics.effect import Contributions
from scoring.statistics.pairs import Cells

NODES = np.linspace(-7, 7, 71)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()
ADULTS = np.array([1.0, 2, 3, 5, 8, 12, 20, 30, 60, 100])  # of ten countries, any unit


@dataclass(frozen=True)
class Condition:
    """A kind of study; spreads are standard deviations on the logit scale.

    `replicates` 0 is what a study that names none has; `asked` is how many items each person is asked, `stopped` the
    share of a run after which it stopped, in the order in which people are asked. Countries are given; `populated`
    weighs each by its adults. `unread` and `unasked` are the shares of the harder items that the first level left
    unread at random, and was not asked.
    """

    people: int = 100
    groups: int = 40
    size: int | tuple[int, ...] = 1
    base: float = 0.0
    base_spread: float = 1.0
    effect: float = -0.3
    group_spread: float = 0.5
    item_spread: float = 0.3
    person_spread: float = 0.4
    replicates: int = 5
    exact: bool = False
    texts: int = 0
    weight_spread: float = 0.0
    wordings: int = 1
    wording_spread: float = 0.0
    countries: int = 0
    country_spread: float = 0.4
    populated: bool = False
    asked: int = 0
    stopped: float = 1.0
    levels: tuple[int, ...] = ()
    level_spreads: tuple[float, ...] = ()
    level_texts: int = 0
    level_group_spread: float = 0.0
    mixed: bool = False
    unread: float = 0.0
    unasked: float = 0.0

    @property
    def spreads(self) -> np.ndarray:
        """Of persons, by level."""
        return np.array(self.level_spreads or (self.person_spread,) * (len(self.levels) or 1))


CONDITIONS = {
    "100 people, 40 items": Condition(),
    "20 people, 40 items": Condition(people=20),
    "6 people, 40 items": Condition(people=6),
    "5 item groups": Condition(groups=5, size=4),
    "7 item groups": Condition(groups=7, size=4),
    "10 item groups": Condition(groups=10, size=4),
    "15 item groups": Condition(groups=15, size=4),
    "4 item groups": Condition(groups=4, size=4),
    "item groups of 1 to 12 items": Condition(groups=12, size=(1, 1, 1, 1, 1, 1, 2, 2, 2, 5, 8, 12)),
    "items of unequal difficulty": Condition(base_spread=3.0),
    "near 1 (97 %)": Condition(base=4.0),
    "near 1 (97 %), baseline exact": Condition(base=4.0, exact=True),
    "near 0 (3 %)": Condition(base=-4.0),
    "near 1 (97 %), 10 item groups": Condition(base=4.0, groups=10, size=4),
    "baseline exact": Condition(exact=True),
    "baseline sampled once": Condition(replicates=1),
    "baseline sampled twice": Condition(replicates=2),
    "baseline sampled twice, 10 items": Condition(replicates=2, groups=10),
    "baseline at the default": Condition(replicates=0),
    "baseline at the default, 10 items": Condition(replicates=0, groups=10),
    "survey weights, sd 1": Condition(weight_spread=1.0),
    "survey weights, sd 1.5": Condition(weight_spread=1.5),
    "20 people, survey weights, sd 1": Condition(people=20, weight_spread=1.0),
    "population weights, 10 countries": Condition(countries=10, country_spread=0.2, populated=True),
    "100 people who read 8 texts": Condition(texts=8),
    "100 people who read 15 texts": Condition(texts=15),
    "people of unequal spread": Condition(levels=(10, 90), level_spreads=(1.5, 0.2)),
    "2 formats": Condition(wordings=2, wording_spread=0.2),
    "4 formats": Condition(wordings=4, wording_spread=0.2),
    "people of 10 countries": Condition(countries=10),
    "each asked 10 of 40 items": Condition(asked=10),
    "25 % of a run, 10 countries": Condition(countries=10, country_spread=0.2, stopped=0.25),
}
FAMILIES = {
    "5 levels of 20": Condition(levels=(20,) * 5),
    "10 levels of 10": Condition(levels=(10,) * 10),
    "2 levels, 10 and 90": Condition(levels=(10, 90)),
    "near 1 (97 %), 10 levels of 10": Condition(levels=(10,) * 10, base=4.0),
    "near 1 (99 %), 10 levels of 10, 10 items": Condition(levels=(10,) * 10, base=5.0, groups=10),
    "unequal spread, 10 and 90": Condition(levels=(10, 90), level_spreads=(1.2, 0.2)),
    "unequal spread, 10 and 50": Condition(levels=(10, 50), level_spreads=(1.2, 0.2)),
    "unequal spread, 4 levels": Condition(levels=(10, 10, 10, 70), level_spreads=(1.0, 0.1, 0.1, 0.1)),
    "survey weights, sd 1": Condition(levels=(20,) * 5, weight_spread=1.0),
    "level x item, 10 groups": Condition(levels=(20,) * 5, groups=10, size=4, level_group_spread=0.5),
    "level x item, 5 groups": Condition(levels=(20,) * 5, groups=5, size=4, level_group_spread=0.5),
    "texts shared by levels": Condition(levels=(20,) * 5, texts=10),
    "4 texts a level": Condition(levels=(20,) * 5, level_texts=4),
    "2 levels of 50 in 10 countries": Condition(levels=(50, 50), countries=10, mixed=True),
    "a level not asked 40 % of the items": Condition(levels=(20,) * 5, unasked=0.4),
}


@dataclass(frozen=True)
class Design:
    """A study whose scores add up: people by level, item groups, items a group. Spreads are in score units."""

    people: tuple[int, ...]
    groups: int
    size: int = 1


DESIGNS = {
    "80 people, 5 groups of 4 items": Design((80,), 5, 4),
    "100 people, 10 items": Design((100,), 10),
    "100 people, 40 items": Design((100,), 40),
    "8 people, 40 items": Design((8,), 40),
    "gap, 10 levels of 10, 10 items": Design((10,) * 10, 10),
    "gap, 10 levels of 10, 40 items": Design((10,) * 10, 40),
    "gap, 4 levels of 20, 40 items": Design((20,) * 4, 40),
    "gap, 2 levels of 50, 40 items": Design((50, 50), 40),
    "gap, levels of 10, 20, 30 and 40, 40 items": Design((10, 20, 30, 40), 40),
}


@dataclass(frozen=True)
class Study:
    """A drawn study: what each persona and item adds, the level of each persona, and Δ of its people on its items and
    on items like these."""

    of: Contributions
    level: np.ndarray
    truth: float
    wide: float


@dataclass(frozen=True)
class People:
    """Of each person: level, country, text read, weight and what they add on the logit scale; what countries add."""

    level: np.ndarray
    country: np.ndarray
    text: np.ndarray
    weight: np.ndarray
    own: np.ndarray
    of_country: np.ndarray

    def take(self, some: np.ndarray) -> "People":
        """Some of them."""
        columns = {name: getattr(self, name)[some] for name in ("level", "country", "text", "weight", "own")}
        return replace(self, **columns)


def studies(of: Condition, count: int) -> Iterator[Study]:
    """Studies of a condition, reproducible by their number."""
    for number in range(count):
        yield draw(of, np.random.default_rng([20261126, number]))


def draw(of: Condition, random: np.random.Generator) -> Study:
    """One study of a condition."""
    group = np.repeat(np.arange(of.groups), np.broadcast_to(of.size, of.groups))
    items = len(group)
    base = of.base + of.base_spread * random.normal(size=items)
    shift = of.effect + of.group_spread * random.normal(size=of.groups)[group]
    shift = shift + of.item_spread * random.normal(size=items)
    people = _people(of, random)
    taken = of.level_group_spread * random.normal(size=(len(of.levels) or 1, of.groups))[people.level][:, group]
    wordings = of.wording_spread * random.normal(size=of.wordings)
    middle = _middles(of, base + shift)[people.level]
    chance = expit((middle + people.own[:, None] + taken)[..., None] + wordings)
    reads_alike = of.texts or of.level_texts
    drawn = random.random(chance.shape)[people.text] if reads_alike else random.random(chance.shape)
    replicates = of.replicates or baseline_replicates(DEFAULTS, len(people.level), items)
    alone = expit(base)[None] if of.exact else (random.random((replicates, items)) < expit(base)).astype(float)
    there = _asked(of, people, base + shift, random)
    truth, wide = _truths(of, people, base, shift)
    reached = there.any(axis=1)
    people, answers = people.take(reached), (drawn < chance)[reached].astype(float)
    cells = _cells(answers, alone, there[reached], group, people, exact=of.exact)
    return Study(Contributions.of(cells, people.weight), people.level, truth, wide)


def _people(of: Condition, random: np.random.Generator) -> People:
    count = sum(of.levels) or of.people
    level = np.repeat(np.arange(len(of.levels) or 1), of.levels or (count,))
    text = np.arange(count)
    if of.level_texts:
        text = level * of.level_texts + random.integers(of.level_texts, size=count)
    elif of.texts:
        text = random.integers(of.texts, size=count)
    own = random.normal(size=count)[text] * of.spreads[level]
    if of.mixed:
        level = random.permutation(level)
    balanced = of.populated or of.stopped < 1
    country = np.arange(count) % of.countries if balanced else random.integers(max(1, of.countries), size=count)
    of_country = of.country_spread * random.normal(size=max(1, of.countries)) * (of.countries > 0)
    weight = np.exp(of.weight_spread * random.normal(size=count)) if of.weight_spread else np.ones(count)
    if of.populated:
        weight = ADULTS[country] / np.bincount(country)[country]
    return People(level, country, text, weight, own + of_country[country], of_country)


def _asked(of: Condition, people: People, difficulty: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Which items each person answered, bool, shape (people, items)."""
    count, items = len(people.level), len(difficulty)
    asked = np.ones((count, items), dtype=bool)
    if of.asked:
        start = np.arange(count) * of.asked % items
        asked = (np.arange(items) - start[:, None]) % items < of.asked
    if of.stopped < 1:
        names = [list(map(str, range(of.countries)))]
        seed = str(random.integers(2**32))
        tree = QuotaTree(people.country[:, None], np.ones(count), random.permutation(count), names, seed)
        asked[tree.order(count)] = (np.arange(count * items) < of.stopped * count * items).reshape(count, items)
    order = np.argsort(difficulty)
    if of.unasked:
        asked[np.ix_(people.level == 0, order[: round(of.unasked * items)])] = False
    if of.unread:
        hard = np.isin(np.arange(items), order[: items // 2])
        asked &= ~((people.level == 0)[:, None] & hard & (random.random(asked.shape) < of.unread))
    return asked


def _cells(
    answers: np.ndarray, alone: np.ndarray, asked: np.ndarray, group: np.ndarray, people: People, exact: bool
) -> Cells:
    person, item = np.nonzero(asked)
    replicates, kinds = len(alone), answers.shape[2]
    noise = alone.var(axis=0, ddof=1) / replicates if replicates > 1 else np.full(len(group), np.nan)
    wording = np.zeros((len(answers), 0))
    if kinds > 1:
        apart = np.where(asked[..., None], answers - alone.mean(axis=0)[:, None], np.nan)
        wording = np.nanmean(apart, axis=1)
    return Cells(
        people=pd.DataFrame({"cluster": people.text, "persona_id": np.arange(len(answers)), "level": people.level}),
        items=pd.DataFrame({"item_id": np.arange(len(group)), "group": group}),
        person=person,
        item=item,
        y=answers.mean(axis=2)[person, item],
        b=alone.mean(axis=0)[item],
        sampled=not exact,
        noise=noise,
        draws=np.full(len(group), float(replicates)),
        wording=wording,
        wordings=tuple(map(str, range(wording.shape[1]))),
    )


def _mean_answer(logit: np.ndarray, spread: float) -> np.ndarray:
    """The mean of expit over a normal distribution around each logit."""
    found: np.ndarray = (expit(logit[..., None] + spread * NODES) * WEIGHTS).sum(axis=-1)
    return found


def _middles(of: Condition, logit: np.ndarray) -> np.ndarray:
    """The logits around which each level's people lie, shape (levels, items): so that the mean answer to an item is the
    same at every level, whatever its spread. By Newton's method."""
    found = np.tile(logit, (len(of.spreads), 1))
    if not of.level_spreads:
        return found
    wanted = _mean_answer(logit, of.spreads.min())
    for row, spread in zip(found, of.spreads, strict=True):
        for _ in range(8):
            chance = expit(row[:, None] + spread * NODES)
            row += (wanted - chance @ WEIGHTS) / ((chance * (1 - chance)) @ WEIGHTS)
    return found


def _truths(of: Condition, people: People, base: np.ndarray, shift: np.ndarray) -> tuple[float, float]:
    """Δ on these items, and on items like these, of people like these: of these countries, as their adults weigh."""
    own = np.hypot(of.spreads.min(), of.wording_spread)
    every = np.sqrt(own**2 + of.base_spread**2 + of.group_spread**2 + of.item_spread**2)
    here = [float((_mean_answer(base + shift + each, own) - expit(base)).mean()) for each in people.of_country]
    wide = _mean_answer(of.base + of.effect + people.of_country, every)
    weight = np.bincount(people.country, weights=people.weight)
    alone = float(_mean_answer(np.array(of.base), of.base_spread))
    return float(np.average(here, weights=weight)), float(np.average(wide, weights=weight)) - alone

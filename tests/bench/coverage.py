"""How often the 95 % intervals cover the truth, and how often a test rejects where nothing is to be found.

python tests/bench/coverage.py [studies] [words of a condition's name]    (2,000 studies a condition by default)

Answers are 0 or 1, drawn from a logistic model with effects of item, item group, persona and, where a condition says
so, wording, country or level × item group. The truth for these items is the model's mean over personas; for items like
these the mean over items too, by a million draws.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from scoring.statistics.effect import Contributions, Estimate, estimate
from scoring.statistics.gaps import gap
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.omnibus import family
from scoring.statistics.pairs import Cells

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class Condition:
    """A kind of study; spreads are standard deviations on the logit scale."""

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
    asked: int = 0
    levels: tuple[int, ...] = ()
    level_spreads: tuple[float, ...] = ()
    level_group_spread: float = 0.0


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
    "100 people who read 8 texts": Condition(texts=8),
    "100 people who read 15 texts": Condition(texts=15),
    "people of unequal spread": Condition(levels=(10, 90), level_spreads=(1.5, 0.2)),
    "2 formats": Condition(wordings=2, wording_spread=0.2),
    "4 formats": Condition(wordings=4, wording_spread=0.2),
    "people of 10 countries": Condition(countries=10),
    "each asked 10 of 40 items": Condition(asked=10),
}
FAMILIES = {
    "5 levels of 20": Condition(levels=(20,) * 5),
    "10 levels of 10": Condition(levels=(10,) * 10),
    "2 levels, 10 and 90": Condition(levels=(10, 90)),
    "near 1 (97 %), 10 levels of 10": Condition(levels=(10,) * 10, base=4.0),
    "near 1 (99 %), 10 levels of 10, 10 items": Condition(levels=(10,) * 10, base=5.0, groups=10),
    "unequal spread": Condition(levels=(10, 90), level_spreads=(1.2, 0.2)),
    "unequal spread, 4 levels": Condition(levels=(10, 10, 10, 70), level_spreads=(1.0, 0.1, 0.1, 0.1)),
    "survey weights, sd 1": Condition(levels=(20,) * 5, weight_spread=1.0),
    "level x item, 10 groups": Condition(levels=(20,) * 5, groups=10, size=4, level_group_spread=0.5),
    "level x item, 5 groups": Condition(levels=(20,) * 5, groups=5, size=4, level_group_spread=0.5),
    "texts shared by levels": Condition(levels=(20,) * 5, texts=10),
}


@dataclass(frozen=True)
class Study:
    """A drawn study: what each persona and item adds, the level of each persona, and Δ of its people on its items."""

    of: Contributions
    level: np.ndarray
    truth: float


def draw(of: Condition, random: np.random.Generator) -> Study:
    """One study of a condition."""
    people = sum(of.levels) or of.people
    sizes = np.broadcast_to(of.size, of.groups)
    group = np.repeat(np.arange(of.groups), sizes)
    items = len(group)
    base = of.base + of.base_spread * random.normal(size=items)
    shift = of.effect + of.group_spread * random.normal(size=of.groups)[group]
    shift = shift + of.item_spread * random.normal(size=items)
    level = np.repeat(np.arange(len(of.levels) or 1), of.levels or (people,))
    text = random.integers(of.texts, size=people) if of.texts else np.arange(people)
    spread = np.array(of.level_spreads or (of.person_spread,) * (len(of.levels) or 1))
    own = (random.normal(size=of.texts)[text] if of.texts else random.normal(size=people)) * spread[level]
    country = random.integers(of.countries, size=people) if of.countries else np.zeros(people, dtype=int)
    if of.countries:
        of_country = of.person_spread * random.normal(size=of.countries)
        own = own + of_country[country]
    taken = of.level_group_spread * random.normal(size=(len(of.levels) or 1, of.groups))[level][:, group]
    wordings = of.wording_spread * random.normal(size=of.wordings)
    chance = expit((base + shift + own[:, None] + taken)[..., None] + wordings)
    drawn = random.random(chance.shape)[text] if of.texts else random.random(chance.shape)
    answers = (drawn < chance).astype(float)
    replicates = of.replicates or default_replicates(people, items)
    alone = expit(base)[None] if of.exact else (random.random((replicates, items)) < expit(base)).astype(float)
    asked = np.ones((people, items), dtype=bool)
    if of.asked:
        start = np.arange(people) * of.asked % items
        asked = (np.arange(items) - start[:, None]) % items < of.asked
    weight = np.exp(of.weight_spread * random.normal(size=people)) if of.weight_spread else np.ones(people)
    cells = _cells(answers, alone, asked, group, text, level, exact=of.exact)
    if of.countries:  # the interval is for people of these countries
        counts = np.bincount(country, minlength=of.countries)
        truths = [_truth(of, base, shift + each, level, weight) for each in of_country]
        return Study(Contributions.of(cells, weight), level, float(np.average(truths, weights=counts)))
    return Study(Contributions.of(cells, weight), level, _truth(of, base, shift, level, weight))


def _cells(
    answers: np.ndarray,
    alone: np.ndarray,
    asked: np.ndarray,
    group: np.ndarray,
    text: np.ndarray,
    level: np.ndarray,
    exact: bool,
) -> Cells:
    person, item = np.nonzero(asked)
    y, b = answers.mean(axis=2)[person, item], alone.mean(axis=0)[item]
    replicates = len(alone)
    noise = alone.var(axis=0, ddof=1) / replicates if replicates > 1 else np.full(len(group), np.nan)
    means = (
        np.array(
            [
                [row[:, k][seen].mean() for k in range(answers.shape[2])]
                for row, seen in zip(answers - alone.mean(axis=0)[:, None], asked, strict=True)
            ]
        )
        if answers.shape[2] > 1
        else np.zeros((len(answers), 0))
    )
    return Cells(
        people=pd.DataFrame({"cluster": text, "persona_id": np.arange(len(answers)), "level": level}),
        items=pd.DataFrame({"item_id": np.arange(len(group)), "group": group}),
        person=person,
        item=item,
        y=y,
        b=b,
        sampled=not exact,
        noise=noise,
        draws=np.full(len(group), float(replicates)),
        wording=means,
        wordings=tuple(map(str, range(means.shape[1]))),
    )


def default_replicates(people: int, items: int) -> int:
    """As a study that names none: see `runner.study.sections`."""
    from scoring.statistics.designs.power import DEFAULTS, baseline_replicates

    return baseline_replicates(DEFAULTS, people, items)


def _truth(
    of: Condition,
    base: np.ndarray,
    shift: np.ndarray,
    level: np.ndarray,
    weight: np.ndarray,
) -> float:
    """Δ on these items of people like these: each level's mean over its persona spread, and over wordings."""
    spreads = of.level_spreads or (of.person_spread,) * (len(of.levels) or 1)
    parts = []
    for place, spread in enumerate(spreads):
        own = np.sqrt(spread**2 + of.wording_spread**2 + of.level_group_spread**2)
        mean = (expit((base + shift)[:, None] + own * NODES) * WEIGHTS).sum(axis=1)
        parts.append(float((mean - expit(base)).mean()) * weight[level == place].sum())
    return sum(parts) / float(weight.sum())


def population(of: Condition) -> float:
    """Δ of people like these on items like these."""
    random, count = np.random.default_rng(1), 1_000_000
    base = of.base + of.base_spread * random.normal(size=count)
    shift = of.effect + np.hypot(of.group_spread, of.item_spread) * random.normal(size=count)
    level = np.repeat(np.arange(len(of.levels) or 1), of.levels or (of.people,))
    return _truth(of, base, shift, level, np.ones(len(level)))


def studies(of: Condition, count: int) -> Iterator[Study]:
    """Studies of a condition, reproducible by their number."""
    for number in range(count):
        yield draw(of, np.random.default_rng([20261126, number]))


def coverage(name: str, of: Condition, count: int) -> None:
    """Print how often both intervals cover, how often there is none, and their median half-widths."""
    wide = population(of)
    rows = []
    for study in studies(of, count):
        found: Estimate = estimate(study.of, np.ones(len(study.level), dtype=bool), (np.nan, np.nan))
        rows.append(
            (
                found.people_low <= study.truth <= found.people_high,
                found.items_low <= wide <= found.items_high,
                (found.people_high - found.people_low) / 2,
                (found.items_high - found.items_low) / 2,
                found.conservative,
            )
        )
    table = np.array(rows, dtype=float)
    there = ~np.isnan(table[:, 2:4])
    rates = [f"{table[there[:, side], side].mean():7.1%}" if there[:, side].any() else "   none" for side in (0, 1)]
    widths = [np.nanmedian(table[:, side]) if there[:, side - 2].any() else np.nan for side in (2, 3)]
    print(
        f"{name:36s} {rates[0]} {rates[1]}   {widths[0]:6.3f} {widths[1]:6.3f}   called conservative "
        f"{table[:, 4].mean():4.0%}",
        flush=True,
    )


def rejections(name: str, of: Condition, count: int) -> None:
    """Print how often a family under the null has a discovery, and how often each omnibus test rejects."""
    rows = []
    for number, study in enumerate(studies(of, count)):
        gaps = [gap(study.of, study.level == each) for each in np.unique(study.level)]
        holm, _ = adjusted(np.array([each["gap_p"] for each in gaps], dtype=float))
        test = family(study.of, study.level, np.zeros(len(study.level), dtype=np.int64), number)
        inside = [each["gap_low"] <= 0 <= each["gap_high"] for each in gaps]
        rows.append((np.nanmin(holm) < 0.05, test.omnibus_p <= 0.05, test.omnibus_items_p <= 0.05, np.mean(inside)))
    means = np.mean(np.array(rows, dtype=float), axis=0)
    print(
        f"{name:42s} Holm {means[0]:5.1%}   omnibus {means[1]:5.1%}, items like these {means[2]:5.1%}   "
        f"gap intervals cover {means[3]:5.1%}",
        flush=True,
    )


def main(count: int, words: list[str]) -> None:
    """All conditions, or those whose names hold one of the words."""

    def chosen(table: dict[str, Condition]) -> list[tuple[str, Condition]]:
        return [(name, of) for name, of in table.items() if not words or any(word in name for word in words)]

    start = time.perf_counter()
    print(f"{count:,} studies a condition\n{'':36s} these   items like   half-widths\n{'':36s} items   these too")
    for name, of in chosen(CONDITIONS):
        coverage(name, of, count)
    print("\nunder the null (no level differs)")
    for name, of in chosen(FAMILIES):
        rejections(name, of, max(1, count // (1 if words else 2)))
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, sys.argv[2:])

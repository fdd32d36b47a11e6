"""What each way to know Δ to a half-width takes, and how often its interval covers the truth.

python tests/bench/target.py ways [studies [ρ ...]]    (2,000 by default: crossed random effects, skewed)
python tests/bench/target.py recorded FILE [studies]   (people resampled from the answers of a local model in a results
                                                        file; the dear model's are these with noise, ρ = 0.7 and 0.3,
                                                        as far as each item varies, or alike for all)
python tests/bench/target.py unequal [studies [ρ ...]] (as "ways", where 60 % of the item groups never vary)
python tests/bench/target.py rounds [studies]          (200 by default: [target] by `SequentialDesign`, no covariate)

"ways": as `mtpa-run plan --half-width` prices them, so that the price is checked, too: how many of the intervals are at
most as wide as was wanted, and the mean half-width beside it. Dollars are at USD a request of the dear model; the
covariate's requests are to a model of one's own, and counted apart. "rounds": the reference is the same study asked
whole and looked at once; "one look" is the 95 % interval that takes no account of the looking.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from runner.store.scores import load_scores
from scoring.statistics.clustered_errors import EXACT, LEVEL, one_way, quantile
from scoring.statistics.covariates.control_variates import PeopleRows, TwoPhase
from scoring.statistics.designs.adaptive import chances, spread
from scoring.statistics.designs.alpha_spending import confidence
from scoring.statistics.designs.inclusion import AskedCells, whole_rows
from scoring.statistics.designs.incomplete import ranks
from scoring.statistics.designs.power import Components
from scoring.statistics.designs.savings import (
    ADAPTIVE,
    ALL_OF_THEM,
    COVARIATE,
    PART,
    ROUNDS,
    DesignPool,
    PricedWay,
    SharedAnswers,
    priced_ways,
)
from scoring.statistics.designs.sequential import SequentialDesign, Target
from scoring.statistics.designs.simulation import Design, simulate
from scoring.statistics.effect import persona_effect
from scoring.statistics.pairs import parts

USD = 0.002
OF = Components(persona=0.0025, group=0.0064, level_group=0.0, residual=0.1225)
POOL = DesignPool(people=400, groups=40)
HALF_WIDTH, NARROW = 0.02, 0.012
TARGETS = (
    (Design(100, 100, levels=1, baseline_replicates=50), Target(0.03)),
    (Design(200, 100, levels=1, baseline_replicates=50), Target(0.03)),
    (Design(40, 40, levels=1, baseline_replicates=50), Target(0.07)),
    (Design(100, 100, levels=1, baseline_replicates=5), Target(0.07)),
    (Design(150, 64, levels=5, baseline_replicates=50), Target(0.07, by="level")),
)


class Drawn(NamedTuple):
    """Paired differences of the dear model and scores of the cheap one, people × item groups; Δ on these items."""

    d: np.ndarray
    cheap: np.ndarray
    effect: float


Draw = Callable[[np.random.Generator], Drawn]


class Outcome(NamedTuple):
    """How a study ended: groups asked of a person, Δ, and half the interval."""

    asked: float
    effect: float
    half_width: float


def spreads_of(share: float, groups: int) -> tuple[float, ...]:
    """Of item groups of which a share varies alike, and the others never."""
    varying = round(share * groups)
    return (*[(groups / varying) ** 0.5] * varying, *[0.0] * (groups - varying))


def simulated(rho: float, of: Components = OF, pool: DesignPool = POOL) -> Draw:
    """Gamma effects of people and answers that two models share to ρ; the cheap one's scores are a third as wide.

    Where item groups vary unequally, people's effects move those that vary alone.
    """
    wide = np.array(pool.spreads or [1.0])
    moved = wide / wide.mean()

    def draw(random: np.random.Generator) -> Drawn:
        def two(variance: float, *shape: int) -> tuple[np.ndarray, np.ndarray]:
            one, other = (random.gamma(2.0, size=(2, *shape)) - 2) / np.sqrt(2)
            return np.sqrt(variance) * one, np.sqrt(variance) / 3 * (rho * one + np.sqrt(1 - rho**2) * other)

        person, answer = two(of.persona, pool.people, 1), two(of.residual, pool.people, pool.groups)
        item = np.sqrt(of.group) * random.normal(size=pool.groups)
        other = 0.3 * random.normal(size=pool.groups)
        dear, cheap = (moved * one + wide * two for one, two in zip(person, answer, strict=True))
        return Drawn(dear + item - 0.05, cheap + other, float(item.mean()) - 0.05)

    return draw


@dataclass(frozen=True)
class Recorded:
    """A model's answers in a results file, people × item groups, the people resampled; the dear model's are these with
    noise of as much variance as leaves ρ, for each item group or over all of them."""

    d: np.ndarray

    @classmethod
    def read(cls, path: str) -> "Recorded":
        """The paired differences of the file's first model and benchmark, by letter probabilities where there are any;
        people with a gap are left out."""
        part = parts(load_scores(path))[0]
        found = part.pairs(part.measures[-1])
        ones = np.ones(len(found.people))
        total, share = found.per_group(found.d, ones), found.per_group(np.ones(len(found.item)), ones)
        whole = (share > 0).all(axis=1)
        return cls(total[whole] / share[whole])

    def noise(self, rho: float, alike: bool) -> np.ndarray:
        """The noise's standard deviation: alike for all item groups, or as far as each varies."""
        effects = self.d - self.d.mean(axis=0)
        spread = np.full(self.d.shape[1], effects.std()) if alike else effects.std(axis=0)
        found: np.ndarray = spread * np.sqrt(1 / rho**2 - 1)
        return found

    def draw(self, rho: float, people: int, alike: bool) -> Draw:
        """Of as many people as a study has."""
        noise = self.noise(rho, alike)

        def draw(random: np.random.Generator) -> Drawn:
            cheap = self.d[random.integers(len(self.d), size=people)]
            return Drawn(cheap + noise * random.normal(size=cheap.shape), cheap, float(self.d.mean()))

        return draw

    def spreads(self, rho: float, alike: bool) -> tuple[float, ...]:
        """How far the dear model's answers to each group vary, relative to each other."""
        variance = self.d.var(axis=0, ddof=1) + self.noise(rho, alike) ** 2
        return tuple(np.sqrt(variance / variance.mean()).tolist())

    def components(self, rho: float) -> Components:
        """Of the dear model's answers."""
        groups = self.d.shape[1]
        rest = self.d - self.d.mean(axis=0)
        answers = float((rest - rest.mean(axis=1, keepdims=True)).var() * groups / (groups - 1))
        persona = max(0.0, float(rest.mean(axis=1).var(ddof=1)) - answers / groups)
        noise = float(rest.var()) * (1 / rho**2 - 1)
        return Components(persona, float(self.d.mean(axis=0).var(ddof=1)), 0.0, answers + noise)


def ended(way: PricedWay, pool: DesignPool, drawn: Drawn, seed: int, wanted: float) -> Outcome:
    """A study asked in a way: of its first people, per_person groups each, with one look or round by round."""
    if way.name == ADAPTIVE:
        return adaptively(way, pool, drawn, np.random.default_rng([seed, 1]), wanted)
    shared, looking = way.name in (COVARIATE, ALL_OF_THEM), way.name in (ROUNDS, ALL_OF_THEM)
    rounds = min(pool.rounds, way.per_person) if looking else 1
    errors: list[float] = []
    for number in range(1, rounds + 1):
        asked = way.per_person * number // rounds
        rows = of_way(way, drawn, asked, shared)
        found = rows.estimate(EXACT, EXACT, LEVEL, seed).covaried
        level = LEVEL
        if looking:
            errors.append(found.people.error)
            level = level_of(tuple(round(each / errors[0], 2) for each in errors), rounds)
        half = quantile(level, found.people.freedom) * found.people.error
        if half <= wanted:
            break
    return Outcome(asked, found.effect, half)


def adaptively(way: PricedWay, pool: DesignPool, drawn: Drawn, random: np.random.Generator, wanted: float) -> Outcome:
    """A study by adaptive rounds, as `AdaptiveDesign` asks and `whole_rows` counts; draws come from `random`."""
    d, rounds, people = drawn.d[: way.people], min(pool.rounds, pool.groups), np.arange(way.people)
    number, chance = np.zeros(d.shape, dtype=np.int64), np.ones(d.shape)
    errors: list[float] = []
    for current in range(1, rounds + 1):
        left, seen = number == 0, number > 0
        rest = np.where(seen, d - np.where(seen, d, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1), 0.0)
        own = chances(left, spread(rest, seen, np.zeros_like(people)), pool.groups / rounds)
        own = own if current < rounds else left.astype(float)
        order = np.argsort(random.random(d.shape), axis=1)
        sums = np.cumsum(np.take_along_axis(own, order, axis=1), axis=1)
        hits = np.maximum(np.ceil(sums - random.random((len(d), 1))), 0)
        chosen = np.zeros(d.shape, dtype=bool)
        np.put_along_axis(chosen, order, np.diff(hits, prepend=0, axis=1) > 0, axis=1)
        chosen &= own > 0
        number[chosen], chance[chosen] = current, own[chosen]
        told = AskedCells(number, chance, np.full(len(d), current), np.full(len(d), rounds))
        means = whole_rows(np.where(number > 0, d, np.nan), told, people).mean(axis=1)
        found = one_way(means, np.ones(len(d)))
        errors.append(float(np.sqrt(found.value)))
        level = level_of(tuple(round(each / errors[0], 2) for each in errors), rounds)
        half = quantile(level, found.freedom) * errors[-1]
        if half <= wanted:
            break
    return Outcome(float((number > 0).sum() / len(d)), float(means.mean()), half)


@cache
def level_of(errors: tuple[float, ...], rounds: int) -> float:
    """What a look has to be sure of; errors as shares of the first one's, to two places, so that studies share it."""
    return confidence(errors, rounds)


def of_way(way: PricedWay, drawn: Drawn, per_person: int, shared: bool) -> TwoPhase:
    """What was asked so far, with the covariate's answers or without."""
    groups = drawn.d.shape[1]
    start = np.arange(way.people) % groups
    asked = ranks(groups)[(np.arange(groups) - start[:, None]) % groups] < per_person
    share = asked / per_person
    cheap = drawn.cheap - drawn.cheap.mean(axis=0) if shared else np.zeros_like(drawn.cheap)
    number = np.arange(len(cheap))
    known, others = (
        PeopleRows(np.ones(len(number[rows])), number[rows], cheap[rows] / groups)
        for rows in (slice(way.people), slice(way.people, None if shared else way.people))
    )
    return TwoPhase(known, others, share * drawn.d[: way.people], share, share * cheap[: way.people])


class Ways(NamedTuple):
    """Which studies are asked in every way."""

    name: str
    draw: Draw
    of: Components
    pool: DesignPool
    rho: float
    wanted: float = HALF_WIDTH


def ways(study: Ways, studies: int) -> None:
    """A line a way."""
    name, of, pool, rho, wanted = study.name, study.of, study.pool, study.rho, study.wanted
    start = time.perf_counter()
    print(
        f"\n{name}, ρ = {rho}: Δ to ± {wanted}, {pool.people} people and {pool.groups} item groups to draw from, "
        f"{studies:,} studies, US$ {USD} a request"
    )
    print(
        "way                                people  groups  looks  requests   US$  covariate  ± mean    within 5% "
        "covers  of per_person  of target"
    )
    priced = priced_ways(of, wanted, pool, SharedAnswers(rho, rho))
    requests: dict[str, float] = {}
    outcomes = np.array([_all_ways(priced, study, seed) for seed in range(studies)])
    for way, found in zip(priced, outcomes.swapaxes(0, 1), strict=True):
        asked, half, reached, covers = found.mean(axis=0)
        requests[way.name] = asked * way.people + pool.groups
        beside = [
            f"{requests[way.name] / requests[other]:6.1%}" if other in requests else "" for other in (PART, ROUNDS)
        ]
        print(f"{way.name:34s} {way.people:6d} {asked:7.2f} {way.looks:6d} {requests[way.name]:9,.0f} "
              f"{requests[way.name] * USD:5.2f} {way.beside:10,d} {half:7.4f} {reached:11.1%} {covers:7.1%} "
              f"{beside[0]:>14s} {beside[1]:>10s}", flush=True)  # fmt: skip
    print(f"{time.perf_counter() - start:.0f} s")


def _all_ways(priced: Sequence[PricedWay], study: Ways, seed: int) -> list[tuple[float, ...]]:
    """Of each way: groups asked, half-width, whether it is at most 5 % over the wanted one, whether it covers."""
    drawn = study.draw(np.random.default_rng(seed))
    found = [ended(way, study.pool, drawn, seed, study.wanted) for way in priced]
    misses = [abs(each.effect - drawn.effect) for each in found]
    return [
        (each.asked, each.half_width, each.half_width <= 1.05 * study.wanted, miss <= each.half_width)
        for each, miss in zip(found, misses, strict=True)
    ]


def rounds(studies: int) -> None:
    """A line a design: means over the studies and their levels."""
    start = time.perf_counter()
    print(f"{studies} simulated studies a design; {Target(0.1).rounds} looks at most")
    print("people x items, levels, baseline   target    asked   ± there   ± of full   covers   one look covers")
    for design, target in TARGETS:
        found = pd.DataFrame([row for seed in range(studies) for row in course(design, target, seed)])
        means = found.mean()
        head = f"{design.personas} x {design.items}, {design.levels}, asked {design.baseline_replicates} times"
        print(
            f"{head:32s}  ± {target.half_width:.3f}  {means['share']:6.1%}    {means['half']:.4f}      "
            f"{means['full']:.4f}   {means['covers']:6.1%}   {means['naive']:6.1%}"
        )
    print(f"{time.perf_counter() - start:.0f} s")


def course(design: Design, target: Target, seed: int) -> list[dict[str, float]]:
    """One study asked round by round; a row a level."""
    study = simulate(design, seed)
    alone = study.scores["persona_id"] == ""
    level = study.scores["level"].astype(str).where(~alone, "") if target.by else alone.map({True: "", False: "all"})
    people = dict(zip(study.scores["persona_id"].astype(str)[~alone], level[~alone], strict=True))
    groups = sorted(study.scores["group"].astype(str).unique())
    run = SequentialDesign(target, people, groups)
    looks = run.looks(study.scores)  # takes from the scores only what the course has asked for
    while run.next_batch(looks):
        looks = run.looks(study.scores)
    rows = []
    for look in looks:
        whole = persona_effect(study.scores[alone | (level == look.level)])
        t = stats.t([look.personas - 1]).ppf
        one_look = look.half_width * (t((1 + LEVEL) / 2) / t((1 + look.confidence) / 2))[0]
        miss = abs(look.effect - study.effect_on_these_items)
        full = (whole.people_high - whole.people_low) / 2
        covers, naive = miss <= look.half_width, miss <= one_look
        share = look.asked / look.rounds
        rows.append({"share": share, "half": look.half_width, "full": full, "covers": covers, "naive": naive})
    return rows


def main(kind: str, *rest: str) -> None:
    """One of the three kinds."""
    if kind == "rounds":
        rounds(int(rest[0]) if rest else 200)
        return
    if kind == "recorded":
        read = Recorded.read(rest[0])
        studies = int(rest[1]) if len(rest) > 1 else 2000
        for rho, alike in product((0.7, 0.3), (False, True)):
            pool = replace(POOL, groups=read.d.shape[1], spreads=read.spreads(rho, alike))
            name = f"recorded ({len(read.d)} people, noise {'alike' if alike else 'as each item varies'})"
            ways(Ways(name, read.draw(rho, pool.people, alike), read.components(rho), pool, rho), studies)
        return
    share = 0.4 if kind == "unequal" else 1.0
    pool = replace(POOL, spreads=spreads_of(share, POOL.groups))
    name, studies = f"simulated, {share:.0%} of the item groups vary", int(rest[0]) if rest else 2000
    for rho, wanted in product(map(float, rest[1:] or ("0.7", "0")), (HALF_WIDTH, NARROW)):
        ways(Ways(name, simulated(rho, pool=pool), OF, pool, rho, wanted), studies)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["ways"]))

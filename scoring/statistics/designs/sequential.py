"""Precision-targeted runs: what to ask next, and when an interval is narrow enough.

The study is asked in rounds. Item groups are dealt into `rounds` blocks; in each round a persona answers one block, the
p-th persona of a level starting with block p, so that within a level every item is asked equally often after each
round (`adaptive_rounds` draws item groups by what varies instead). Levels whose interval is wide are given further
rounds. The baseline is asked first and whole; the noise that its replicates show is part of the interval, and only more
replicates narrow it. Where a covariate was asked everything, the looks are at Δ with its answers.

Every look is one of at most `rounds`, fixed beforehand, and spends its share of α (`alpha_spending`): looks are made
at the end of a round, and a round takes hours, so a confidence sequence, which bears a look after every answer, would
ask for more than is needed.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from personas.stable_order import rank
from scoring.statistics.clustered_errors import LEVEL
from scoring.statistics.covariates.two_models import SideBySide
from scoring.statistics.designs.alpha_spending import confidence
from scoring.statistics.designs.incomplete import Deal, numbered
from scoring.statistics.effect import Contributions, estimate
from scoring.statistics.levels import ALL, HIDDEN_UNDER, levels_of
from scoring.statistics.pairs import Part, is_twin, parts

LEAST_PERSONAS = 10
DesignMaker = Callable[[tuple[str, str], "Target", Mapping[str, str], Sequence[str]], "SequentialDesign"]
REACHED, ALL_ASKED, UNFINISHED = "reached", "everything asked", "not finished"


@dataclass(frozen=True, slots=True)
class Target:
    """Ask until Δ's interval (for these items) is at most ± `half_width`, for everybody or each level of `by`.

    In `adaptive` rounds item groups that vary more are asked more (`adaptive_rounds`), and more of the people of
    `strata` whose answers vary more.
    """

    half_width: float
    by: str | None = None
    rounds: int = 8
    seed: int = 0
    adaptive: bool = False
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InterimLook:
    """The state of one level: its personas, rounds asked of `rounds`, Δ, and the interval's half-width.

    The interval's level is `confidence`, at which all looks together have 95 %. The half-width is infinite before the
    first round, and under ten persona clusters.
    """

    level: str
    personas: int
    asked: int
    rounds: int
    effect: float
    half_width: float
    confidence: float
    reached: bool

    @property
    def done(self) -> bool:
        """Whether nothing more is asked of this level."""
        return self.reached or self.asked >= self.rounds


@dataclass(frozen=True, slots=True)
class Batch:
    """What to ask next of one level: for each persona id, the item groups; and the round, from 1.

    `drawn` are the chances of what was drawn anew, by persona id and item group, which are to be kept.
    """

    level: str
    cells: Mapping[str, tuple[str, ...]]
    number: int = 1
    drawn: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def blocks(groups: Sequence[str], rounds: int, seed: int) -> list[tuple[str, ...]]:
    """The item groups dealt into `rounds` blocks whose sizes differ by one at most, by sha256(seed, group)."""
    order = sorted(set(groups), key=partial(rank, seed))
    return [tuple(order[start::rounds]) for start in range(min(rounds, len(order)))]


class SequentialDesign:
    """The rounds of one model and benchmark, from the first.

    `people` maps every persona id that may be asked to its level (`ALL` where the target names no attribute), `groups`
    are the study's item groups. What is asked depends on the scores of what was asked before and on nothing else: an
    interrupted run, and the report, take the same course again. Where a `deal` gives each person some of the groups,
    a round is the next part of these.
    """

    def __init__(
        self, target: Target, people: Mapping[str, str], groups: Sequence[str], deal: Deal | None = None
    ) -> None:
        self._target, self._people, self._deal = target, people, deal
        self._blocks = blocks(groups, target.rounds, target.seed)
        self._rounds = min(target.rounds, deal.per_person) if deal else len(self._blocks)
        self._block_of = {group: number for number, block in enumerate(self._blocks) for group in block}
        self._members: dict[str, list[str]] = {}
        for name in sorted(people):
            self._members.setdefault(people[name], []).append(name)
        self._place = {name: place for members in self._members.values() for place, name in enumerate(members)}
        self._asked = dict.fromkeys(sorted(self._members), 0)
        self._errors: dict[str, dict[int, float]] = {level: {} for level in self._members}

    def looks(self, scores: pd.DataFrame, beside: Part | None = None) -> list[InterimLook]:
        """Each level's state, from the scores of one model and benchmark; those not asked for yet are not looked at.

        `beside` has the scores of its covariate, which was asked everything.
        """
        started = len(scores) and any(self._asked.values())
        intervals = self._intervals(self._of_course(scores), beside) if started else {}
        found = []
        for level, asked in self._asked.items():
            effect, half_width, confidence = intervals.get(level, (math.nan, math.inf, LEVEL))
            reached = half_width <= self._target.half_width
            size = len(self._members[level]), asked, self._rounds
            found.append(InterimLook(level, *size, effect, half_width, confidence, reached))
        return found

    def next_batch(self, looks: Sequence[InterimLook]) -> Batch | None:
        """The next round of the level whose interval is widest, which counts as asked from now on; None at the end."""
        open_looks = [look for look in looks if not look.done]
        if not open_looks:
            return None
        widest = max(open_looks, key=lambda look: (look.half_width, -look.asked, look.level))
        batch = self._batch(widest.level, widest.asked)
        self._asked[widest.level] += 1
        return batch

    def _batch(self, level: str, number: int) -> Batch:
        """The next round of a level, of which so many were asked."""
        return Batch(level, {name: self._of_round(name, number) for name in self._members[level]}, number + 1)

    def _of_round(self, name: str, number: int) -> tuple[str, ...]:
        """The groups that a person is asked in a round, from 0."""
        if self._deal:
            since, until = (self._until(self._deal, each) for each in (number, number + 1))
            return tuple(self._deal.groups_of(name)[int(since) : int(until)])
        return self._blocks[(self._place[name] + number) % len(self._blocks)]

    def _until(self, deal: Deal, rounds: np.ndarray | int) -> np.ndarray:
        """How many of the groups dealt to a person are asked by the end of so many rounds."""
        return np.asarray(rounds) * deal.per_person // self._rounds

    def _of_course(self, scores: pd.DataFrame) -> pd.DataFrame:
        """The baseline, and the cells that were asked for so far."""
        person, group = scores["persona_id"], scores["group"]
        asked = numbered(person, {name: self._asked[level] for name, level in self._people.items()})
        if self._deal:
            position = self._deal.positions(person, group)
            wanted = (asked >= 0) & (position >= 0) & (position < self._until(self._deal, asked))
        else:
            block, place = numbered(group, self._block_of), numbered(person, self._place)
            wanted = (place >= 0) & (block >= 0) & ((block - place) % len(self._blocks) < asked)
        return scores[(person == "").to_numpy() | wanted]

    def _intervals(self, scores: pd.DataFrame, beside: Part | None) -> dict[str, tuple[float, float, float]]:
        """Δ, its half-width and the level of that interval, by level of the attribute, of those with any answer."""
        (part,) = (each.whole for each in parts(scores, (self._target.by,) if self._target.by else ()))
        found = part.pairs(part.measures[-1])  # letter probabilities, where there are any, resolve more
        of = Contributions.of(found, np.ones(len(found.people)))
        both = SideBySide.read(part, beside) if beside is not None else None
        level = found.people["persona_id"].astype(str).map(self._people)
        result = {}
        for name in sorted(set(level)):
            inside = (level == name).to_numpy()
            clusters = len(set(found.cluster[inside]))
            seen = _seen(of, both, self._inside(name, both, inside), LEVEL, self._target.seed)
            if clusters < LEAST_PERSONAS or math.isnan(seen.error):
                result[name] = (seen.effect, math.inf, LEVEL)
                continue
            sure = self._confidence(name, seen.error)
            own = _seen(of, both, self._inside(name, both, inside), sure, self._target.seed)
            result[name] = (own.effect, own.half_width, sure)
        return result

    def _inside(self, level: str, both: SideBySide | None, known: np.ndarray) -> np.ndarray:
        """Who is at a level, of those whom the model was asked about, or of everybody where there is a covariate."""
        if both is None:
            return known
        attribute = self._target.by
        theirs = levels_of(both.people, attribute or ALL) == level
        found: np.ndarray = np.r_[known, theirs.to_numpy()[len(known) :]]
        return found

    def _confidence(self, level: str, error: float) -> float:
        """What this look has to be sure of, after the looks at this level before it."""
        if error == 0:
            return LEVEL  # nothing varies: the interval is a point at any level
        errors = self._errors[level]
        errors[self._asked[level]] = error
        return confidence(tuple(errors[asked] for asked in sorted(errors)), self._rounds)


class _Seen(NamedTuple):
    effect: float
    error: float
    half_width: float


def _seen(of: Contributions, both: SideBySide | None, inside: np.ndarray, level: float, seed: int) -> _Seen:
    """Δ of some people for these items, with the covariate's answers where there is one."""
    if both is not None:
        covaried = both.estimate(inside, level, seed)
        if covaried is not None:
            found = covaried.covaried
            return _Seen(found.effect, found.people.error, (found.people.high - found.people.low) / 2)
    own = estimate(of, inside, (math.nan, math.nan), level=level)
    return _Seen(own.effect, own.people_error, (own.people_high - own.people_low) / 2)


def target_table(
    scores: pd.DataFrame,
    target: Target,
    people: Mapping[str, str],
    groups: Mapping[str, Sequence[str]],
    deals: Mapping[tuple[str, str], Deal] = MappingProxyType({}),
    covariates: Mapping[str, str] = MappingProxyType({}),
    make: "DesignMaker | None" = None,
) -> pd.DataFrame:
    """Where a targeted run stands: a row a model, benchmark and level, with the interval that is valid under looking.

    `groups` are each benchmark's item groups, `deals` say, by model and benchmark, who is asked which of them, where
    not all; `covariates` names each model's covariate, which is asked everything and has no row; `make` makes other
    designs than `SequentialDesign`. Columns: model,
    benchmark, attribute, level, personas, asked and rounds, effect, low, high (at `confidence`, all looks together
    95 %), half_width, wanted, and outcome: reached, everything asked, or not finished. A level under five people has
    its numbers withheld. Benchmarks without a baseline have no Δ and no row.
    """
    rows = []
    found = parts(scores, (target.by,) if target.by else ()) if len(scores) else ()
    by_name = {(part.model, part.benchmark): part for part in found}
    for part in found:
        if part.benchmark not in groups or not part.alone.any() or part.model in covariates.values():
            continue
        deal = deals.get((part.model, part.benchmark))
        asked = {name: level for name, level in people.items() if deal is None or name in deal.starts}
        own, name = (target, asked, groups[part.benchmark]), (part.model, part.benchmark)
        course = make(name, *own) if make else SequentialDesign(*own, deal)
        for look in _replayed(part.whole.scores, course, by_name.get((covariates.get(part.model, ""), part.benchmark))):
            values = asdict(look)
            outcome = REACHED if values.pop("reached") else ALL_ASKED if look.done else UNFINISHED
            if look.personas < HIDDEN_UNDER:
                values |= {"personas": math.nan, "effect": math.nan, "half_width": math.nan}
            head = {"model": part.model, "benchmark": part.benchmark, "attribute": target.by or ALL}
            bounds = {"low": values["effect"] - values["half_width"], "high": values["effect"] + values["half_width"]}
            last = {"wanted": target.half_width, "outcome": outcome}
            rows.append({**head, **values, **bounds, **last})
    return pd.DataFrame(rows).replace([math.inf, -math.inf], math.nan)


def _replayed(scores: pd.DataFrame, course: SequentialDesign, beside: Part | None) -> list[InterimLook]:
    """The looks at the end of the course, or at the first round that the scores do not have whole."""
    pairs = scores.loc[~is_twin(scores["persona_id"]), ["persona_id", "group"]].drop_duplicates().astype(str)
    answered = set(pairs.itertuples(index=False, name=None))
    looks = course.looks(scores, beside)
    while batch := course.next_batch(looks):
        if batch.drawn or not answered.issuperset(_pairs(batch)):
            break
        looks = course.looks(scores, beside)
    return looks


def _pairs(batch: Batch) -> Iterator[tuple[str, str]]:
    return ((name, group) for name, groups in batch.cells.items() for group in groups)

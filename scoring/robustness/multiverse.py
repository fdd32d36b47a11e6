"""Would another wording say the same? Δ under every specification: each way in which a persona was written and asked.

Specification curve analysis (Simonsohn, Simmons & Nelson 2020): the curve of Δ over all specifications, and one test
over all of them instead of one each.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.codes import varies
from scoring.statistics.effect import Contributions, Estimate, contributions, estimate
from scoring.statistics.pairs import WORDING, Part, Scores, parts
from scoring.statistics.weights import Floats

AXES = (*WORDING, "rotation")
MOST = 512  # specifications of a benchmark: beyond them a report would take minutes
FLIPS = 1999
LEAST_GROUPS = 8  # item groups below which flipped signs cannot be rare enough
_BLOCK = 250


@dataclass(frozen=True)
class Specification:
    """One way of asking, by a measure: its place among them, the level of each axis, Δ, and what adds to it.

    `d` and `weight` are of each of the `people`; `by_group` is what each item group adds to Δ.
    """

    place: int
    levels: dict[str, str]
    found: Estimate
    people: pd.DataFrame
    d: Floats
    weight: Floats
    by_group: dict[str, float]


def axes_of(part: Part) -> list[str]:
    """What was varied among the personas' answers: format, frame, placement, order, whatever else, and rotation."""
    scores, told = part.clean.scores, ~part.clean.alone
    return [name for name in AXES if name in scores and varies(scores.loc[told, name])]


def specifications_of(part: Part, measure: str) -> list[Specification]:
    """Every combination that was asked and has pairs, in order; none where nothing was varied."""
    return part.once("specifications", measure, lambda: list(_specifications(part, measure)))


def _specifications(part: Part, measure: str) -> Iterator[Specification]:
    clean, axes = part.clean, axes_of(part)
    if not axes:
        return
    alone = clean.alone.to_numpy()
    base, told = np.flatnonzero(alone), np.flatnonzero(~alone)
    grouped = clean.scores[axes].iloc[told].groupby(axes, observed=True, sort=True)
    code = grouped.ngroup().to_numpy()
    for number, key in enumerate(grouped.size().index[:MOST]):
        own = clean.some(np.concatenate([base, told[code == number]]))
        of = contributions(own, measure)
        if len(of.cells.person):
            keys = key if isinstance(key, tuple) else (key,)
            yield _specification(number, dict(zip(axes, map(str, keys), strict=True)), of)


def _specification(place: int, levels: dict[str, str], of: Contributions) -> Specification:
    found, names = of.cells, map(str, of.cells.items["group"].unique())
    whole = estimate(of, np.ones(len(found.people), dtype=bool), (math.nan, math.nan))
    moves = of.total.sum(axis=0) / of.share.sum()
    by_group = dict(zip(names, moves.tolist(), strict=False))  # groups after the last that has a pair add nothing
    return Specification(place, levels, whole, found.people, found.by_persona(found.d), of.weight, by_group)


def specification_table(scores: Scores) -> pd.DataFrame:
    """A row per model, benchmark, measure and specification.

    Its levels, people, items, Δ and the interval for items like these too.
    """
    rows = []
    for part in parts(scores):
        made = [(each, name) for name in part.measures for each in specifications_of(part, name)]
        for each, name in sorted(made, key=lambda one: one[0].place):
            found = each.found
            head = {"model": part.model, "benchmark": part.benchmark, "measure": name, **each.levels}
            size = {"personas": found.personas, "items": found.items}
            bounds = {"items_low": found.items_low, "items_high": found.items_high}
            rows.append({**head, **size, "effect": found.effect, **bounds})
    table = pd.DataFrame(rows)
    return table.fillna({name: "" for name in AXES if name in table}) if len(table) else table


def multiverse_table(scores: Scores, specifications: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """A row per model, benchmark and measure: the range and the agreement of its specifications' Δ.

    How many `specifications` there are, over which `axes`, the lowest, median and highest Δ, the share with the
    median's sign (`same_sign`) and with an interval off zero on that side (`off_zero`), and `p` of no effect under any
    specification.

    The test is of these people on items like these: the statistic is the median Δ over specifications; under the null
    the signs of whole item groups are exchangeable, and are flipped jointly for all specifications, which keeps their
    dependence (the observed signs count as one of the draws). NaN under eight item groups.
    """
    rows = []
    for part in parts(scores):
        axes = axes_of(part)
        for name in part.measures if axes and len(specifications) else ():
            keys = {"model": part.model, "benchmark": part.benchmark, "measure": name}
            own = specifications[(specifications[list(keys)] == pd.Series(keys)).all(axis=1)]
            if len(own) < 2:
                continue
            deltas = own["effect"].to_numpy(dtype=float)
            median = float(np.median(deltas))
            sign = math.copysign(1.0, median)
            off = (own["items_low"] > 0) if sign > 0 else (own["items_high"] < 0)
            values = {"lowest": deltas.min(), "median": median, "highest": deltas.max()}
            shares = {"same_sign": float((sign * deltas > 0).mean()), "off_zero": _share(off, own["items_low"])}
            p = flipped_p(group_moves(part, name), seed)
            rows.append(
                {**keys, "specifications": len(own), "axes": " × ".join(_words(part, axes)), **values, **shares, "p": p}
            )
    return pd.DataFrame(rows)


def _words(part: Part, axes: Sequence[str]) -> list[str]:
    """The axes by the names that a reader knows: cues stand in the column of the formats."""
    scores, told = part.clean.scores, ~part.clean.alone
    cued = "cue" in scores and varies(scores.loc[told, "cue"])
    return ["cue" if each == "format" and cued else each for each in axes]


def _share(off: pd.Series, low: pd.Series) -> float:
    """The share of all specifications, of which one without an interval is not off zero; NaN where none has one."""
    return float(off.mean()) if low.notna().any() else math.nan


def group_moves(part: Part, measure: str) -> Matrix:
    """Specification × item group: what each group adds to Δ; a row sums to the specification's Δ."""
    names = sorted(map(str, part.clean.scores["group"].unique()))
    rows = [[each.by_group.get(name, 0.0) for name in names] for each in specifications_of(part, measure)]
    return np.array(rows, dtype=float).reshape(len(rows), len(names))


def flipped_p(moves: Matrix, seed: int) -> float:
    """P of "no specification has an effect", two-sided, from specification × item group contributions."""
    there = (moves != 0).any(axis=0)
    if there.sum() < LEAST_GROUPS or len(moves) < 2:
        return math.nan
    moves, random = moves[:, there], np.random.default_rng(seed)
    observed = abs(float(np.median(moves.sum(axis=1))))
    null: list[Floats] = []
    for start in range(0, FLIPS, _BLOCK):
        signs = random.choice([-1.0, 1.0], (min(_BLOCK, FLIPS - start), moves.shape[1]))
        null.append(np.abs(np.median(signs @ moves.T, axis=1)))
    return float((1 + (np.concatenate(null) >= observed * (1 - 1e-9)).sum()) / (1 + FLIPS))

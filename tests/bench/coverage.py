"""How often the 95 % intervals cover the truth, how often a test rejects where nothing is to be found, and how often an
effect is found that is as large as the report says can be found.

python tests/bench/coverage.py [studies] [words of a condition's name]    (2,000 studies a condition by default)

With 2,000 studies or more the figures are kept in `FIGURES`, where the report takes those that it quotes from.
"""

import csv
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from conditions import CONDITIONS, DESIGNS, FAMILIES, Condition, Design, studies

from scoring.statistics.clustered_errors import detectable, unbiased_error
from scoring.statistics.coverage_figures import FIGURES, INTERVAL, NULL, POWER, figures
from scoring.statistics.designs.power import hardest_gap
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import Contributions, estimate
from scoring.statistics.gaps import gap, on_common_items
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.omnibus import family
from scoring.statistics.pairs import Part, cells

LEAST_STUDIES = 2000  # below which no figure is kept
NO_RATES = (np.nan, np.nan)


def coverage(of: Condition, count: int) -> dict[str, object]:
    """How often both intervals cover (empty where there is none), their median half-widths, and the reasons for which
    most of them are called conservative."""
    rows, reasons = [], []
    for study in studies(of, count):
        found = estimate(study.of, np.ones(len(study.level), dtype=bool), NO_RATES)
        covers = found.people_low <= study.truth <= found.people_high, found.items_low <= study.wide <= found.items_high
        rows.append((*covers, (found.people_high - found.people_low) / 2, (found.items_high - found.items_low) / 2))
        reasons.append(found.conservative)
    table = np.array(rows, dtype=float)
    there = ~np.isnan(table[:, 2:])
    names = ("people", "items", "people_half", "items_half")
    shown = {name: table[there[:, number % 2], number] for number, name in enumerate(names)}
    means = {name: (np.median if "half" in name else np.mean)(each) for name, each in shown.items() if len(each)}
    return {**means, **_called(reasons)}


def _called(reasons: list[str]) -> dict[str, object]:
    """What most intervals are called, and the share of those that are called conservative."""
    return {"conservative": max(set(reasons), key=reasons.count), "flagged": np.mean([bool(each) for each in reasons])}


def rejections(of: Condition, count: int) -> dict[str, object]:
    """How often a family under the null has a discovery; how often each omnibus test rejects where it is made; how
    often the gaps' intervals cover 0. Where levels take items differently they do differ on these items."""
    rows, reasons = [], []
    for number, study in enumerate(studies(of, count)):
        levels = [study.level == each for each in np.unique(study.level)]
        common = on_common_items(study.of, levels)
        gaps = [gap(common, inside) for inside in levels]
        holm, _ = adjusted(np.array([each["gap_p"] for each in gaps], dtype=float))
        test = family(common, study.level, np.zeros(len(study.level), dtype=np.int64), number)
        bounds = np.array([(each["gap_low"], each["gap_high"]) for each in gaps], dtype=float)
        inside = (bounds[:, 0] <= 0) & (bounds[:, 1] >= 0)
        covers = inside[~np.isnan(bounds[:, 0])].mean() if not np.isnan(bounds[:, 0]).all() else np.nan
        reasons += [str(each["gap_conservative"]) for each in gaps]
        rows.append(((holm < 0.05).any(), _rejects(test.omnibus_p), _rejects(test.omnibus_items_p), covers))
    table = np.array(rows, dtype=float)
    if of.level_group_spread:
        table[:, 1] = np.nan
    names = ("holm", "omnibus", "omnibus_items", "gaps")
    means = {name: np.nanmean(each) for name, each in zip(names, table.T, strict=True) if not np.isnan(each).all()}
    return {**means, **_called(reasons)}


def _rejects(p: float) -> float:
    return np.nan if np.isnan(p) else float(p <= 0.05)


def power(of: Design, count: int) -> dict[str, object]:
    """How often an effect, or a gap, is found that is as large as the report of such a study says can be found with a
    power of 80 %: the median over studies in which there is nothing."""
    of_gap = len(of.people) > 1
    nothing = (_additive(of, 0.0, np.random.default_rng([1, number])) for number in range(count // 4))
    size = float(np.median([_resolvable(study, of_gap) for study in nothing]))
    found = [_is_found(_additive(of, size, np.random.default_rng([2, number])), of_gap) for number in range(count)]
    return {"printed": size, "found": np.mean(found)}


def _additive(of: Design, size: float, random: np.random.Generator) -> tuple[Contributions, np.ndarray]:
    """Scores that differ by `size` from the baseline, or at the first of several levels from the others'."""
    level = np.repeat(np.arange(len(of.people)), of.people)
    group = np.repeat(np.arange(of.groups), of.size)
    moved = size * (level == 0) if len(of.people) > 1 else np.full(len(level), size)
    score = 0.5 + 0.1 * random.normal(size=of.groups)[group] + (moved + 0.05 * random.normal(size=len(level)))[:, None]
    score = score + 0.3 * random.normal(size=score.shape)
    pairs = cells(Part("", "", as_scores(score, np.full((1, len(group)), 0.5), group.tolist())))
    return Contributions.of(pairs, np.ones(len(level))), level


def _resolvable(study: tuple[Contributions, np.ndarray], of_gap: bool) -> float:
    """What the report says of such a study."""
    pairs, level = study
    if not of_gap:
        return estimate(pairs, level == 0, NO_RATES).resolvable
    gaps = [gap(pairs, level == each) for each in np.unique(level)]
    known = [(float(each["gap_error"]), float(each["gap_freedom"])) for each in gaps]
    least = [detectable(unbiased_error(error, freedom), freedom, len(gaps)) for error, freedom in known]
    return hardest_gap(pd.DataFrame({"personas": np.bincount(level), "gap_resolvable": least}))


def _is_found(study: tuple[Contributions, np.ndarray], of_gap: bool) -> bool:
    pairs, level = study
    if not of_gap:
        found = estimate(pairs, level == 0, NO_RATES)
        return bool(found.items_low > 0 or found.items_high < 0)
    p_values = [float(gap(pairs, level == each)["gap_p"]) for each in np.unique(level)]
    return bool(adjusted(np.array(p_values))[0][0] < 0.05)


KINDS: tuple[tuple[str, Mapping[str, Any], Callable[..., dict[str, object]]], ...] = (
    (INTERVAL, CONDITIONS, coverage),
    (NULL, FAMILIES, rejections),
    (POWER, DESIGNS, power),
)
COLUMNS = ["kind", "condition", "studies", "people", "items", "people_half", "items_half", "conservative", "flagged"]
COLUMNS += ["holm", "omnibus", "omnibus_items", "gaps", "printed", "found"]


def main(count: int, words: list[str]) -> None:
    """All conditions, or those whose names hold one of the words."""
    print(f"{count:,} studies a condition")
    for kind, table, measure in KINDS:
        for name, of in table.items():
            if words and not any(word in f"{kind}: {name}" for word in words):
                continue
            start = time.perf_counter()
            row = {"kind": kind, "condition": name, "studies": str(count)}
            row |= {
                key: f"{value:.4f}" if isinstance(value, float) else str(value)
                for key, value in measure(of, count).items()
            }
            if count >= LEAST_STUDIES:
                keep(row)
            shown = ", ".join(f"{key} {value or 'no'}" for key, value in list(row.items())[3:])
            print(f"{kind}: {name}: {shown} ({time.perf_counter() - start:.0f} s)", flush=True)


def keep(row: dict[str, str]) -> None:
    """Put a row into the table of figures, in the place of the one before; those of former conditions are dropped."""
    rows = {(each["kind"], each["condition"]): dict(each) for each in figures()} if FIGURES.exists() else {}
    figures.cache_clear()
    rows[row["kind"], row["condition"]] = row
    with FIGURES.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[kind, name] for kind, table, _ in KINDS for name in table if (kind, name) in rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, sys.argv[2:])

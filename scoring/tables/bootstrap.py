"""The table of numbers that exist only over many items: each benchmark's own, and how often each letter is chosen."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import NamedTuple

import pandas as pd

from scoring.benchmarks.registry import many_item_scores
from scoring.statistics.levels import ALL
from scoring.statistics.many_item import CountedAnswers, ManyItemScore, PairedScores
from scoring.statistics.pairs import Part, Scores, parts
from scoring.statistics.pigeonhole import Totals
from scoring.statistics.weights import Floats


class Aggregates(NamedTuple):
    """The table over all items, and the same for each item category of the benchmarks that have such numbers."""

    overall: pd.DataFrame
    by_category: pd.DataFrame


def aggregate_tables(scores: Scores, seed: int = 0) -> Aggregates:
    """A row per model, benchmark and number: without, with, effect = with − without.

    Every persona is compared with the baseline on the items and orders of options that both have a read answer to
    (`answers_with` such answers, by persona weight, beside `answers_without` of the baseline; `unpaired` have no
    partner). The 95 % interval (`low`, `high`) is from Owen's (2007) pigeonhole bootstrap, 2,000 draws: clusters of
    people who read the same and item groups, resampled independently. `left_out` says what a number is not of.
    """
    overall: list[dict[str, object]] = []
    by_category: list[dict[str, object]] = []
    for part, paired in _paired(scores, seed):
        head = {"model": part.model, "benchmark": part.benchmark}
        for each in chain(_letters(part), many_item_scores(part.benchmark, part.clean.scores)):
            found = paired.row(each)
            if each.category == ALL:
                overall.append({**head, "metric": each.name, **found, "left_out": each.left_out})
            else:
                by_category.append({**head, "category": each.category, "metric": each.name, **found})
    return Aggregates(pd.DataFrame(overall), pd.DataFrame(by_category))


def _paired(scores: Scores, seed: int) -> Iterator[tuple[Part, PairedScores]]:
    """Those that have both a baseline and personas."""
    for part in parts(scores):
        alone = part.clean.alone
        if alone.any() and not alone.all():
            yield part, PairedScores(part, seed)


def _letters(part: Part) -> Iterator[ManyItemScore]:
    """How often each letter was chosen, among answers that were read: a slot's share of the choices."""
    scores = part.clean.scores
    if "letter" not in scores:
        return
    chosen = scores["letter"]
    read = (chosen != "").to_numpy()
    letters = sorted(set(map(str, chosen.unique())) - {""})
    answers = CountedAnswers({"n": read, **{each: (chosen == each).to_numpy() for each in letters}}, read)
    for letter in letters:
        yield ManyItemScore(f"chose {letter}", answers, partial(_share, letter))


def _share(letter: str, sums: Totals) -> Floats:
    return sums[letter] / sums["n"]

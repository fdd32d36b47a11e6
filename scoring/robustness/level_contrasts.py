"""Pairs of levels compared with each other, where a study asks for it: Δ of one minus Δ of the other."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from scoring.statistics.effect import Contributions, contributions
from scoring.statistics.gaps import gap
from scoring.statistics.levels import columns_of, hidden_levels, is_missing, levels_of
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.pairs import Scores, parts


def contrast_table(scores: Scores, attributes: Sequence[str], min_n: int = 20) -> pd.DataFrame:
    """A row per model, benchmark, measure, attribute and pair of levels of at least `min_n` people.

    `difference` is Δ of `level` minus Δ of `other` on the items that both have, with the interval and p of a gap
    between these two alone; `holm` is adjusted over all pairs of the attribute.
    """
    rows: list[dict[str, object]] = []
    for part in (each.whole for each in parts(scores, columns_of(attributes))):
        for name in part.measures if attributes else ():
            if not len(part.pairs(name).person):
                continue
            of = contributions(part, name)
            for attribute in attributes:
                found = list(_pairs(of, attribute, min_n))
                holm = adjusted(np.array([row["p"] for row in found], dtype=float))[0]
                head = {"model": part.model, "benchmark": part.benchmark, "measure": name, "attribute": attribute}
                rows += [{**head, **row, "holm": float(p)} for row, p in zip(found, holm, strict=True)]
    return pd.DataFrame(rows)


def _pairs(of: Contributions, attribute: str, min_n: int) -> Iterator[dict[str, object]]:
    levels = levels_of(of.cells.people, attribute)
    sizes = levels.value_counts()
    hidden = hidden_levels(sizes)
    names = sorted(str(name) for name, size in sizes.items() if size >= min_n)
    for level, other in combinations([name for name in names if name not in hidden and not is_missing(name)], 2):
        both = levels.isin([level, other]).to_numpy()
        pair = Contributions.of(of.cells.on_people(both), of.weight[both])
        found = gap(pair, (levels[both] == level).to_numpy())
        values = {"difference": "gap", "difference_low": "gap_low", "difference_high": "gap_high", "p": "gap_p"}
        people = {"personas": int(sizes[level]), "personas_other": int(sizes[other])}
        yield {"level": level, "other_level": other, **people, **{to: found[of] for to, of in values.items()}}

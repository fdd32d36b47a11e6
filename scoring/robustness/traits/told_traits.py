"""Which trait does it? The effect of telling each trait, where a study tells traits at random."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scoring.robustness.traits.told_regression import ToldCells, ToldSlope, slopes
from scoring.robustness.traits.trait_relevance import UNTESTED, Relevance, relevance
from scoring.statistics.clustered_errors import two_sided_p
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.pairs import Cells, Part, Scores, factorized, parts
from scoring.statistics.weights import Floats

TRAIT, INTERACTION = "trait", "interaction"


def told_trait_table(scores: Scores, interactions: Sequence[tuple[str, str]] = (), seed: int = 0) -> pd.DataFrame:
    """A row per model, benchmark, measure and trait, where traits are told at random: what *telling* it does.

    By regression within people and item groups on what was told, all traits at once; then a row for each of the
    `interactions`, beyond the effects of both. `told` is the share of the answers beside a text that tells it; `low`
    and `high` are the 95 % interval for people like these and items like these, `holm` is adjusted over the traits of a
    measure, or its interactions; `note` says why there is no interval. `moved`, `moved_by_chance`, `moved_p` and
    `moved_holm` are of the answers' distribution, told against not told, whatever they score (`relevance`).
    """
    tables = [
        _of_measure(part, name, moved, interactions)
        for part in parts(scores)
        if "told" in part.scores
        for moved in [relevance(part, traits_told(part), seed)]
        for name in part.measures
        if len(part.pairs(name).person)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def traits_told(part: Part) -> list[str]:
    """The traits that some text of a respondent tells, by name."""
    own = part.clean.scores
    texts = own.loc[own["persona_id"] != "", "told"].astype(str).unique()
    return sorted({name for text in texts for name in text.split(", ") if name})


def _of_measure(
    part: Part, measure: str, moved: dict[str, Relevance], interactions: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    names = traits_told(part)
    pairs = [pair for pair in interactions if set(pair) <= set(names)]
    cells, told = told_cells(part, measure, names, pairs)
    rows = []
    for name, slope, share in zip([*names, *(" × ".join(each) for each in pairs)], slopes(cells), told, strict=True):
        kind = TRAIT if name in names else INTERACTION
        size = {"trait": name, "kind": kind, "told": float(share), "groups": int(cells.group.max()) + 1}
        rows.append({**size, **_numbers(slope), **moved.get(name, UNTESTED)._asdict()})
    table = pd.DataFrame(rows)
    for p, holm in (("p", "holm"), ("moved_p", "moved_holm")):
        for _, family in table.groupby("kind"):
            table.loc[family.index, holm] = adjusted(family[p].to_numpy(dtype=float))[0]
    table.insert(0, "model", part.model)
    table.insert(1, "benchmark", part.benchmark)
    table.insert(2, "measure", measure)
    return table


def _numbers(slope: ToldSlope) -> dict[str, object]:
    error, freedom = slope.interval.error, slope.interval.freedom
    p = two_sided_p(slope.effect / error, freedom) if error > 0 else np.nan
    bounds = {"low": slope.interval.low, "high": slope.interval.high, "freedom": freedom}
    return {"personas": slope.people, "telling": slope.effect, **bounds, "p": p, "note": slope.note}


def told_cells(
    part: Part, measure: str, names: Sequence[str], interactions: Sequence[tuple[str, str]] = ()
) -> tuple[ToldCells, Floats]:
    """A part's pairs as cells of a person and an item group; and the share of the pairs told each trait.

    d is less what the item moves on average. Interactions are products of what is told less its mean.
    """
    pairs = part.pairs(measure)
    scale = (part.weights_of(pairs.people["persona_id"]) / np.maximum(pairs.answered, 1))[pairs.person]
    whole = np.bincount(pairs.item, weights=scale, minlength=len(pairs.items))
    mean = np.bincount(pairs.item, weights=scale * pairs.d, minlength=len(pairs.items)) / np.where(whole > 0, whole, 1)
    place = pairs.person * pairs.n_groups + pairs.group
    kept, cell = np.unique(place, return_inverse=True)
    weight = np.bincount(cell, weights=scale).astype(np.float64)
    d = np.bincount(cell, weights=scale * (pairs.d - mean[pairs.item])) / weight
    own = _beside(part, pairs).iloc[kept]
    told = np.column_stack([_tells(own["told"], name) for name in names])
    share = weight @ told / weight.sum()
    places = [[names.index(name) for name in pair] for pair in interactions]
    products = [np.prod(told[:, pair] - share[pair], axis=1) for pair in places]
    both = [weight @ told[:, pair].all(axis=1) / weight.sum() for pair in places]
    columns = np.column_stack([told, *products])
    group = np.unique(kept % pairs.n_groups, return_inverse=True)[1]
    cells = ToldCells(kept // pairs.n_groups, group, factorized(own["told_text"]), d, weight, columns)
    return cells, np.array([*share, *both])


def _beside(part: Part, pairs: Cells) -> pd.DataFrame:
    """What is told (`told`, `told_text`) beside each person and item group, a row each in the pairs' own order."""
    own = part.clean.scores
    own = own.loc[own["persona_id"] != "", ["persona_id", "group", "told", "told_text"]].astype(str)
    own = own.drop_duplicates(["persona_id", "group"]).set_index(["persona_id", "group"])
    groups = pairs.items["group"].astype(str).unique()[: pairs.n_groups]
    return own.reindex(pd.MultiIndex.from_product([pairs.people["persona_id"].astype(str), groups]))


def _tells(told: pd.Series, name: str) -> Floats:
    """1 where a text tells the trait, 0 where it does not."""
    texts = told.astype("category").cat
    tells: Floats = np.array([name in str(text).split(", ") for text in texts.categories], dtype=float)
    found: Floats = tells[texts.codes.to_numpy()]
    return found

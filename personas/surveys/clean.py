"""Cleaning: variables that too many respondents did not answer, and respondents who are there twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from personas.people.respondents import Respondents
from personas.traits import DROPPED, NOT_ASKED

# Sampling is stratified by these: they are kept whatever is missing.
KEPT = ("age", "gender")
_BLOCK = 1024


@dataclass(frozen=True)
class MissingRule:
    """Which variables are dropped: those with more than `limit` of the answers missing.

    The share is counted over a survey or over each of its countries. `not_asked` says whether "not asked" counts as
    missing or leaves the respondent out of the count.
    """

    limit: float = 0.15
    by: Literal["survey", "country"] = "survey"
    not_asked: Literal["missing", "ignored"] = "missing"

    def rate(self, codes: np.ndarray) -> float:
        """The share of missing answers, 0 to 1; 1 where nobody was asked."""
        asked = codes != NOT_ASKED
        of = int(asked.sum()) if self.not_asked == "ignored" else len(codes)
        return (of - int((codes >= 0).sum())) / of if of and asked.any() else 1.0


def drop_sparse(respondents: Respondents, rule: MissingRule) -> tuple[Respondents, dict[str, float]]:
    """The respondents of one survey without its sparse variables, and each dropped variable's share of missing answers.

    By country, the answers of the countries that a variable is sparse in become "dropped in cleaning"; a variable that
    is sparse in all of them goes. A dropped variable that varies by country is named "trait (NOR)".
    """
    dropped: dict[str, float] = {}
    frame = respondents.frame
    countries = frame.groupby("country", sort=True).indices if rule.by == "country" else {"": np.arange(len(frame))}
    gone, changed = [], {}
    for name in respondents.columns():
        if name in KEPT:
            continue
        codes = frame[name].to_numpy()
        rates = {country: rule.rate(codes[rows]) for country, rows in countries.items()}
        sparse = {country: rate for country, rate in rates.items() if rate > rule.limit}
        if len(sparse) == len(rates):
            gone.append(name)
            dropped[name] = rule.rate(codes)
        elif sparse:
            rest = codes.copy()
            for country, rate in sparse.items():
                rows = countries[country]
                rest[rows] = np.where(rest[rows] >= 0, DROPPED, rest[rows])
                dropped[f"{name} ({country})"] = rate
            changed[name] = rest
    kept = frame.drop(columns=gone)
    if changed:
        rest_frame = pd.DataFrame(changed, index=frame.index)
        kept = pd.concat([kept.drop(columns=list(changed)), rest_frame], axis=1)[list(kept.columns)]
    traits = {name: trait for name, trait in respondents.traits.items() if name not in gone}
    return replace(respondents, frame=kept, traits=traits), dropped


@dataclass(frozen=True)
class Repeat:
    """A respondent (by row) who repeats an earlier one: the share (0 to 1) of the answers of both that are the same."""

    row: int
    earlier: int
    agreement: float


def near_duplicates(respondents: Respondents, agreement: float = 0.95, shared: int = 50) -> list[Repeat]:
    """The respondents who repeat an earlier one, by row.

    Two people of one survey, country and wave repeat each other when they share at least `shared` valid answers that
    are not demographic, and at least `agreement` of those are the same; not where they differ in age or gender. Of a
    pair, the earlier row stays.
    """
    items = [name for name in respondents.columns() if respondents.traits[name].domain != "demographics"]
    if len(items) < shared:
        return []
    codes = respondents.frame[items].to_numpy()
    who = respondents.frame[[name for name in KEPT if name in respondents.frame]].to_numpy()
    found = []
    for rows in respondents.frame.groupby(["survey", "country", "wave"], sort=False).indices.values():
        for each in _repeats(codes[rows], who[rows], agreement, shared):
            found.append(Repeat(int(rows[each.row]), int(rows[each.earlier]), each.agreement))
    return sorted(found, key=lambda each: each.row)


def _repeats(codes: np.ndarray, who: np.ndarray, agreement: float, shared: int) -> list[Repeat]:
    """`near_duplicates` within one group; codes has shape (people, items), who (people, age and gender).

    Exact and quick: a pair may differ in at most (1 - agreement) of all items, hence also on any part of them. So the
    best-filled quarter of the items is compared by matrix products, and only the few pairs that pass are counted out.
    """
    valid = codes >= 0
    codes, valid = codes[:, valid.any(axis=0)], valid[:, valid.any(axis=0)]
    if codes.shape[1] < shared:
        return []
    probe = np.argsort(-valid.sum(axis=0), kind="stable")[: max(60, codes.shape[1] // 4)]
    allowed = (1 - agreement) * codes.shape[1] + 1e-6
    near: dict[int, list[tuple[int, float]]] = {}
    for later, earlier in _close_pairs(codes[:, probe], valid[:, probe], allowed):
        both = valid[later] & valid[earlier]
        same = (codes[later] == codes[earlier]) & both
        counted = both.sum(axis=1)
        unlike = (who[later] != who[earlier]) & (who[later] >= 0) & (who[earlier] >= 0)
        hits = (counted >= shared) & (same.sum(axis=1) >= agreement * counted - 1e-9) & ~unlike.any(axis=1)
        shares = same.sum(axis=1) / np.maximum(counted, 1)
        for one, other, share in zip(later[hits], earlier[hits], shares[hits], strict=True):
            near.setdefault(int(one), []).append((int(other), float(share)))
    found: dict[int, Repeat] = {}
    for row in sorted(near):
        kept = [(share, -other) for other, share in near[row] if other not in found]
        if kept:
            share, other = max(kept)
            found[row] = Repeat(row, -other, share)
    return list(found.values())


def _close_pairs(codes: np.ndarray, valid: np.ndarray, allowed: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (later row, earlier row) with at most `allowed` differences among the answers that both gave."""
    there = valid.astype(np.float32)
    answers = np.concatenate([(codes == code).astype(np.float32)[:, _used(codes, code)] for code in _levels(codes)], 1)
    for start in range(0, len(codes), _BLOCK):
        stop = min(start + _BLOCK, len(codes))
        differences = there[start:stop] @ there[:stop].T - answers[start:stop] @ answers[:stop].T
        later, earlier = np.nonzero(differences <= allowed)
        later += start
        pairs = earlier < later
        later, earlier = later[pairs], earlier[pairs]
        for first in range(0, len(later), 4 * _BLOCK):
            yield later[first : first + 4 * _BLOCK], earlier[first : first + 4 * _BLOCK]


def _levels(codes: np.ndarray) -> np.ndarray:
    return np.unique(codes[codes >= 0])


def _used(codes: np.ndarray, code: int) -> np.ndarray:
    """The items for which anybody gave this answer."""
    used: np.ndarray = (codes == code).any(axis=0)
    return used


def fill_rates(respondents: Respondents) -> Mapping[str, float]:
    """The share of respondents with an answer (0 to 1), for each trait that has a column."""
    return {name: float((respondents.frame[name] >= 0).mean()) for name in respondents.columns()}

"""How many answers a persona changes, beside how many change by chance and with a text that says nothing."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.statistics.pairs import Part, Scores, factorized, parts

Codes = NDArray[np.int64]
CHANGED = ("changed", "by_chance", "neutral")


def changed_table(scores: Scores) -> pd.DataFrame:
    """A row per model and benchmark: `answers` of personas compared, and the shares that choose another option.

    `changed`: the share of personas' answers (weighted) that differ from a baseline answer to the same question in the
    same order; `by_chance`: how often two baseline answers differ, 0 where nothing is drawn, NaN where a drawn baseline
    was asked once; `neutral`: the share of the neutral control's answers that differ, NaN without a control.
    `top_letter` is the one that personas choose most often, `top_share` its share of their answers (weighted), where
    questions are asked in several orders: near 1, letters are chosen for their place.
    """
    rows = []
    for part in parts(scores):
        if "chosen_by_probability" not in part.scores:
            continue
        found = item_changes(part)
        if not found["answers"].sum():
            continue
        head = {"model": part.model, "benchmark": part.benchmark, "answers": int(found["answers"].sum())}
        weight = {name: found["neutral_answers" if name == "neutral" else "weight"] for name in CHANGED}
        means = {name: _mean(found[name], weight[name]) for name in CHANGED}
        rows.append({**head, **means, **_top_letter(part)})
    return pd.DataFrame(rows)


def _top_letter(part: Part) -> dict[str, object]:
    """The letter that personas choose most often, and its share, where options stand in several orders."""
    scores = part.clean.scores
    if "letter" in scores and scores["rotation"].max() > 0:
        rows = scores.loc[~part.clean.alone & (scores["letter"] != ""), ["persona_id", "letter"]]
        weight = pd.Series(part.weights_of(rows["persona_id"]), index=rows.index)
        total = weight.groupby(rows["letter"], observed=True).sum()
        if total.sum() > 0:
            return {"top_letter": str(total.idxmax()), "top_share": float(total.max() / total.sum())}
    return {"top_letter": "", "top_share": math.nan}


def item_changes(part: Part) -> pd.DataFrame:
    """The same for every item: item_id, answers, weight (the personas' together), neutral_answers, and `CHANGED`."""
    return part.once("item changes", "", lambda: _item_changes(part))


def _item_changes(part: Part) -> pd.DataFrame:
    scores, alone = part.scores, part.alone.to_numpy()
    asked = _AskedOptions.of(part)
    item, turns, names, size = asked.item, asked.turns, asked.names, len(asked.counts)
    read, counts, total = asked.chosen >= 0, asked.counts, asked.counts.sum(axis=1)
    control, people = part.control.to_numpy(), ~alone & ~part.control.to_numpy() & ~part.twins.to_numpy()
    own, neutral = (_differing(rows & read & (total[asked.place] > 0), asked) for rows in (people, control))
    weight = part.weights_of(scores["persona_id"][own[0]])
    answers, changed = _by_item(item[own[0]], own[1], weight, len(names))
    spoken, differs = _by_item(item[neutral[0]], neutral[1], np.ones(len(neutral[1])), len(names))
    asked_weight = np.bincount(asked.place[own[0]], weights=weight, minlength=size)
    chance = _chance(counts, bool(scores["sampled"].any()) if "sampled" in scores else bool((total > 1).any()))
    known = np.where(np.isnan(chance), 0.0, asked_weight).reshape(-1, turns)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = (known * np.nan_to_num(chance).reshape(-1, turns)).sum(axis=1) / known.sum(axis=1)
    columns: dict[str, Any] = {"item_id": names, "answers": np.bincount(item[own[0]], minlength=len(names))}
    columns |= {"weight": answers, "neutral_answers": spoken, "changed": changed, "by_chance": by_chance}
    return pd.DataFrame({**columns, "neutral": differs})


def chosen_option(rows: pd.DataFrame) -> pd.Series:
    """The option that the value is of, −1 where none was read."""
    chosen = rows["chosen_by_probability"]
    if not pd.api.types.is_integer_dtype(chosen.dtype):
        chosen = pd.to_numeric(chosen).fillna(pd.to_numeric(rows["chosen_by_text"])).fillna(-1)
    return chosen.astype(int)


def row_changes(part: Part) -> pd.Series:
    """For each score of a persona, the share of baseline answers to the same question that it differs from.

    The baseline's are in the same order; NaN where either was not read.
    """
    asked = _AskedOptions.of(part)
    rows = ~part.alone.to_numpy() & (asked.chosen >= 0) & (asked.counts.sum(axis=1)[asked.place] > 0)
    found = pd.Series(np.nan, index=part.scores.index)
    found[rows] = _differing(rows, asked)[1]
    return found


@dataclass(frozen=True)
class _AskedOptions:
    """What every score was asked: the item and its place (a question in an order), and the option chosen.

    `turns` is the number of orders of a question; `counts` has how often the baseline chose each option, by place;
    `names` the items.
    """

    names: list[str]
    turns: int
    item: Codes
    place: Codes
    chosen: Codes
    counts: Codes

    @classmethod
    def of(cls, part: Part) -> "_AskedOptions":
        scores, chosen = part.scores, chosen_option(part.scores).to_numpy()
        item, turns = factorized(scores["item_id"]), int(scores["rotation"].max()) + 1
        place = item * turns + scores["rotation"].to_numpy()
        names = [str(name) for name in pd.unique(scores["item_id"])]  # in the order of their codes
        size, options = len(names) * turns, int(chosen.max(initial=0)) + 1
        base = part.alone.to_numpy() & (chosen >= 0)
        counts = np.bincount(place[base] * options + chosen[base], minlength=size * options).reshape(size, options)
        return cls(names, turns, item, place, chosen, counts)


def _differing(rows: Any, asked: _AskedOptions) -> tuple[Any, Any]:
    """Which rows are compared, and the share of baseline answers that each differs from."""
    counts, place = asked.counts, asked.place[rows]
    return rows, 1 - counts[place, asked.chosen[rows]] / counts.sum(axis=1)[place]


def _by_item(item: Codes, differs: Any, weight: Any, count: int) -> tuple[Any, Any]:
    total = np.bincount(item, weights=weight, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total, np.bincount(item, weights=weight * differs, minlength=count) / total


def _chance(counts: Codes, sampled: bool) -> Any:
    """The share of pairs of baseline answers that differ, of each question and order."""
    total = counts.sum(axis=1).astype(float)
    if not sampled:
        return np.where(total > 0, 0.0, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 1, 1 - (counts * (counts - 1)).sum(axis=1) / (total * (total - 1)), np.nan)


def _mean(values: pd.Series, weight: pd.Series) -> float:
    known = values.notna() & (weight > 0)
    return float(np.average(values[known], weights=weight[known])) if known.any() else np.nan

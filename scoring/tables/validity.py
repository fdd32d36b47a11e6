"""Answers that could not be read, refusals, failures, and what is right if they count as wrong."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from scoring.statistics.effect import persona_effect
from scoring.statistics.pairs import Part, parts
from scoring.statistics.subgroups import HIDDEN_UNDER, levels_of

STATUSES = ("unparsed", "refused", "no probabilities", "failed")


def validity_table(scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rates of unparsed, refused and failed answers, and of those without probabilities, by model, benchmark, format
    and subgroup, without and with.

    `effect` is the Δ of the rate of answers without a value, with its interval for these items (`low`, `high`).
    `value_left_out` is the mean score with personas of the answers that were read, `value_as_wrong` with the others
    as 0. A level under five people is left out.
    """
    rows = []
    for part in parts(scores):
        for attribute, level, slice_ in _slices(part, by):
            alone = slice_["persona_id"] == ""
            value = slice_.loc[~alone, "value"]
            if not len(value):
                continue
            status = slice_["status"].astype(str)
            rates = {
                f"{name.replace(' ', '_')}_{side}": float((status[rows_] == name).mean())
                if rows_.any()
                else float("nan")
                for name in STATUSES
                for side, rows_ in (("without", alone), ("with", ~alone))
            }
            judged = slice_[status != "pending"]
            invalid = persona_effect(judged.assign(value=judged["value"].isna().astype(float)))
            rows.append(
                {
                    "model": part.model,
                    "benchmark": part.benchmark,
                    "attribute": attribute,
                    "level": level,
                    **rates,
                    "effect": invalid.effect,
                    "low": invalid.people_low,
                    "high": invalid.people_high,
                    "value_left_out": float(value.mean()),
                    "value_as_wrong": float(value.fillna(0.0).mean()),
                }
            )
    return pd.DataFrame(rows)


def _slices(part: Part, by: Sequence[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    clean = part.without_control()
    yield "all", "all", clean.scores
    missing = clean.scores["value"].isna()
    if not missing.any():
        return  # every answer was read: subgroups would be rows of zeros
    for attribute in (*(["format"] if "format" in clean.scores else []), *by):
        levels = levels_of(clean.scores, attribute)
        for level in sorted(set(levels[~clean.alone])):
            rows = clean.scores[clean.alone | (levels == level)]
            if rows.loc[rows["persona_id"] != "", "persona_id"].nunique() >= HIDDEN_UNDER:
                yield attribute, str(level), rows


def agreement_table(scores: pd.DataFrame) -> pd.DataFrame:
    """How often the option in the text is the likeliest letter, where both are known, by model and benchmark."""
    rows = []
    for part in parts(scores):
        if not {"chosen_by_text", "chosen_by_probability"} <= set(part.scores):
            continue
        text = pd.to_numeric(part.scores["chosen_by_text"]).to_numpy(dtype=float, na_value=np.nan)
        letter = pd.to_numeric(part.scores["chosen_by_probability"]).to_numpy(dtype=float, na_value=np.nan)
        both = ~np.isnan(text) & ~np.isnan(letter)
        if both.any():
            same = float((text[both] == letter[both]).mean())
            rows.append({"model": part.model, "benchmark": part.benchmark, "answers": int(both.sum()), "agree": same})
    return pd.DataFrame(rows)


def recall_table(scores: pd.DataFrame, gold: pd.DataFrame) -> pd.DataFrame:
    """Recall per option slot: how often the right option is chosen where it stands behind each letter.

    `gold` has item_id, rotation and letter, the slot of the one right option; items without one are left out.
    """
    if gold.empty:
        return pd.DataFrame()
    slots = gold.rename(columns={"letter": "slot"}).assign(item_id=lambda frame: frame["item_id"].astype(str))
    columns = ["model", "benchmark", "item_id", "rotation"]
    rows = scores.loc[scores["value"].notna(), [*columns, "persona_id", "letter"]]
    side = np.where(rows["persona_id"] == "", "without", "with_persona")
    counted = (
        rows.assign(side=side).groupby([*columns, "side", "letter"], observed=True).size().rename("n").reset_index()
    )
    counted = counted.assign(item_id=counted["item_id"].astype(str)).merge(slots, on=["item_id", "rotation"])
    counted["hit"] = counted["n"] * (counted["letter"].astype(str) == counted["slot"].astype(str))
    sums = counted.groupby(["model", "benchmark", "slot", "side"], observed=True)[["hit", "n"]].sum()
    table = (sums["hit"] / sums["n"]).unstack("side").reset_index()
    return table.rename_axis(columns=None)

"""Answers that could not be read, refusals, failures, and what is right if they count as wrong."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.statistics.codes import compacted, first_rows
from scoring.statistics.effect import effect_of
from scoring.statistics.levels import levels_of, shown_levels
from scoring.statistics.pairs import INVALID, Codes, Part, Scores, factorized, parts
from scoring.statistics.weights import Floats, weighted_mean


def validity_table(scores: Scores, by: Sequence[str]) -> pd.DataFrame:
    """Rates of unparsed, refused and failed answers, and of those without probabilities, without and with personas.

    By model, benchmark, format and subgroup.

    `effect` is the Δ of the rate of answers that are one of the four, with its interval for these items (`low`,
    `high`). `value_left_out` is the mean score with personas of the answers that were read, `value_as_wrong` with the
    others as 0. Persona weights apply to all. A level under five people is left out.
    """
    rows = []
    for part in parts(scores):
        for attribute, level, of_level in _slices(part.clean, by):
            if of_level.alone.all():
                continue
            head = {"model": part.model, "benchmark": part.benchmark, "attribute": attribute, "level": level}
            rows.append({**head, **_rates(of_level), **_values(of_level)})
    return pd.DataFrame(rows)


def _rates(part: Part) -> dict[str, float]:
    status, alone = part.scores["status"], part.alone.to_numpy()
    sides = {"without": _Answers.of(part, alone), "with": _Answers.of(part, ~alone)}
    found = {
        f"{name.replace(' ', '_')}_{side}": answers.mean((status == name).to_numpy(dtype=float))
        for name in INVALID
        for side, answers in sides.items()
    }
    judged = part.some(np.flatnonzero(status != "pending"))
    invalid = effect_of(part.of(judged.scores.assign(value=judged.scores["status"].isin(INVALID).astype(float))))
    return {**found, "effect": invalid.effect, "low": invalid.people_low, "high": invalid.people_high}


def _values(part: Part) -> dict[str, float]:
    people, value = _Answers.of(part, ~part.alone.to_numpy()), part.scores["value"]
    invalid = part.scores["status"].isin(INVALID)
    as_wrong = value.mask(invalid & value.isna(), 0.0)
    return {
        "value_left_out": people.mean(value.to_numpy(dtype=float)),
        "value_as_wrong": people.mean(as_wrong.to_numpy(dtype=float)),
    }


class _Answers(NamedTuple):
    """Some rows of a part: who answered each, and what each of these weighs."""

    rows: Codes
    person: Codes
    weight: Floats

    @classmethod
    def of(cls, part: Part, side: NDArray[np.bool_]) -> "_Answers":
        """Either side: nobody weighs 1."""
        rows = np.flatnonzero(side)
        person, names = pd.factorize(part.scores["persona_id"].iloc[rows])
        alone = bool(part.alone.to_numpy()[rows].all())
        return cls(rows, person, np.ones(len(names)) if alone else part.weights_of(pd.Series(names)))

    def mean(self, values: Floats) -> float:
        """The weighted mean over personas of the mean over their answers, from a value for each row of the part."""
        own = values[self.rows]
        known = ~np.isnan(own)
        count, total = (
            np.bincount(self.person[known], weights=each, minlength=len(self.weight)) for each in (None, own[known])
        )
        means = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
        return weighted_mean(means, self.weight)


def _slices(clean: Part, by: Sequence[str]) -> Iterator[tuple[str, str, Part]]:
    yield "all", "all", clean
    if not clean.scores["status"].isin(INVALID).any():
        return  # every answer was read: subgroups would be rows of zeros
    for attribute in (*(["format"] if "format" in clean.scores else []), *by):
        levels = levels_of(clean.scores, attribute)
        for level in shown_levels(clean.scores[~clean.alone], attribute):
            yield attribute, level, clean.of(clean.scores[clean.alone | (levels == level)])


def agreement_table(scores: Scores) -> pd.DataFrame:
    """How often the option in the text is the likeliest letter, where both are known, by model and benchmark.

    `answers` counts those of the baseline and the personas; `agree_with` is by persona weight.
    """
    rows = []
    for part in parts(scores):
        clean = part.clean.scores
        if not {"chosen_by_text", "chosen_by_probability"} <= set(clean):
            continue
        text, letter = (pd.to_numeric(clean[f"chosen_by_{how}"]) for how in ("text", "probability"))
        same = (text == letter).astype(float).where(text.notna() & letter.notna()).to_numpy(dtype=float)
        if np.isnan(same).all():
            continue
        alone = part.clean.alone.to_numpy()
        agree = {
            "agree_without": weighted_mean(same[alone], np.ones(alone.sum())),
            "agree_with": weighted_mean(same[~alone], part.weights_of(clean["persona_id"][~alone])),
        }
        answers = int((~np.isnan(same)).sum())
        rows.append({"model": part.model, "benchmark": part.benchmark, "answers": answers, **agree})
    return pd.DataFrame(rows)


def recall_table(scores: Scores, gold: pd.DataFrame) -> pd.DataFrame:
    """Recall per option slot, by persona weight.

    How often the right option is chosen where it stands behind each letter.

    `gold` has item_id, rotation and letter, the slot of the one right option; items without one are left out, and so
    are the neutral control and counterfactual twins. `answers_*` count the answers.
    """
    if gold.empty:
        return pd.DataFrame()
    slots = gold.rename(columns={"letter": "slot"}).assign(item_id=lambda frame: frame["item_id"].astype(str))
    found = [_recall(part.clean, slots) for part in parts(scores)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _recall(part: Part, slots: pd.DataFrame) -> pd.DataFrame:
    rows = np.flatnonzero(part.scores["value"].notna() & (part.scores["letter"] != ""))
    told = part.scores[["item_id", "rotation", "persona_id", "letter"]].iloc[rows]
    alone = part.alone.to_numpy()[rows]
    weight = np.where(alone, 1.0, part.weights_of(told["persona_id"]))
    code = np.zeros(len(rows), dtype=np.int64)
    for own in (factorized(told["item_id"]), told["rotation"].to_numpy(), alone, factorized(told["letter"])):
        code = compacted(code * (int(own.max(initial=0)) + 1) + own)[1]
    first = first_rows(code)
    side = np.where(alone[first], "without", "with_persona")
    counted = told[["item_id", "rotation", "letter"]].iloc[first].assign(side=side)
    counted = counted.assign(sum=np.bincount(code, weights=weight), size=np.bincount(code))
    counted = counted.assign(item_id=counted["item_id"].astype(str)).merge(slots, on=["item_id", "rotation"])
    counted["hit"] = counted["sum"] * (counted["letter"].astype(str) == counted["slot"].astype(str))
    sums = counted.groupby(["slot", "side"], observed=True)[["hit", "sum", "size"]].sum()
    table = (sums["hit"] / sums["sum"]).unstack("side")
    sizes = sums["size"].unstack("side").fillna(0).astype(int).add_prefix("answers_")
    table = table.join(sizes).rename_axis(columns=None).reset_index()
    table.insert(0, "benchmark", part.benchmark)
    table.insert(0, "model", part.model)
    return table

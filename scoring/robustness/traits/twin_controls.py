"""Negative controls for counterfactual twins: what must not move when another trait is swapped, and what may."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from personas.people.respondents import Respondents
from personas.traits import Trait
from scoring.benchmarks.trait_inference import CONTROL_PART, SURVEY_PART, positions, survey_options
from scoring.robustness.answer_shift import chosen_options, exchanged
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.pairs import Part, factorized
from scoring.statistics.twin_pairs import matched_twins
from scoring.statistics.weights import Floats

TOLD, HIDDEN = "told", "hidden"
LEAST_OWN = 20  # respondents with a value of the swapped trait below whom their own shares are not given
LEVEL = 0.05
ANY = "any"
_SIDES = {CONTROL_PART: TOLD, SURVEY_PART: HIDDEN}


def twin_control_table(parts: Sequence[Part], everyone: Respondents, seed: int = 0) -> pd.DataFrame:
    """A row per model, swapped trait, its new value and trait asked, of twins beside the respondents that they are of.

    `beside` says whether the text tells the trait that is asked: a `told` one must not move, a `hidden` one moves as
    far as the model infers it. `changed` is the share of the answers that differ, `moved` the total variation distance
    of the answers, with its permutation null (both exchanged, jointly for who reads the same) and `p`; `holm` is over
    all told, or hidden, of a model and swapped trait. `right` and `right_twin` are how often a told trait is answered
    as it is told. `shift` is how far answers move on the 0-1 scale of an ordered trait. `people_moved` and
    `people_shift` are how far the respondents themselves differ, those with the new value from those with the old
    ones: an association.
    """
    rows: list[dict[str, object]] = []
    for part in parts:
        if part.benchmark not in _SIDES or not part.twins.any():
            continue
        for (trait, to), both in _pairs(part).groupby(["trait", "to"], sort=True):
            for asked, answers in both.groupby("asked", sort=True):
                if asked != trait and (str(asked) in everyone.traits):
                    head = {"model": part.model, "trait": str(trait), "to": str(to), "asked": str(asked)}
                    rows.append({**head, "beside": _SIDES[part.benchmark], **_moved(answers, everyone, head, seed)})
    table = pd.DataFrame(rows)
    if len(table):
        for _, family in table.groupby(["model", "trait", "beside"]):
            table.loc[family.index, "holm"] = adjusted(family["p"].to_numpy(dtype=float))[0]
    return table


def with_controls(twins: pd.DataFrame, controls: pd.DataFrame | None) -> pd.DataFrame:
    """The table of twins with a column `controls`: which told traits drift when this one is swapped.

    "" where none was asked.
    """
    told = controls[controls["beside"] == TOLD] if controls is not None and len(controls) else pd.DataFrame()
    if twins.empty or told.empty:
        return twins.assign(controls="") if len(twins) else twins
    return twins.assign(controls=[_verdict(told, row.model, row.trait, row.to) for row in twins.itertuples()])


def _verdict(told: pd.DataFrame, model: str, trait: str, to: str) -> str:
    own = told[(told["model"] == model) & (told["trait"] == trait) & ((told["to"] == to) | (to == ANY))]
    drifting = sorted(set(own.loc[own["holm"] < LEVEL, "asked"].astype(str)))
    if drifting:
        return f"drift: {', '.join(drifting)}"
    return f"no drift shown in {own['asked'].nunique()}" if own["p"].notna().any() else ""


def _pairs(part: Part) -> pd.DataFrame:
    """Twins beside their respondents, a row a question that both answered.

    The options chosen (`one`, `two`), whether each is right, and the trait asked.
    """
    scores = part.scores.assign(chosen=pd.Series(chosen_options(part.scores), part.scores.index).replace(-1, np.nan))
    asked = dict(zip(scores["item_id"].astype(str), scores["trait"].astype(str), strict=True))
    both = matched_twins(part.of(scores), "chosen")
    right = matched_twins(part.of(scores), "value")
    both = both.assign(right=right["one"], right_twin=right["two"])
    return both.assign(asked=both["item_id"].astype(str).map(asked))


def _moved(both: pd.DataFrame, everyone: Respondents, head: dict[str, str], seed: int) -> dict[str, object]:
    asked = everyone.traits[head["asked"]]
    one, two = (both[name].to_numpy(dtype=np.int64) for name in ("one", "two"))
    place = factorized(both["item_id"].astype(str) + "\x1f" + both["rotation"].astype(str))
    found = exchanged(both[["cluster", "twin_cluster"]], place, one, two, seed)
    told = {name: float(both[name].mean()) for name in ("right", "right_twin")}
    scale = np.array(positions(asked)) if asked.ordinal else None
    shift = np.nan if scale is None else float((scale[two] - scale[one]).mean())
    own = _of_people(both["persona_id"].astype(str), everyone, head["trait"], head["to"], asked)
    return {
        "personas": int(both["persona_id"].nunique()),
        "changed": float((one != two).mean()),
        **found,
        **told,
        "shift": shift,
        **own,
    }


def _of_people(names: pd.Series, everyone: Respondents, swapped: str, to: str, asked: Trait) -> dict[str, float]:
    """How far respondents with the new value differ from respondents with the values that these people have."""
    frame = everyone.frame
    values = frame["country"].astype(str) if swapped == "country" else _labels(frame[swapped], everyone.traits[swapped])
    old = values[frame["persona_id"].isin(names)].value_counts(normalize=True)
    shares = {value: _shares(frame.loc[values == value, asked.name], asked) for value in {*old.index, to}}
    if any(each is None for each in shares.values()):
        return {"people_moved": np.nan, "people_shift": np.nan}
    before = sum(share * shares[value] for value, share in old.items())
    difference = shares[to] - before
    scale = np.array(positions(asked)) if asked.ordinal else None
    shift = np.nan if scale is None else float(difference @ scale)
    return {"people_moved": float(np.abs(difference).sum() / 2), "people_shift": shift}


def _labels(codes: pd.Series, trait: Trait) -> pd.Series:
    names = {code: trait.label(int(code)) for code in codes.unique() if code >= 0}
    return codes.map(names)


def _shares(codes: pd.Series, asked: Trait) -> Floats | None:
    """The share of each option among those who chose one; None under twenty of them. Without weights."""
    counts = np.array([(codes == code).sum() for code in survey_options(asked)], dtype=float)
    return counts / counts.sum() if counts.sum() >= LEAST_OWN else None

"""Item by item and persona by persona: who answers what, which items move most, which people."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from personas.people.pseudonyms import short_pseudonym
from scoring.statistics.effect import persona_effect
from scoring.statistics.pairs import Cells, Part, factorized, parts
from scoring.statistics.subgroups import HIDDEN_UNDER, cells_of, levels_of, measures_of

CATEGORIES = ("category", "bias_type", "part")


def item_table(scores: pd.DataFrame) -> pd.DataFrame:
    """A row per model, benchmark and item: `without`, `with_persona`, `effect`, and how much personas differ on it.

    `spread` is the standard deviation of the score between personas, by the measure that resolves most; `moved` the
    share of answers that choose another option than the baseline's most frequent one on the same rotation.
    Sorted by both, most first: the items that follow whoever asks.
    """
    rows = []
    for part in parts(scores):
        clean = part.without_control()
        measure = measures_of(clean)[-1]
        found = cells_of(clean, measure, ())
        if not len(found.item):
            continue
        table = _by_item(found).assign(model=part.model, benchmark=part.benchmark, measure=measure)
        rows.append(table.merge(_moved(clean), on="item_id", how="left"))
    if not rows:
        return pd.DataFrame()
    table = pd.concat(rows, ignore_index=True)
    columns = [
        "model",
        "benchmark",
        "item_id",
        "measure",
        "people",
        "without",
        "with_persona",
        "effect",
        "spread",
        "moved",
    ]
    order = ["model", "benchmark", "spread", "moved"]
    return table[columns].sort_values(order, ascending=[True, True, False, False], ignore_index=True)


def _by_item(found: Cells) -> pd.DataFrame:
    size = len(found.items)
    count = np.bincount(found.item, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        y, b = (np.bincount(found.item, weights=each, minlength=size) / count for each in (found.y, found.b))
        spread = np.sqrt(np.bincount(found.item, weights=(found.y - y[found.item]) ** 2, minlength=size) / (count - 1))
    table = pd.DataFrame({"people": count, "without": b, "with_persona": y, "effect": y - b, "spread": spread})
    return table.assign(item_id=found.items["item_id"].astype(str).to_numpy())[count > 0]


def _chosen(rows: pd.DataFrame) -> pd.Series:
    """The option that the value is of, −1 where none was read."""
    chosen = rows["chosen_by_probability"]
    if not pd.api.types.is_integer_dtype(chosen.dtype):
        chosen = pd.to_numeric(chosen).fillna(pd.to_numeric(rows["chosen_by_text"])).fillna(-1)
    return chosen.astype(int)


def _moved(part: Part) -> pd.DataFrame:
    if "chosen_by_probability" not in part.scores:
        return pd.DataFrame({"item_id": pd.Series(dtype=str), "moved": pd.Series(dtype=float)})
    chosen, alone = _chosen(part.scores).to_numpy(), part.alone.to_numpy()
    item, turns = factorized(part.scores["item_id"]), int(part.scores["rotation"].max()) + 1
    asked = item * turns + part.scores["rotation"].to_numpy()
    options = int(chosen.max(initial=0)) + 1
    base, people = alone & (chosen >= 0), ~alone & (chosen >= 0)
    size = (int(item.max(initial=-1)) + 1) * turns
    counts = np.bincount(asked[base] * options + chosen[base], minlength=size * options).reshape(size, options)
    people &= counts.sum(axis=1)[asked] > 0
    other = chosen[people] != counts.argmax(axis=1)[asked[people]]
    names = [str(name) for name in pd.unique(part.scores["item_id"])]  # in the order of their codes
    answers = np.bincount(item[people], minlength=len(names))
    with np.errstate(invalid="ignore"):
        moved = np.bincount(item[people], weights=other, minlength=len(names)) / answers
    return pd.DataFrame({"item_id": names, "moved": moved})


def answer_table(scores: pd.DataFrame, by: Sequence[str], items: Sequence[str]) -> pd.DataFrame:
    """How often each option of these items was chosen: a row per model, item, attribute, level and option.

    The attribute "baseline" is nobody, "all" everybody; option −1 is an answer that was not read. A level with fewer
    than five people is left out.
    """
    rows = []
    wanted = scores[scores["item_id"].isin(list(items))]
    if "chosen_by_probability" not in scores or wanted.empty:
        return pd.DataFrame()
    for part in parts(wanted):
        clean = part.without_control()
        frame = clean.scores.assign(option=_chosen(clean.scores))
        people = frame[~clean.alone]
        slices = [
            (name, pd.Series(name, index=rows.index))
            for name, rows in (("baseline", frame[clean.alone]), ("all", people))
        ]
        slices += [(name, levels_of(people, name)) for name in by]
        for attribute, level in slices:
            own = frame.loc[level.index]
            if attribute not in ("baseline", "all"):
                counts = own.groupby(level, observed=True)["persona_id"].nunique()
                kept = level.isin(counts.index[counts >= HIDDEN_UNDER])
                own, level = own[kept], level[kept]
            found = own.groupby([own["item_id"].astype(str), level.rename("level"), "option"], observed=True).size()
            table = found.rename("answers").reset_index()
            rows.append(table.assign(model=part.model, benchmark=part.benchmark, attribute=attribute))
    table = pd.concat(rows, ignore_index=True)
    return table[["model", "benchmark", "item_id", "attribute", "level", "option", "answers"]]


def persona_table(scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """A row per model, benchmark and persona: a hash in place of the id, the subgroup columns, scores and Δ.

    The largest |Δ| first.
    """
    rows = []
    for part in parts(scores):
        found = cells_of(part, measures_of(part)[-1], tuple(by))
        if not len(found.person):
            continue
        ids = found.people["persona_id"].astype(str)
        values = {"without": found.by_persona(found.b), "with_persona": found.by_persona(found.y)}
        table = pd.DataFrame({"model": part.model, "benchmark": part.benchmark, "persona": ids.map(short_pseudonym)})
        table = table.join(found.people[list(by)].astype(str))
        rows.append(table.assign(items=found.answered.astype(int), **values, effect=found.by_persona(found.d)))
    if not rows:
        return pd.DataFrame()
    return pd.concat(rows, ignore_index=True).sort_values(
        ["model", "benchmark", "effect"], key=lambda column: -column.abs() if column.name == "effect" else column
    )


def category_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Δ by item category, both intervals; the category is the benchmark's own, or its parts."""
    rows = []
    for part in parts(scores):
        clean = part.without_control().scores
        names = [name for name in CATEGORIES if name in clean and (clean[name].astype(str) != "").any()]
        if not names or clean[names[0]].nunique() < 2:
            continue
        codes = factorized(clean[names[0]])
        for code in range(int(codes.max()) + 1):
            rows_here = clean[codes == code]
            for measure in measures_of(part):
                found = persona_effect(rows_here, measure)
                head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
                kept = ("items", "groups", "personas", "without", "with_persona", "effect", "people_low", "people_high")
                values = {name: getattr(found, name) for name in (*kept, "items_low", "items_high")}
                rows.append({**head, "category": str(rows_here[names[0]].iloc[0]), **values})
    return pd.DataFrame(rows)

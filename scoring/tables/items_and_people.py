"""Item by item and persona by persona: who answers what, which items move most, which people."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from personas.people.pseudonyms import short_pseudonym
from scoring.benchmarks.registry import category_column
from scoring.statistics.effect import effect_of
from scoring.statistics.levels import columns_of, level_codes, levels_of, shown_levels
from scoring.statistics.pairs import Part, Scores, factorized, parts
from scoring.tables.changed import chosen_option, item_changes, row_changes

_ITEM = (
    *("model", "benchmark", "item_id", "measure", "people", "without", "with_persona", "effect", "spread"),
    *("moved", "by_chance"),
)


def item_table(scores: Scores) -> pd.DataFrame:
    """A row per model, benchmark and item: `without`, `with_persona`, `effect`, and how much personas differ on it.

    `spread` is the standard deviation of the score between personas, by the measure that resolves most; `moved` the
    share of answers that choose another option than the baseline on the same rotation, `by_chance` how often two
    baseline answers do (`changed_table`). All are weighted as Δ is. Sorted by spread, then moved, most first: the items
    that follow whoever asks.
    """
    rows = []
    for part in parts(scores):
        measure = part.measures[-1]
        if not len(part.pairs(measure).item):
            continue
        table = _by_item(part, measure).assign(model=part.model, benchmark=part.benchmark, measure=measure)
        rows.append(table.merge(_moved(part), on="item_id", how="left"))
    if not rows:
        return pd.DataFrame()
    table = pd.concat(rows, ignore_index=True)
    order = ["model", "benchmark", "spread", "moved"]
    return table[list(_ITEM)].sort_values(order, ascending=[True, True, False, False], ignore_index=True)


def _by_item(part: Part, measure: str) -> pd.DataFrame:
    found = part.pairs(measure)
    size = len(found.items)
    weight = part.weights_of(found.people["persona_id"])[found.person]
    count, total = np.bincount(found.item, minlength=size), np.bincount(found.item, weights=weight, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        y, b = (np.bincount(found.item, weights=weight * each, minlength=size) / total for each in (found.y, found.b))
        square = np.bincount(found.item, weights=weight * (found.y - y[found.item]) ** 2, minlength=size) / total
        spread = np.sqrt(square * count / (count - 1))
    table = pd.DataFrame({"people": count, "without": b, "with_persona": y, "effect": y - b, "spread": spread})
    return table.assign(item_id=found.items["item_id"].astype(str).to_numpy())[count > 0]


def _moved(part: Part) -> pd.DataFrame:
    names = {"changed": "moved", "by_chance": "by_chance"}
    if "chosen_by_probability" not in part.scores:
        return pd.DataFrame({"item_id": pd.Series(dtype=str), **dict.fromkeys(names.values(), pd.Series(dtype=float))})
    return item_changes(part)[["item_id", *names]].rename(columns=names)


def answer_table(scores: Scores, by: Sequence[str], items: Sequence[str]) -> pd.DataFrame:
    """How often each option of these items was chosen: a row per model, item, attribute, level and option.

    `answers` is their number, `share` their share by persona weight, `changed` the share of them that differs from the
    baseline's (NaN of the baseline itself). The attribute "baseline" is nobody, "all"
    everybody; option −1 is an answer that was not read. A level under five people is left out.
    """
    rows = []
    for part in parts(scores):
        scores = part.clean.scores
        clean = part.clean.of(scores[scores["item_id"].isin(list(items))])
        if "chosen_by_probability" not in clean.scores or clean.scores.empty:
            continue
        weight = np.where(clean.alone, 1.0, clean.weights_of(clean.scores["persona_id"]))
        frame = clean.scores[["item_id", "persona_id", *columns_of(by)]]
        frame = frame.assign(option=chosen_option(clean.scores), weight=weight, changed=row_changes(clean))
        people = frame[~clean.alone]
        slices = [("baseline", frame[clean.alone], pd.Series("baseline", index=frame.index))]
        slices += [("all", people, pd.Series("all", index=people.index))]
        slices += [(name, *_shown(people, name)) for name in by]
        for attribute, own, level in slices:
            table = _option_shares(own, level.loc[own.index])
            rows.append(table.assign(model=part.model, benchmark=part.benchmark, attribute=attribute))
    if not rows:
        return pd.DataFrame()
    table = pd.concat(rows, ignore_index=True)
    return table[["model", "benchmark", "item_id", "attribute", "level", "option", "answers", "share", "changed"]]


def _shown(people: pd.DataFrame, attribute: str) -> tuple[pd.DataFrame, pd.Series]:
    """The rows whose level may be shown, and their levels."""
    level = level_codes(people, attribute)
    kept = level.isin(shown_levels(people, attribute))
    return people[kept], level[kept]


def _option_shares(rows: pd.DataFrame, level: pd.Series) -> pd.DataFrame:
    keys = [rows["item_id"], level.rename("level"), "option"]
    weighted = rows.assign(moved=rows["weight"] * rows["changed"], known=rows["weight"].where(rows["changed"].notna()))
    sums = weighted.groupby(keys, observed=True)
    table = sums["weight"].agg(answers="size", share="sum").reset_index()
    known = sums["known"].sum().to_numpy()
    changed = np.divide(sums["moved"].sum().to_numpy(), known, out=np.full(len(known), np.nan), where=known > 0)
    whole = table.groupby(["item_id", "level"], observed=True)["share"].transform("sum")
    table = table.assign(share=table["share"] / whole, changed=changed)
    return table.astype({"item_id": str, "level": str}).sort_values(["item_id", "level", "option"])


def persona_table(scores: Scores, by: Sequence[str]) -> pd.DataFrame:
    """A row per model, benchmark and persona: a hash in place of the id, the subgroup columns, w_p, scores and Δ.

    The largest |Δ| first. The level of an attribute is blank where it is withheld everywhere.
    """
    rows = []
    for part in parts(scores, columns_of(by)):
        found = part.pairs(part.measures[-1])
        if not len(found.person):
            continue
        ids = found.people["persona_id"].astype(str)
        with_persona, without = found.means
        values = {"without": without, "with_persona": with_persona}
        table = pd.DataFrame({"model": part.model, "benchmark": part.benchmark, "persona": ids.map(short_pseudonym)})
        for name in columns_of(by):
            level = levels_of(found.people, name)
            table[name] = level.where(level.isin(shown_levels(found.people, name)), "")
        numbers = {"weight": part.weights_of(found.people["persona_id"]), "items": found.answered.astype(int)}
        rows.append(table.assign(**numbers, **values, effect=found.by_persona(found.d)))
    if not rows:
        return pd.DataFrame()
    return pd.concat(rows, ignore_index=True).sort_values(
        ["model", "benchmark", "effect"], key=lambda column: -column.abs() if column.name == "effect" else column
    )


def category_table(scores: Scores) -> pd.DataFrame:
    """Δ by item category, both intervals; the category is the benchmark's own, or its parts."""
    rows = []
    for part in parts(scores):
        clean, column = part.clean.scores, category_column(part.benchmark)
        if column not in clean or clean[column].nunique() < 2:
            continue
        codes = factorized(clean[column])
        for code, category in enumerate(clean[column].unique()):
            own = part.clean.some(np.flatnonzero(codes == code))
            for measure in part.measures:
                found = effect_of(own, measure)
                head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
                kept = ("items", "groups", "personas", "without", "with_persona", "effect", "people_low", "people_high")
                values = {name: getattr(found, name) for name in (*kept, "items_low", "items_high")}
                rows.append({**head, "category": str(category), **values})
    return pd.DataFrame(rows)

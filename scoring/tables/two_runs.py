"""Two runs, or two models of one run, compared pair by pair with the machinery of the persona effect."""

from dataclasses import asdict

import pandas as pd

from scoring.statistics.effect import persona_effect
from scoring.statistics.pairs import Part, parts
from scoring.statistics.subgroups import MEASURES, metric_of

_TRIAL = ["persona_id", "item_id", "rotation", "replicate", "format", "frame", "placement", "trait_order"]


def difference_table(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Second − first on the trials that both have: a row per benchmark, measure and what is compared.

    `compared` is "with persona" (the scores), "persona effect" (Δ) or "baseline". Each is the estimate of
    `persona_effect` in which the first run takes the place of the baseline; the baseline's own comparison is clustered
    on item group alone and stands in `items_*`. `without` is the first's mean, `with_persona` the second's.
    """
    rows: list[dict[str, object]] = []
    others = {part.benchmark: part for part in parts(second)}
    for part in parts(first):
        other = others.get(part.benchmark)
        if other is None:
            continue
        for measure in MEASURES:
            both = _matched(part, other, measure)
            if both.empty:
                continue
            for compared, frame in _comparisons(both).items():
                head = {"first": part.model, "second": other.model, "benchmark": part.benchmark, "measure": measure}
                sides = dict.fromkeys(metric_of(each, measure) for each in (part, other))
                head["metric"] = " against ".join(sides)
                found = {**asdict(persona_effect(frame)), "items": int(both["item_id"].nunique())}
                rows.append({**head, "compared": compared, **found})
    return pd.DataFrame(rows)


def _matched(first: Part, second: Part, measure: str) -> pd.DataFrame:
    """Trials of both, with the values `one` and `two`, of the personas and the baseline."""
    one, two = (part.without_control().scores for part in (first, second))
    keys = [name for name in _TRIAL if name in one and name in two]
    # categories differ between files, names do not
    told = [frame.loc[frame["persona_id"] != "", "traits"] for frame in (one, two) if "traits" in frame]
    if any(each.astype(str).nunique() > 1 for each in told):
        keys.append("traits")  # a run with one set of traits is compared with another that has one, whichever it is
    names = [name for name in keys if name not in ("rotation", "replicate")]
    texts = [frame.assign(**{name: frame[name].astype(str) for name in names}) for frame in (one, two)]
    if any(measure not in frame for frame in texts):
        return pd.DataFrame()
    right = texts[1][[*keys, measure]].rename(columns={measure: "two"}).drop_duplicates(keys)
    both = texts[0].merge(right, on=keys).rename(columns={measure: "one"})
    return both[both["one"].notna() & both["two"].notna()]


def _comparisons(both: pd.DataFrame) -> dict[str, pd.DataFrame]:
    alone = both["persona_id"] == ""
    people, base = both[~alone], both[alone]
    found = {}
    if len(people):
        found["with persona"] = as_effect(people, people["one"], people["two"])
        on = ["item_id", "rotation"]
        means = base.groupby(on)[["one", "two"]].mean().rename(columns={"one": "base_one", "two": "base_two"})
        joined = people.join(means, on=on, how="inner")
        if len(joined):
            effects = joined["one"] - joined["base_one"], joined["two"] - joined["base_two"]
            found["persona effect"] = as_effect(joined, *effects)
    if len(base):
        found["baseline"] = as_effect(
            base.assign(persona_id=base["item_id"], cluster=base["group"]), base["one"], base["two"]
        )
    return found


def as_effect(rows: pd.DataFrame, one: pd.Series, two: pd.Series) -> pd.DataFrame:
    """A frame for `persona_effect` in which `two` is the score with persona and `one` its own baseline.

    Each persona and item become an item of their own in the baseline's eyes, and keep their persona and group clusters.
    """
    trial = rows["persona_id"].astype(str) + "\x1f" + rows["item_id"].astype(str)
    shared = rows.drop(columns=["one", "two"]).assign(item_id=trial)
    return pd.concat([shared.assign(persona_id="", value=one), shared.assign(value=two)], ignore_index=True)

"""Two runs, or two models of one run, compared pair by pair with the machinery of the persona effect."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from scoring.statistics.effect import effect_of
from scoring.statistics.pairs import SCORED, Part, Scores, parts
from scoring.statistics.subgroups import metric_of
from scoring.statistics.weights import Weights

_TRIAL = ["persona_id", "item_id", "rotation", "format", "frame", "placement", "trait_order"]


def difference_table(
    first: Scores,
    second: Scores,
    weights: Weights = "none",
    population: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Second − first on the trials that both have: a row per benchmark, measure and what is compared.

    A trial that was replicated counts as the mean of its replicates. `compared` is "with persona" (the scores),
    "persona effect" (Δ) or "baseline". Each is the estimate of `persona_effect` in which the first run takes the place
    of the baseline; the baseline's own comparison is clustered on item group alone and stands in `items_*`. `without`
    is the first's mean, `with_persona` the second's.

    Raises InputError where population weights are asked for and a country has no figure.
    """
    rows: list[dict[str, object]] = []
    others = {part.benchmark: part for part in parts(second, (), weights, population)}
    for part in parts(first, (), weights, population):
        other = others.get(part.benchmark)
        if other is None:
            continue
        for measure in SCORED:
            both = _matched(part, other, measure)
            if both.empty:
                continue
            for compared, frame in _comparisons(both).items():
                head = {"first": part.model, "second": other.model, "benchmark": part.benchmark, "measure": measure}
                sides = dict.fromkeys(metric_of(each, measure) for each in (part, other))
                head["metric"] = " against ".join(sides)
                found = {**asdict(effect_of(part.of(frame))), "items": int(both["item_id"].nunique())}
                rows.append({**head, "compared": compared, **found})
    return pd.DataFrame(rows)


def difference_by_level(
    first: pd.DataFrame,
    second: pd.DataFrame,
    attributes: Sequence[str],
    min_n: int,
    weights: Weights = "none",
    population: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """How Δ differs, second − first, for the people of each level of at least `min_n` personas.

    The rows of `difference_table` on Δ with `attribute` and `level` in front. Intervals are of each level by itself,
    not adjusted for how many there are; an attribute that either run does not tell apart is left out.
    """
    rows = []
    for attribute in attributes:
        if attribute not in first or attribute not in second:
            continue
        told = second.loc[second["persona_id"] != "", ["persona_id", attribute]].astype(str).drop_duplicates()
        for level, people in told.groupby(attribute)["persona_id"].nunique().items():
            if not level or people < min_n:
                continue
            found = difference_table(
                _of_level(first, attribute, str(level)), _of_level(second, attribute, str(level)), weights, population
            )
            if len(found):
                found = found[found["compared"] == "persona effect"]
                found.insert(0, "level", level)
                found.insert(0, "attribute", attribute)
                rows.append(found)
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _of_level(scores: pd.DataFrame, attribute: str, level: str) -> pd.DataFrame:
    """The trials of a level's people, and those of the baseline."""
    return scores[(scores["persona_id"] == "") | (scores[attribute].astype(str) == level)]


def _matched(first: Part, second: Part, measure: str) -> pd.DataFrame:
    """Trials of both, with the values `one` and `two`, of the personas and the baseline."""
    one, two = first.clean.scores, second.clean.scores
    keys = [name for name in _TRIAL if name in one and name in two]
    # categories differ between files, names do not
    told = [frame.loc[frame["persona_id"] != "", "traits"] for frame in (one, two) if "traits" in frame]
    if any(each.astype(str).nunique() > 1 for each in told):
        keys.append("traits")  # a run with one set of traits is compared with another that has one, whichever it is
    if measure not in one or measure not in two:
        return pd.DataFrame()
    sides = (_without_replicates(frame, keys, measure) for frame in (one, two))
    left, right = (side.rename(columns={measure: name}) for side, name in zip(sides, ("one", "two"), strict=True))
    return left.merge(right[[*keys, "two"]], on=keys)


def _without_replicates(scores: pd.DataFrame, keys: Sequence[str], measure: str) -> pd.DataFrame:
    """A row a trial that was answered: the mean of its replicates, and the first one's other columns."""
    names = [name for name in keys if name != "rotation"]
    answered = scores[scores[measure].notna()].assign(**{name: scores[name].astype(str) for name in names})
    trials = answered.groupby(list(keys), observed=True, sort=False)
    means = trials[measure].mean().reset_index()
    return answered.drop(columns=measure).drop_duplicates(list(keys)).merge(means, on=list(keys))


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
    # the noise of either answer is in how persona clusters differ: neither is a baseline that all share
    shared = rows.drop(columns=["one", "two", "sampled"], errors="ignore").assign(item_id=trial)
    return pd.concat([shared.assign(persona_id="", value=one), shared.assign(value=two)], ignore_index=True)

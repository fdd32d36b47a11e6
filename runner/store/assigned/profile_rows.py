"""Random profiles of personas: how a run keeps which stands beside what, and how it is read again.

A run's selection has a list `profiles`: the rule by which they were drawn, the items of each place among a benchmark's
groups, and the variants of each persona with the profiles that each is; all by the numbers of rows.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from personas.prompt.random_profiles import RandomProfiles

ProfileRows = dict[str, Any]


def rule_of(rows: ProfileRows) -> RandomProfiles:
    """The rule by which profiles were drawn."""
    return RandomProfiles(tuple(rows["traits"]), rows["told"], rows["count"], rows["seed"])


def is_profiled(frame: pd.DataFrame, profiles: Sequence[ProfileRows], people: Mapping[int, str]) -> np.ndarray:
    """Which rows (item, persona, variant) are of a profile that stands beside the item; those of the baseline are.

    `people` has the personas' ids by the numbers of their rows.
    """
    kept: np.ndarray = (frame["persona"] == 0).to_numpy()
    for each in profiles:
        rule = rule_of(each)
        places = {item: place for place, items in each["items"] for item in items}
        own = {(who, variant): some for who, variants in each["people"] for variant, some in variants}
        asked = frame[["persona", "variant"]].assign(place=frame["item"].map(places).fillna(-1).astype(int))
        distinct = asked.drop_duplicates()
        beside = [
            place >= 0 and (who, variant) in own and rule.beside(people[who], place) in own[who, variant]
            for who, variant, place in distinct.itertuples(index=False)
        ]
        kept = kept | asked.merge(distinct.assign(beside=beside), how="left")["beside"].to_numpy(dtype=bool)
    return kept


def told_columns(
    frame: pd.DataFrame, variants: Mapping[int, Mapping[str, Any]], people: Mapping[int, Mapping[str, Any]]
) -> dict[str, pd.Categorical]:
    """What is told in each row (persona, variant); "" in the baseline.

    `told` are the traits that its text tells, `told_text` is the same where the same answers are told.
    """
    distinct = frame[["persona", "variant"]].drop_duplicates()
    shown = {number: json.loads(variants[number]["traits"]) for number in distinct["variant"].unique() if number}
    answers = {number: json.loads(people[number]["answers"]) for number in distinct["persona"].unique() if number}
    texts = []
    for who, variant in distinct.itertuples(index=False):
        told = [(name, answers[who].get(name, people[who]["country"])) for name in shown[variant]] if who else []
        texts.append(hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16] if who else "")
    named = distinct.assign(
        told=[", ".join(shown[variant]) if variant else "" for variant in distinct["variant"]], told_text=texts
    )
    found = frame[["persona", "variant"]].merge(named, how="left")
    return {name: pd.Categorical(found[name]) for name in ("told", "told_text")}


def names_of_sets(profiles: Sequence[ProfileRows]) -> dict[int, str]:
    """What a report calls what each variant shows, by the number of its row."""
    return {variant: each["name"] for each in profiles for _, variants in each["people"] for variant, _ in variants}


def in_other_numbers(profiles: Sequence[ProfileRows], maps: Mapping[str, Mapping[int, int]]) -> list[ProfileRows]:
    """The same profiles by the numbers of another file; what that does not have is left out."""
    people, variants, items = (maps[name] for name in ("persona", "variant", "item"))
    return [
        {
            **each,
            "items": [[place, [items[one] for one in some if one in items]] for place, some in each["items"]],
            "people": [
                [people[who], [[variants[number], some] for number, some in own if number in variants]]
                for who, own in each["people"]
                if who in people
            ],
        }
        for each in profiles
    ]


def together(selections: Sequence[Mapping[str, Any]]) -> list[ProfileRows]:
    """The different profiles of several runs."""
    found: list[ProfileRows] = []
    for selection in selections:
        found += [each for each in selection.get("profiles", []) if each not in found]
    return found

"""The levels of an attribute: which people are at which, and which levels may be shown and tested."""

from collections.abc import Sequence

import pandas as pd

from personas.people.respondents import MISSING_LABEL

HIDDEN_UNDER = 5
ALL = "all"
PAIR = " × "


def columns_of(attributes: Sequence[str]) -> tuple[str, ...]:
    """The columns of the scores that attributes and pairs of them need."""
    return tuple(dict.fromkeys(name for attribute in attributes for name in attribute.split(PAIR)))


def levels_of(people: pd.DataFrame, attribute: str) -> pd.Series:
    """Each row's level of an attribute or pair of attributes, as text; everybody is at the one level of "all"."""
    if attribute == ALL:
        return pd.Series(ALL, index=people.index)
    names = attribute.split(PAIR)
    levels = people[names[0]].astype(str)
    for name in names[1:]:
        levels = levels + PAIR + people[name].astype(str)
    return levels


def level_codes(rows: pd.DataFrame, attribute: str) -> pd.Series:
    """`levels_of` for many rows: text only where there is no categorical to take."""
    if attribute == ALL or PAIR in attribute or not isinstance(rows[attribute].dtype, pd.CategoricalDtype):
        return levels_of(rows, attribute)
    return rows[attribute]


def hidden_levels(people: pd.Series) -> set[str]:
    """The levels to withhold, of the number of people of each.

    Those under five; and, so that they cannot be worked out from the others and the total, the smallest further ones
    until two or more are withheld that have five people together.
    """
    sizes = people[people > 0].sort_values(kind="stable")
    small = int((sizes < HIDDEN_UNDER).sum())
    while 0 < small < len(sizes) and (small < 2 or sizes.iloc[:small].sum() < HIDDEN_UNDER):
        small += 1
    return set(map(str, sizes.index[:small]))


def shown_levels(rows: pd.DataFrame, attribute: str) -> list[str]:
    """The levels that may be shown, of scores or of people."""
    people = rows.groupby(level_codes(rows, attribute).rename("level"), observed=True)["persona_id"].nunique()
    return sorted(set(map(str, people.index[people > 0])) - hidden_levels(people))


def is_missing(level: str) -> bool:
    """Whether a level stands for people whose answer is not known; it is shown and never tested."""
    return bool({"", MISSING_LABEL} & set(level.split(PAIR)))

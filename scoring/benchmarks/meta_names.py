"""The names that a benchmark may not give to columns of its own: what the score table uses them for already."""

from collections.abc import Iterable, Set

from personas.people.respondents import META, OPTIONAL
from personas.traits import catalogue

# The columns of `load_scores`, and those that the tables put beside them.
SCORES = frozenset(
    "model benchmark part item item_id group persona persona_id cluster weight survey wave region split country "
    "age_band format frame placement trait_order traits variant rotation replicate status chosen chosen_by_text "
    "chosen_by_probability role letter value expected population reference".split()
)


def taken_names() -> Set[str]:
    """The names that no meta column may have."""
    return SCORES | {*META, *OPTIONAL} | catalogue().traits.keys()


def check_meta_names(names: Iterable[str]) -> None:
    """Raises ValueError, with a remedy, for the name of a meta column that the score table or a persona uses."""
    taken = taken_names()
    if name := next((name for name in names if name in taken), None):
        what = "a trait of the personas" if name in catalogue().traits else "a column of the score table"
        raise ValueError(f"[meta] {name!r} is {what} already; give it another name, such as 'source_{name}'")

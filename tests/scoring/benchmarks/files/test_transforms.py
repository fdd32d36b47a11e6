"""The transforms of benchmark files: what each makes of a value, and a clause for one that it cannot take."""

from typing import Any

import pytest

from scoring.benchmarks.files.transforms import PLAIN, WITH_ARGUMENT, apply, check


@pytest.mark.parametrize(
    ("value", "transforms", "wanted"),
    [
        (" B ", ["letter"], 1),
        ("3", ["one_based"], 2),
        ("yes; no; ", [{"split": ";"}], ["yes", "no"]),  # an empty end is only an end
        ("one\ntwo\n", ["lines"], ["one", "two"]),
        ([1.0, 2.5], ["texts"], ["1", "2.5"]),
        ("defaultdict(<class 'list'>, {'US': [0, 0], 'NO': [1, 3]})", ["python", "nonzero"], {"NO": [1, 3]}),
        ([1, 3], ["normalise"], [0.25, 0.75]),
        ('{"a": [1]}', ["json", {"get": "a"}, {"get": 0}], 1),
        ("", [{"default": "none"}, {"map": {"none": "N"}}], "N"),
        ([2, 4, 6], ["unit_scale"], [0.0, 0.5, 1.0]),
    ],
)
def test_values_by_hand(value: Any, transforms: list[Any], wanted: Any) -> None:
    for transform in transforms:
        check(transform)
    assert apply(value, transforms) == wanted


@pytest.mark.parametrize(
    ("value", "transform", "clause"),
    [
        ("AB", "letter", "where a letter is expected"),
        ("a;;b", {"split": ";"}, "empty part, number 2 of 3"),  # would move every number after it
        ([1, -1], "normalise", "where shares are expected"),
        ("__import__('os')", "python", "where a Python literal is expected"),
        ("x", {"map": {"y": 1}}, "which the map does not list"),
        ("abc", "numbers", "where a list of numbers is expected"),
    ],
)
def test_a_value_that_does_not_fit_is_a_clause(value: Any, transform: Any, clause: str) -> None:
    with pytest.raises(ValueError, match=clause):
        apply(value, [transform])


def test_only_listed_transforms_are_known() -> None:
    for unknown in ("eval", {"split": ";", "get": 0}, {"strip": 1}, 3):
        with pytest.raises(ValueError, match="unknown transform"):
            check(unknown)
    assert not set(PLAIN) & set(WITH_ARGUMENT)

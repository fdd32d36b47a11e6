"""A fraction of all combinations that is balanced over each axis."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.prompt.fraction import balanced_fraction
from runner.study.tables.variant_section import VariantSection


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.floats(0.05, 1))
def test_no_level_is_left_out_and_the_order_is_kept(sizes: list[int], fraction: float) -> None:
    rows = list(product(*(range(size) for size in sizes)))
    chosen = balanced_fraction(rows, fraction)
    assert list(chosen) == [row for row in rows if row in chosen] and rows[0] in chosen
    assert all(len({row[axis] for row in chosen}) == size for axis, size in enumerate(sizes))
    assert balanced_fraction(rows, 1.0) == tuple(rows)


def test_a_third_of_a_cube_is_a_latin_square() -> None:
    chosen = balanced_fraction(list(product(range(3), repeat=3)), 1 / 3)
    assert len(chosen) == 9
    for axes in ((0, 1), (0, 2), (1, 2)):
        assert len({tuple(row[axis] for axis in axes) for row in chosen}) == 9


@pytest.mark.parametrize(("fraction", "count"), [(1.0, 24), (0.5, 12), (0.25, 6)])
def test_the_variants_of_a_study(fraction: float, count: int) -> None:
    section = VariantSection(
        formats=("prose", "bullets", "json"),
        frames=("role", "user"),
        placements=("prompt", "system"),
        trait_orders=2,
        neutral=True,
        system="Be brief.",
        fraction=fraction,
    )
    found = section.crossed()
    told = [each for each in found if each.format != "neutral"]
    assert len(told) == count and len(found) - count == 4
    for name in ("format", "frame", "placement", "trait_order"):
        times = Counter(getattr(each, name) for each in told)
        assert max(times.values()) - min(times.values()) <= 1

"""How numbers are written: decimals, signs, units, and a dash where there is none."""

import math

import pytest

from scoring.report import numbers

NAN = math.nan


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (numbers.signed, 0.1234, "+0.123"),
        (numbers.signed, -0.0006, "-0.001"),
        (numbers.p_value, 0.0009, "<0.001"),
        (numbers.p_value, 0.05, "0.050"),
        (numbers.percent, 0.125, "12.5%"),
        (numbers.score, 0.5, "50.0%"),
        (numbers.score, 1.5, "1.500"),
        (numbers.chance, 0.0994, "9.9%"),
        (numbers.chance, 0.0996, "10%"),
        (numbers.chance, 0.0, "0%"),
        (numbers.count, 1234.0, "1,234"),
        (numbers.in_points, 0.0123, "+1.2"),
    ],
)
def test_a_number_in_its_form(write, value, text):
    assert write(value).replace("−", "-") == text
    assert write(NAN) == numbers.NONE


def test_a_small_difference_keeps_a_digit_and_one_point_is_singular():
    assert numbers.points(0.01).endswith(" point") and numbers.points(0.012).endswith(" points")
    assert "0.04" in numbers.points(0.0004 + 1e-9) and not numbers.points(0.03, signed=False).startswith("+")


def test_an_interval_needs_both_ends():
    assert numbers.interval(-0.1, 0.25).replace("−", "-") == "[-0.100, +0.250]"
    assert numbers.half_width(-0.1, 0.3) == "0.200"
    for write in (numbers.interval, numbers.half_width, numbers.points_interval):
        assert write(NAN, 0.1) == write(0.1, NAN) == numbers.NONE

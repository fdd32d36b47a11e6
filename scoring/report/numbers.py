"""How a number is written, the same in the terminal, on the page and in LaTeX."""

import math
from typing import Any

COUNTS = frozenset({"personas", "people", "clusters", "items", "groups", "pairs", "blocks", "draws", "gap_items"}) | {
    *("questions", "flat", "options", "levels", "known", "unknown", "chosen", "people_needed", "people_needed_alone")
}
SIGNED = frozenset(
    {
        "effect",
        "alone",
        "telling",
        "gap",
        "difference",
        "delta",
        "excess",
        "over_majority",
        "over_learned",
        "change",
        "lowest",
        "highest",
        "control",
        "persona",
        "effect_as_wrong",
        "net",
        "neutral",
        "seen",
        "median",
        "bound",
        "estimate",
    }
)
NONE = "–"


def number(value: float) -> str:
    """Three decimals; a dash where there is none."""
    return NONE if math.isnan(value) else f"{value:.3f}"


def variance(value: float) -> str:
    """Five decimals: variances of scores are small."""
    return NONE if math.isnan(value) else f"{value:.5f}"


def signed(value: float) -> str:
    """Three decimals with a sign."""
    return NONE if math.isnan(value) else f"{value:+.3f}"


def interval(low: float, high: float) -> str:
    """[low, high]."""
    return NONE if math.isnan(low) or math.isnan(high) else f"[{low:+.3f}, {high:+.3f}]"


def half_width(low: float, high: float) -> str:
    """Half of what an interval spans."""
    return NONE if math.isnan(low) or math.isnan(high) else f"{(high - low) / 2:.3f}"


def p_value(value: float) -> str:
    """Three decimals, or "<0.001"."""
    return NONE if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def percent(value: float) -> str:
    """One decimal."""
    return NONE if math.isnan(value) else f"{value:.1%}"


def score(value: float) -> str:
    """A score between 0 and 1 as a percentage, another as it is."""
    return NONE if math.isnan(value) else f"{100 * value:.1f}%" if 0 <= value <= 1 else f"{value:.3f}"


def points(value: float, signed: bool = True) -> str:
    """A difference of scores in percentage points."""
    return NONE if math.isnan(value) else f"{_points(value, signed)} {'point' if _is_one(value) else 'points'}"


def in_points(value: float) -> str:
    """The same without the unit."""
    return NONE if math.isnan(value) else _points(value)


def points_interval(low: float, high: float) -> str:
    """An interval in percentage points, without the unit."""
    return NONE if math.isnan(low) or math.isnan(high) else f"{_points(low)} to {_points(high)}"


def half_points(low: float, high: float) -> str:
    """Half of what an interval spans, in percentage points, without the unit."""
    return NONE if math.isnan(low) or math.isnan(high) else _points((high - low) / 2, signed=False)


def _points(value: float, signed: bool = True) -> str:
    """One decimal; as many as a smaller one takes, up to three."""
    value = 100 * value
    digits = 1 if abs(value) >= 0.05 or abs(value) < 0.0005 else -math.floor(math.log10(abs(value)))
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def _is_one(value: float) -> bool:
    return f"{abs(100 * value):.1f}" == "1.0"


def chance(value: float) -> str:
    """A share in whole per cent, with a decimal under ten."""
    return NONE if math.isnan(value) else f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{value:.1%}"


def count(value: float) -> str:
    """A whole number."""
    return NONE if math.isnan(value) else f"{value:,.0f}"


def cell(column: str, value: Any) -> str:
    """A value as its column's name asks for: differences have a sign, numbers of things no decimals."""
    if value is None or isinstance(value, str):
        return value or NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    value = float(value)
    if column in COUNTS or column.startswith(("answers", "unpaired")):
        return count(value)
    if column.endswith(("_p", "_holm", "_q")) or column in ("p", "holm", "q"):
        return p_value(value)
    return signed(value) if column in SIGNED or column.endswith(("low", "high", "least", "most")) else number(value)

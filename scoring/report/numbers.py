"""How a number is written, the same in the terminal, on the page and in LaTeX."""

import math
from typing import Any

COUNTS = frozenset({"personas", "people", "clusters", "items", "groups", "pairs", "blocks", "draws", "gap_items"})
SIGNED = frozenset(
    {"effect", "gap", "difference", "delta", "gain", "lowest", "highest", "control", "persona", "effect_as_wrong"}
)
NONE = "–"


def number(value: float) -> str:
    """Three decimals; a dash where there is none."""
    return NONE if math.isnan(value) else f"{value:.3f}"


def signed(value: float) -> str:
    """Three decimals with a sign."""
    return NONE if math.isnan(value) else f"{value:+.3f}"


def interval(low: float, high: float) -> str:
    """[low, high]"""
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
    if column.endswith(("_p", "_holm", "_q")) or column in ("p", "holm"):
        return p_value(value)
    return signed(value) if column in SIGNED or column.endswith(("low", "high", "least", "most")) else number(value)

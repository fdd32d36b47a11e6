"""Text from outside as plain text: nothing of it is markup, and what cannot be seen is made visible."""

import unicodedata
from typing import Any

from dash import html

SHOWN = 20_000
_KEPT = frozenset("\n\t\u200c\u200d")  # joiners are part of how Persian, Hindi and emoji are written
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def visible(text: str) -> str:
    """The text with control characters as their pictures, and invisible ones as ⟨U+202E⟩.

    Invisible ones are, for instance, those that change the direction of writing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(letter: str) -> str:
    if letter in _KEPT or unicodedata.category(letter) not in _INVISIBLE:
        return letter
    number = ord(letter)
    if number < 0x20:
        return chr(0x2400 + number)
    return "␡" if number == 0x7F else f"⟨U+{number:04X}⟩"


def line(text: str, most: int = 160) -> str:
    """The beginning of a text as one line."""
    return visible(" ".join(text[: 4 * most].split()))[:most] + ("…" if len(text) > most else "")


def plain(text: str, whole: str | None = None) -> html.Div:
    """A text with its line breaks, in a direction of its own.

    Of a long one the beginning, with its length, and where the whole of it can be downloaded.
    """
    shown = html.Pre(visible(text[:SHOWN]), dir="auto", className="plain", tabIndex=0)
    if len(text) <= SHOWN:
        return html.Div(shown)
    note: list[Any] = [f"The first {SHOWN:,} of {len(text):,} characters. "]
    note += [html.A("Download the whole text", href=whole)] if whole else []
    return html.Div([shown, html.P(note, className="note")])

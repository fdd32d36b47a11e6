"""The control: as many words as a persona, about nobody."""

# One sentence of each length from 1 to 12 words, so that every length can be reached.
_SENTENCES = (
    "Continue.",
    "Read on.",
    "A question follows.",
    "The question comes next.",
    "It has one best answer.",
    "The question stands after this text.",
    "Every question is given in full below.",
    "The text before it does not matter here.",
    "This paragraph is here only to fill some space.",
    "It gives no facts that are needed for any answer.",
    "A text of this length stands before each of the questions.",
    "The words of this text were chosen because each says nothing here.",
)


def neutral_text(words: int) -> str:
    """A text of exactly this many words (1 or more) that says nothing about anybody."""
    parts: list[str] = []
    length = len(_SENTENCES)
    while words:
        size = min(words, length)
        parts.append(_SENTENCES[size - 1])
        words -= size
        length = length - 1 if length > 6 else len(_SENTENCES)
    return " ".join(parts)

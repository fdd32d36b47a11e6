"""Half a surrogate pair in a text from outside ("\\ud83d" in JSON): neither a file nor a terminal takes it."""


def without_surrogates(text: str) -> str:
    """The text with U+FFFD in the place of each half; whole pairs become the character that they stand for."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

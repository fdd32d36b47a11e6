"""Secrets that this process has read are taken out of whatever it stores, sends on or shows."""

MASK = "[API key]"
LEAST = 8  # characters: what is shorter is a word such as "none", not a secret, and answers may hold it

_secrets: set[str] = set()


def is_secret(text: str) -> bool:
    """Whether a text is long enough to be a secret."""
    return len(text) >= LEAST


def remember(secret: str) -> None:
    """From now on `scrub` takes this out; what is too short to be a secret is left alone."""
    if is_secret(secret):
        _secrets.add(secret)


def scrub(text: str) -> str:
    """The text without the keys that this process has read, nor the beginning of one that was cut off."""
    for secret in _secrets:
        start = secret[: max(LEAST, len(secret) // 2)]
        if start in text:
            text = _without(text, secret, start)
    return text


def _without(text: str, secret: str, start: str) -> str:
    parts, done = [], 0
    while (at := text.find(start, done)) >= 0:
        end = at + len(start)
        while end < len(text) and end - at < len(secret) and text[end] == secret[end - at]:
            end += 1
        parts += [text[done:at], MASK]
        done = end
    return "".join((*parts, text[done:]))

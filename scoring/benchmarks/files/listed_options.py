"""Whether a question that somebody else wrote already letters its options: letters on letters make nonsense."""

import re
import unicodedata
from collections.abc import Sequence

from scoring.answers.items import LETTERS

# A letter that stands alone, and what may stand between it and its option: "A. red", "(a) red", "**B**: red".
_LETTER = re.compile(r"(?<![^\W_])([A-Za-z])(?![^\W_])")
_BETWEEN = re.compile(r"[\W_]{1,5}")
_LABEL = re.compile(r"[\W_]*(?:(?:option|choice|answer)\W+)?([^\W_]{1,3})[\W_]*", re.I)
_REMEDY = 'ask it by part = "loglik"'


def listed_order(question: str, choices: Sequence[str]) -> tuple[int, ...] | None:
    """The numbers of the options in the order in which the question lists them as A, B, ….

    None where it does not letter them, so that the prompt has to.

    Options that are labels themselves ("(A)", "b.") are listed by the question or nowhere. Raises ValueError, in a
    clause, where letters of our own would contradict those that are there: labels that the question does not name or
    that are no letters from A on, or a list of some options only.
    """
    question, plain = _plain(question), [_plain(choice).strip() for choice in choices]
    labels = [found[1] if (found := _LABEL.fullmatch(text)) else "" for text in plain]
    letters = [label.upper() for label in labels]
    wanted = list(LETTERS[: len(choices)])
    if sorted(letters) == wanted:
        if absent := next((label for label in labels if not _names(question, label)), None):
            raise ValueError(f"has the options {_few(plain)}, but no option {absent!r} in its question; {_REMEDY}")
        return _by_letter(letters)
    if all(labels) and len(set(labels)) == len(labels) and all(_heads(question, label) for label in labels):
        raise ValueError(f"has options that are labels of its own, {_few(plain)}, not the letters from A on; {_REMEDY}")
    if sum(letter in wanted for letter in letters) > 1:
        raise ValueError(f"has options that would be taken for letters, {_few(plain)}; {_REMEDY}")
    return _listed_texts(question, plain, wanted)


def _listed_texts(question: str, choices: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...] | None:
    """As `listed_order`, for options that are texts."""
    found: dict[int, str] = {}
    longest = sorted(range(len(choices)), key=lambda option: -len(choices[option]))
    for letter in _LETTER.finditer(question):
        option = next((each for each in longest if choices[each] and _follows(question, letter, choices[each])), None)
        if option is not None:
            found.setdefault(option, letter[1].upper())
    letters = [found.get(option, "") for option in range(len(choices))]
    if sorted(letters) == list(wanted):
        return _by_letter(letters)
    if len({*found.values()}) > 1:
        raise ValueError(
            f"has a question with letters of its own ({', '.join(sorted({*found.values()}))}) for "
            f"{len(found)} of its {len(choices)} options; {_REMEDY}"
        )
    return None


def _plain(text: str) -> str:
    """Full-width letters and signs as plain ones."""
    return unicodedata.normalize("NFKC", text)


def _follows(question: str, letter: re.Match[str], choice: str) -> bool:
    between = _BETWEEN.match(question, letter.end())
    starts = range(letter.end() + 1, between.end() + 1) if between else range(0)
    if between and not between[0].strip(" ") and question[: letter.start()].rstrip(" ")[-1:] not in ("", "\n"):
        return False  # "a red house": between words, a letter and a blank are an article
    return any(
        question.startswith(choice, start) and not question[start + len(choice) : start + len(choice) + 1].isalnum()
        for start in starts
    )


def _names(question: str, label: str) -> bool:
    """Whether the label stands in the question as a word of its own."""
    return re.search(rf"(?<![^\W_])(?:{re.escape(label)}|{re.escape(label.upper())})(?![^\W_])", question) is not None


def _heads(question: str, label: str) -> bool:
    """Whether the label stands in the question as one does before what it stands for: "1.", "(ii)", "a:"."""
    return re.search(rf"(?<![^\W_]){re.escape(label)}\s?[.):\]、،।-]", question) is not None


def _by_letter(letters: Sequence[str]) -> tuple[int, ...]:
    return tuple(sorted(range(len(letters)), key=lambda option: letters[option]))


def _few(choices: Sequence[str]) -> str:
    return ", ".join(repr(choice) for choice in choices[:4]) + (", …" if len(choices) > 4 else "")

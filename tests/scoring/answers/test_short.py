"""Short replies are read sooner and no otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replies import REPLIES

from scoring.answers import letters
from scoring.answers.plain import plain_text
from scoring.answers.short import short_reply

FORMS = (
    "The answer is {letter}.",
    "The correct answer is: {letter}",
    "Answer: {letter}",
    "Answer: **{letter}**.",
    "my answer is ({letter})",
    "{letter}) {words}",
    "{letter}. {words}.",
    "({letter}) {words}",
    "{letter}.\n{words}!",
)
# Words that a cue, another option, a refusal or a correction has as well.
ODD = (
    ["the answer", "is", "Ans", "correct"],
    ["Yes", "Yes, always", "No", "I can't answer"],
    ["3", "30", "1.5", "50 %"],
    ["B) Paris", "Paris", "Lyon", "The Paris"],
    ["Paris", "Paris", "sorry", "wait, no"],
    ["A", "I", "actually B", "A or B"],
    ["東京", "京都", "{'answer': 'A'}", "A is correct"],
)
SETS = [*ODD, *(shown for shown, _ in REPLIES)]


def in_full(text: str, shown: list[str]) -> int | None:
    plain, options = plain_text(text), letters._plain_options(tuple(shown))
    whole = letters._whole(plain, options)
    return letters._read(plain, options) if whole is None else whole


@settings(deadline=None)
@given(st.sampled_from(FORMS), st.sampled_from("ABCDEI"), st.sampled_from(SETS), st.integers(0, 3))
def test_a_short_reply_is_read_as_the_full_reader_reads_it(
    form: str, letter: str, shown: list[str], number: int
) -> None:
    text = form.format(letter=letter, words=shown[number % len(shown)])
    found = short_reply(plain_text(text), letters._plain_options(tuple(shown)))
    assert found is None or found == in_full(text, shown)
    assert letters.read_letter(text, shown) == in_full(text, shown)


def test_every_known_reply_is_read_as_the_full_reader_reads_it() -> None:
    for shown, told in REPLIES:
        for text, _ in told:
            assert short_reply(plain_text(text), letters._plain_options(tuple(shown))) in (None, in_full(text, shown))


@pytest.mark.parametrize("form", FORMS)
def test_the_usual_forms_are_short_replies(form: str) -> None:
    shown = ("The grandson", "The grandfather", "Not enough information")
    assert short_reply(plain_text(form.format(letter="B", words=shown[1])), shown) == 1

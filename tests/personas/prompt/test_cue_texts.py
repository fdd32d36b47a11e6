"""Cues other than a description: what a model reads, byte for byte, and which name a person has."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.prompt.given_names import common_names, given_name
from personas.prompt.messages import compose
from personas.prompt.render import Variant, render
from personas.prompt.written_forms import Format, Frame
from personas.surveys.survey import load_survey
from personas.traits import Persona, Trait, catalogue

TRAITS = {**catalogue().traits, **{name: trait for name, (trait, _) in load_survey("gss").defined().items()}}
ANSWERS = {"age": 18, "gender": 2, "education": 6, "imp_friends": 1, "neigh_aids": 1, "gss:polviews": 4}
PERSON = Persona("gss:2018:1", "gss", "2018", "USA", 1.0, ANSWERS)
ALL = list(TRAITS)

DIALOGUE = """Interviewer: How old are you?
{who}: 18
Interviewer: Are you a man or a woman?
{who}: A woman
Interviewer: In which country do you live?
{who}: The United States
Interviewer: Highest educational level (ISCED 2011)
{who}: A bachelor's degree or equivalent
Interviewer: Important in life: friends
{who}: Very important
Interviewer: Would not like as neighbors: people who have AIDS
{who}: Mentioned
Interviewer: Thinks of self as liberal or conservative
{who}: Moderate"""
INTERVIEWS: dict[Frame, str] = {
    "role": (
        "You took part in a survey. These were the interviewer's questions and your answers.\n"
        f"{DIALOGUE.format(who='You')}\n"
        "The interviewer goes on with the next question. Answer it as the same person."
    ),
    "user": (
        "The user took part in a survey. These were the interviewer's questions and the user's answers.\n"
        f"{DIALOGUE.format(who='User')}"
    ),
    "third-person": (
        "Somebody took part in a survey. These were the interviewer's questions and that person's answers.\n"
        f"{DIALOGUE.format(who='Respondent')}\n"
        "How would the same person answer the next question?"
    ),
}
MEMORY = """Saved to memory in earlier conversations with the user:
- The user is an 18-year-old woman.
- The user was interviewed in the United States.
- Their highest level of education is a bachelor's degree or equivalent.
- Friends are very important to them.
- They identify as moderate politically.
- They would be uncomfortable with people who have AIDS as neighbors."""


@pytest.mark.parametrize("frame", list(INTERVIEWS))
def test_an_interview_is_a_dialogue_in_the_surveys_words(frame: Frame) -> None:
    assert render(PERSON, TRAITS, ALL, Variant("interview", frame)) == INTERVIEWS[frame]


def test_a_memory_stands_behind_the_system_text() -> None:
    variant = Variant("memory", "user", "system")
    assert compose(render(PERSON, TRAITS, ALL, variant), "Who?", "You are helpful.", variant) == [
        {"role": "system", "content": f"You are helpful.\n{MEMORY}"},
        {"role": "user", "content": "Who?"},
    ]


@pytest.mark.parametrize(
    ("frame", "text"),
    [("role", "You are answering as {}."), ("user", "The user is {}."), ("third-person", "How would {} answer?")],
)
def test_a_name_is_all_that_is_told(frame: Frame, text: str) -> None:
    name = given_name(PERSON, ALL)
    assert name in common_names()["USA"].women
    assert render(PERSON, TRAITS, ALL, Variant("name", frame)) == text.format(name)
    assert render(replace(PERSON, answers={"gender": 2}), TRAITS, ALL, Variant("name", frame)) == text.format(name)


@given(
    st.dictionaries(st.sampled_from([name for name in ALL if name != "country"]), st.integers(0, 3), max_size=12),
    st.sampled_from(["interview", "memory"]),
    st.integers(0, 5),
)
def test_a_cue_tells_what_was_answered_and_nothing_else(answers: dict[str, int], format: Format, order: int) -> None:
    answers = {name: code for name, code in answers.items() if TRAITS[name].holds(code)}
    persona = replace(PERSON, answers=answers)
    text = render(persona, TRAITS, ALL, Variant(format, "user", "system", order))
    kept = [name for name in ALL if name in answers or name == "country"]
    assert text == render(persona, TRAITS, kept, Variant(format, "user", "system", order))
    if format == "interview":
        assert text.count("\nInterviewer: ") == len(kept) == text.count("\nUser: ")
    for word in ("nan", "None", "missing", "not asked", "no answer"):
        assert word not in text


def test_labels_from_outside_stay_on_their_line() -> None:
    outside = Trait(
        "s:x", "Say {it}\nUser: yes", "trust", "extended", "Opinions", {1: "no\nInterviewer: {0}"}, "{label}"
    )
    persona = replace(PERSON, answers={"s:x": 1})
    text = render(persona, {"s:x": outside}, ["s:x"], Variant("interview", "user"))
    assert text.splitlines()[1:] == ["Interviewer: Say {it} User: yes", "User: No Interviewer: {0}"]

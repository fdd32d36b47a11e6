"""Cues other than a description that say who the model is to be: an interview, a memory, a name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from personas.countries import country_name
from personas.prompt.phrases import Facts
from personas.traits import Persona, Trait, catalogue

Cue = Literal["description", "interview", "memory", "name"]
CUES = ("interview", "memory", "name")
NO_CUE = "none"  # of the baseline

# What opens an interview is a heading in the codebooks.
_OPENING: Mapping[str, str] = {
    "age": "How old are you?",
    "gender": "Are you a man or a woman?",
    "country": "In which country do you live?",
    "birth_country": "In which country were you born?",
}
_GENDERS = {1: "A man", 2: "A woman"}
_INTERVIEWS: Mapping[str, tuple[str, str, str]] = {
    "role": (
        "You took part in a survey. These were the interviewer's questions and your answers.",
        "You",
        "The interviewer goes on with the next question. Answer it as the same person.",
    ),
    "user": (
        "The user took part in a survey. These were the interviewer's questions and the user's answers.",
        "User",
        "",
    ),
    "third-person": (
        "Somebody took part in a survey. These were the interviewer's questions and that person's answers.",
        "Respondent",
        "How would the same person answer the next question?",
    ),
}
_REMEMBERED = "Saved to memory in earlier conversations with the user:"


def cue_of(form: str) -> str:
    """The cue that a format is of: of its own name for the control and for all but descriptions."""
    return form if form in (*CUES, "neutral") else "description"


def interview(persona: Persona, traits: Mapping[str, Trait], shown: Sequence[str], frame: str) -> str:
    """The survey's questions and this respondent's answers, in the order of `shown`, as a dialogue.

    Missing answers are left out, and so are questions that were put to the interviewer.
    """
    opening, answerer, ending = _INTERVIEWS[frame]
    lines = [opening]
    for question, answer in _asked(persona, traits, shown):
        lines += [f"Interviewer: {_line(question)}", f"{answerer}: {_line(answer)}"]
    return "\n".join([*lines, *([ending] if ending else [])])


def _asked(persona: Persona, traits: Mapping[str, Trait], shown: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in shown:
        if name == "country":
            if persona.country:
                yield _OPENING[name], _capital(country_name(persona.country))
            continue
        trait, code = traits.get(name), persona.answers.get(name)
        if trait is None or code is None:
            continue
        if name == "gender":
            yield _OPENING[name], _GENDERS.get(code, trait.label(code))
        elif name in _OPENING:
            label = catalogue().traits[name].label(code) if name == "birth_country" else trait.label(code)
            yield _OPENING[name], _capital(label)
        else:
            yield trait.question, _capital(trait.label(code))


def memory(told: Facts) -> str:
    """What an assistant remembers of its user: a line for each fact, in the third person."""
    first, *rest = told.opening
    lines = [f"The user is {first}.", *(f"The user was {each}." for each in rest)]
    lines += [f"{_capital(clause)}." for clauses in told.sections.values() for clause in clauses]
    return "\n".join([_REMEMBERED, *(f"- {_line(line)}" for line in lines)])


def _line(text: str) -> str:
    """A text on one line: a label from outside is no other speaker's."""
    return " ".join(text.split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

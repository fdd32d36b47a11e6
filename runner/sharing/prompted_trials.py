"""A study's trials as other tools ask them: the messages as they are sent, and which trial each is."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from personas.errors import InputError
from personas.people.pseudonyms import short_pseudonym
from runner.crossing.prepare import Prepared
from runner.crossing.trials import Asked
from scoring.answers.items import LETTERS
from scoring.statistics.pairs import CONTROL, WORDING

BASELINE = "baseline"


class PromptedTrial(NamedTuple):
    """A trial, what it is called outside, and what is known about it.

    `wording` is the variant in a few words, "baseline" without a persona.
    """

    asked: Asked
    id: str
    wording: str
    about: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """The user message."""
        return str(self.asked.request.messages[-1]["content"])

    @property
    def system(self) -> str:
        """The system message; "" where there is none."""
        first = self.asked.request.messages[0]
        return str(first["content"]) if first["role"] == "system" else ""

    @property
    def choices(self) -> list[str]:
        """The options in the order shown."""
        return [self.asked.question.item.choices[option] for option in self.asked.order]

    @property
    def right(self) -> list[int]:
        """Where the right options stand in that order; empty where none is right or wrong."""
        weights = self.asked.question.item.weights or ()
        return [place for place, option in enumerate(self.asked.order) if weights and weights[option] == 1]

    @property
    def letters(self) -> str:
        """The letters of the options shown."""
        return LETTERS[: len(self.asked.order)]


def prompted_trials(ready: Prepared) -> Iterator[PromptedTrial]:
    """Every trial of a study once, without its replicates, whichever model is asked; the baseline comes first."""
    crossing = ready.crossing
    wordings = {0: BASELINE}
    sets = len({tuple(each.shown) for each in crossing.variants})
    for number, variant, shown, _ in crossing.variants:
        parts = [str(getattr(variant, name)) for name in WORDING]
        wordings[number] = "-".join([*parts, str(len(shown))] if sets > 1 else parts)
    for asked in crossing.trials(crossing.models[0]):
        if asked.trial.replicate == 0:
            yield _named(asked, wordings[asked.trial.variant], len(crossing.variants) > 1)


def _named(asked: Asked, wording: str, several: bool) -> PromptedTrial:
    item, persona = asked.question.item, asked.persona
    who = short_pseudonym(persona.persona_id) if persona else BASELINE
    condition = BASELINE if persona is None else "neutral" if wording.startswith(f"{CONTROL}-") else "persona"
    name = f"{item.id}@{who}#{asked.trial.rotation}" + (f"/{wording}" if persona and several else "")
    about: dict[str, Any] = {
        "respondent": who,
        "condition": condition,
        "wording": wording,
        "benchmark": asked.question.measure,
    }
    about |= {"item": item.id, "part": item.part, "group": item.group, "rotation": asked.trial.rotation}
    return PromptedTrial(asked, name, wording, about)


def refuse_restricted(ready: Prepared, agreed: bool, remedy: str) -> None:
    """Raises InputError where respondents of restricted surveys would be passed on without an agreement.

    Their prompts show their answers; the message quotes the surveys' terms.
    """
    if agreed or not (restricted := ready.crossing.respondents.restricted()):
        return
    terms = "; ".join(f"{each.title}: {each.licence}" for each in restricted)
    raise InputError(
        f"{ready.study.path}: the prompts tell respondents' answers, and the surveys' terms are: {terms}. {remedy}"
    )

"""[variants]: how a persona is written, and how an answer is asked for."""

from collections.abc import Iterator
from itertools import product
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from personas.prompt.cue_texts import Cue
from personas.prompt.fraction import balanced_fraction
from personas.prompt.render import Variant
from personas.prompt.written_forms import Frame, Placement
from runner.study.sections import Section
from scoring.answers.items import Elicitation

PersonaFormat = Literal["prose", "prose-paper", "bullets", "json", "oneliner"]


class VariantSection(Section):
    """[variants]: how a persona is written, and how an answer is asked for; the lists are crossed.

    `traits` are sets to compare, each a superset of the smallest; without it, [personas] traits is the only one.
    """

    formats: tuple[PersonaFormat, ...] = Field(("prose",), min_length=1)
    """How a persona is laid out. `prose-paper` is the text of the paper's Figure 2."""
    cues: tuple[Cue, ...] = Field(("description",), min_length=1)
    """By what a model knows who it is to be: a `description` in each of `formats`; an `interview`, the survey's
    questions and the person's answers; a `memory` of the user in the system message; or nothing but a `name`."""
    frames: tuple[Frame, ...] = Field(("role",), min_length=1)
    """Whose the persona is: the model's own (`role`), the user's (`user`), or somebody else's (`third-person`)."""
    placements: tuple[Placement, ...] = Field(("prompt",), min_length=1)
    """Where the persona stands: in the prompt (`prompt`) or in the system message (`system`)."""
    trait_orders: int = Field(1, gt=0)
    """In how many orders the traits are written; 1 is the usual order alone."""
    traits: tuple[str | tuple[str, ...], ...] = ()
    """Sets of traits to compare, each a superset of the smallest; if absent, `[personas] traits` alone."""
    fraction: float = Field(1.0, gt=0, le=1)
    """The share of all combinations that is asked, balanced over every list and pair of lists."""
    neutral: bool = False
    """Adds the neutral control: a text as long as the persona's that says nothing about anybody."""
    system: str = ""
    """A system message that goes with every request, the baseline's too."""
    elicitation: tuple[Elicitation, ...] = Field(("letter",), min_length=1)
    """How the answer to a question with options is asked for, each way with a baseline of its own: `letter`, `text`
    (the option's words), `json` (by a schema), `probability` (stated for each option), `reasoning` (then a letter)."""
    reasoning_tokens: int = Field(512, ge=16)
    """How many tokens an answer after reasoning may take, unless the model's own bound is higher."""

    @field_validator("elicitation")
    @classmethod
    def _each_once(cls, elicitation: tuple[Elicitation, ...]) -> tuple[Elicitation, ...]:
        if len(set(elicitation)) < len(elicitation):
            raise ValueError("elicitation names a way of answering twice: leave one out")
        return elicitation

    @model_validator(mode="after")
    def _has_system(self) -> Self:
        if "memory" in self.cues and not self.system:
            raise ValueError("cues 'memory' needs a system text that the baseline is sent too: set system")
        if "system" in self.placements and not self.system:
            raise ValueError("placements 'system' needs a system text that the baseline is sent too: set system")
        return self

    def crossed(self) -> tuple[Variant, ...]:
        """The combinations asked, and the neutral control of each frame and placement where it is asked for."""
        every = [(each.format, each.frame, each.placement, each.trait_order) for each in self._every()]
        told = [Variant(*each) for each in balanced_fraction(every, self.fraction)]
        used = {(each.frame, each.placement) for each in told if each.format != "memory"}
        places = [each for each in product(self.frames, self.placements) if each in used or not used]
        control = [Variant("neutral", frame, placement) for frame, placement in places] if self.neutral else []
        return (*told, *control)

    def _every(self) -> Iterator[Variant]:
        orders = range(self.trait_orders)
        for cue in dict.fromkeys(self.cues):
            if cue == "memory":  # which is an assistant's, of its user, and stands in the system message
                yield from (Variant(cue, "user", "system", order) for order in orders)
            else:
                layouts = self.formats if cue == "description" else (cue,)
                crossed = product(layouts, self.frames, self.placements, orders if cue != "name" else (0,))
                yield from (Variant(*each) for each in crossed)

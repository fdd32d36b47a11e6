"""[fidelity] in a study file."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from runner.study.sections import Section

Where = dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
Show = Literal["rest", "others", "demographic"]


class FidelitySection(Section):
    """[fidelity]: which of the survey's own questions are put to the personas.

    Their answers are compared with what the respondents answered.
    """

    ask: Literal["core", "all"] | tuple[str, ...] = "core"
    """What is asked: the catalogue's value traits (`core`), all but demographics (`all`), or a list of traits."""
    per_person: int | None = Field(None, gt=0)
    """How many of them each person is asked, at random by the seed; all if absent."""
    show: Show | tuple[str, ...] = "rest"
    """What is shown meanwhile: of what the study shows all but what is asked (`rest`), all but the very trait that is
    asked (`others`); or `demographic` traits alone, or a list; never the trait that is asked."""
    n: int | None = Field(None, gt=0)
    """How many of the study's people are asked, the first; all if absent."""
    where: Where = Field({})
    """Asks only people who have one of the listed values of each attribute, such as `{ country = ["NOR"] }`."""
    learn_from: Where = Field({})
    """Whom the learned reference learns from; everybody who is not asked if absent. Other countries than those of
    `where` make it a test across cultures."""
    rotations: int = Field(1, gt=0)
    """In how many orders the options are shown, where they are no scale."""
    shares: bool = False
    """Whether the model is also asked, once and as nobody, what share of each country gives each answer."""
    known: float | None = Field(None, gt=0, lt=1)
    """The share of the people whose own answers correct the model's (prediction-powered inference); the others check
    it. No correction if absent."""
    twins: bool = False
    """Whether counterfactual twins (`[personas] swap`) are asked too, and whether twins and respondents are also asked
    for traits that their text tells: negative controls, which must not move where another trait is swapped."""
    controls: tuple[str, ...] = ()
    """With `twins`: which told traits are asked; if absent, every one that is a question with lettered options."""
    retest: dict[str, float] = Field({})
    """Published agreement of respondents with themselves when asked again, by trait, such as `{ trust = 0.8 }`."""

    @field_validator("retest")
    @classmethod
    def _is_share(cls, retest: dict[str, float]) -> dict[str, float]:
        if wrong := next((name for name, share in retest.items() if not 0 < share <= 1), None):
            raise ValueError(f"the retest agreement of {wrong!r} is a share above 0, at most 1")
        return retest

    @model_validator(mode="after")
    def _controls_twins(self) -> Self:
        if self.controls and not self.twins:
            raise ValueError("controls is for twins = true: set twins, or leave controls out")
        return self

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.ask == () or self.show == ():
            raise ValueError(f"{'ask' if self.ask == () else 'show'} is an empty list: name traits, or leave it out")
        return self

"""[fidelity]: a survey's own questions, put to personas, whose answers stand beside what the respondents said."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from personas.errors import InputError
from personas.people.pseudonyms import TWIN
from personas.people.respondents import Respondents
from personas.prompt.trait_sets import chosen_traits
from personas.traits import Trait
from runner.study.sections import BenchmarkSection, Section
from scoring.answers.items import Item
from scoring.benchmarks.trait_inference import TraitInference, shares_item, survey_item, survey_options

Where = dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
Show = Literal["rest", "others", "demographic"]


class FidelitySection(Section):
    """[fidelity]: which of the survey's own questions are put to the personas, to be compared with what the respondents
    answered."""

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
    retest: dict[str, float] = Field({})
    """Published agreement of respondents with themselves when asked again, by trait, such as `{ trust = 0.8 }`."""

    @field_validator("retest")
    @classmethod
    def _is_share(cls, retest: dict[str, float]) -> dict[str, float]:
        if wrong := next((name for name, share in retest.items() if not 0 < share <= 1), None):
            raise ValueError(f"the retest agreement of {wrong!r} is a share above 0, at most 1")
        return retest

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.ask == () or self.show == ():
            raise ValueError(f"{'ask' if self.ask == () else 'show'} is an empty list: name traits, or leave it out")
        return self


def asked_traits(section: FidelitySection, traits: Mapping[str, Trait]) -> list[Trait]:
    """The traits that are asked, in the catalogue's order. Raises InputError where there are none, or for one that
    cannot be asked as a question with lettered options."""
    if isinstance(section.ask, tuple):
        named = [traits[name] for name in chosen_traits(section.ask, traits)]
        if wrong := next((trait for trait in named if not survey_options(trait)), None):
            raise InputError(f"ask: {wrong.name!r} has no scale of 2 to 26 answers to choose from; leave it out")
        return named
    uses = {"value"} if section.ask == "core" else {"value", "extended"}
    found = [each for each in traits.values() if each.use in uses and each.domain != "demographics"]
    found = [trait for trait in found if survey_options(trait)]
    if not found:
        more = '; ask = "all" asks those that are a survey\'s own' if section.ask == "core" else ""
        raise InputError(f"ask = {section.ask!r}: these surveys have no such question{more}; or name a list of traits")
    return found


def fidelity_items(section: FidelitySection, people: Respondents) -> list[Item]:
    """An item for each trait asked, which says what it hides; and, where asked for, one for its shares in each country.

    Raises InputError.
    """
    asked = asked_traits(section, people.traits)
    names = [trait.name for trait in asked]
    hidden: Sequence[str] = () if section.show == "others" else names
    shown = None if section.show in ("rest", "others") else chosen_traits(section.show, people.traits)
    items = [survey_item(trait, hidden, shown) for trait in asked if trait.name in people.frame]
    if section.shares:
        countries = sorted(people.frame["country"].astype(str).unique())
        items += [shares_item(trait, country) for trait in asked for country in countries]
    return items


def asked_people(section: FidelitySection, people: Respondents) -> frozenset[str]:
    """The ids of those who are asked: respondents, never counterfactual twins. Raises InputError."""
    names = people.where(section.where).frame["persona_id"].astype(str) if section.where else people.frame["persona_id"]
    return frozenset([name for name in names if TWIN not in name][: section.n])


def as_benchmark(section: FidelitySection) -> BenchmarkSection:
    """The section as a [[benchmarks]] table would have it."""
    return BenchmarkSection(name=TraitInference.name, per_person=section.per_person, rotations=section.rotations)

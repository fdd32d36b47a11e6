"""[fidelity]: a survey's own questions, put to personas, whose answers stand beside what the respondents said."""

from collections.abc import Mapping, Sequence

from personas.errors import InputError
from personas.people.pseudonyms import TWIN
from personas.people.respondents import Respondents
from personas.prompt.trait_sets import chosen_traits
from personas.traits import Trait
from runner.study.sections import BenchmarkSection
from runner.study.tables.fidelity_section import FidelitySection
from scoring.answers.items import Item
from scoring.benchmarks.trait_inference import (
    TraitInference,
    control_item,
    shares_item,
    survey_item,
    survey_options,
)


def asked_traits(section: FidelitySection, traits: Mapping[str, Trait]) -> list[Trait]:
    """The traits that are asked, in the catalogue's order.

    Raises InputError where there are none, or for one that cannot be asked as a question with lettered options.
    """
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


def fidelity_items(section: FidelitySection, people: Respondents, told: Sequence[str]) -> list[Item]:
    """An item for each trait asked, which says what it hides; where asked for, the controls and each country's shares.

    `told` are the traits that the study shows of a persona. Raises InputError.
    """
    asked = asked_traits(section, people.traits)
    names = [trait.name for trait in asked]
    hidden: Sequence[str] = () if section.show == "others" else names
    shown = None if section.show in ("rest", "others") else chosen_traits(section.show, people.traits)
    items = [survey_item(trait, hidden, shown) for trait in asked if trait.name in people.frame]
    if section.twins:
        beside = told if shown is None else shown
        items += [control_item(trait, hidden, shown) for trait in _controls(section, people, beside, names)]
    if section.shares:
        countries = sorted(people.frame["country"].astype(str).unique())
        items += [shares_item(trait, country) for trait in asked for country in countries]
    return items


def _controls(
    section: FidelitySection, people: Respondents, beside: Sequence[str], hidden: Sequence[str]
) -> list[Trait]:
    """The told traits that are asked nevertheless. Raises InputError for one that is not told, or cannot be asked."""
    can = [name for name in beside if name in people.traits and name in people.frame and name not in hidden]
    can = [name for name in can if survey_options(people.traits[name])]
    if wrong := next((name for name in section.controls if name not in can), None):
        raise InputError(f"controls: {wrong!r} is not told beside the questions, or cannot be asked; leave it out")
    if not can:
        raise InputError("twins: no trait that is told can be asked as a question with lettered options; show another")
    return [people.traits[name] for name in section.controls or can]


def asked_people(section: FidelitySection, people: Respondents) -> frozenset[str]:
    """The ids of those who are asked: respondents, and where wanted their counterfactual twins. Raises InputError."""
    names = people.where(section.where).frame["persona_id"].astype(str) if section.where else people.frame["persona_id"]
    asked = frozenset([name for name in names if TWIN not in name][: section.n])
    twins = [name for name in people.frame["persona_id"] if name.partition(TWIN)[0] in asked]
    return asked.union(twins) if section.twins else asked


def as_benchmark(section: FidelitySection) -> BenchmarkSection:
    """The section as a [[benchmarks]] table would have it."""
    return BenchmarkSection(name=TraitInference.name, per_person=section.per_person, rotations=section.rotations)

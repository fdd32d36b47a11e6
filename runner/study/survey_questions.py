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
from scoring.benchmarks.trait_inference import TraitInference, shares_item, survey_item, survey_options


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

"""Trait inference: one of a respondent's answers, hidden from the persona's text, told from all the others.

`exact` asks for the answer and scores 1 or 0. `ordinal` asks the same about ordinal traits and scores 1 − the
1-Wasserstein distance between the model's distribution and the respondent's answer on the 0-1 scale (WorldValuesBench,
Zhao et al. 2024); without probabilities that is 1 − the distance of the answer. `shares` asks once, without a persona,
what share of a country's people gives each answer; `scoring.fidelity.stated_shares` compares it with what they gave.
A study's [fidelity] asks the same of any trait of any survey (part `survey`), hiding all that it asks; and, as a
control, for traits that the text tells (part `control`).
`scoring.fidelity` compares all of these answers with the respondents'.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from personas.countries import country_name
from personas.traits import Persona, Trait, catalogue
from scoring.answers.distances import jensen_shannon, ordinal_wasserstein, unit_scale
from scoring.answers.items import LETTERS, Item
from scoring.answers.responses import Outcome, Response, choose, no_answer, option_probabilities
from scoring.benchmarks.base import MultipleChoice

# The ten countries of the paper, and the four of the starter respondents.
COUNTRIES = ("IND", "FRA", "BRA", "UKR", "CHN", "MEX", "CAN", "COL", "KEN", "MAR", "AUS", "NOR", "SWE", "USA")
SURVEY = "survey"
MOST_STEPS = 12  # of a scale that names its ends alone
# What reports call the parts that ask of a persona what its respondent answered.
CONTROL = "control"  # asks for what the persona's text tells
CONTROL_PART = f"trait_inference:{CONTROL}"
SURVEY_PART = f"trait_inference:{SURVEY}"
OWN_ANSWER_PARTS = ("trait_inference:exact", "trait_inference:ordinal", SURVEY_PART)
_SHARE = re.compile(r"^[\s*_(\[-]*([A-Z])[\s*_)\].:=-]+[^\n]{0,200}?(\d+(?:[.,]\d+)?)\s*%?[\s*_]*$", re.M)


class TraitInference(MultipleChoice):
    """How well a respondent's hidden answer is predicted; also Δ against majorities, a regression and stated shares."""

    name = "trait_inference"
    version = "1"
    title = "Trait inference"
    parts: tuple[str, ...] = ("exact", "ordinal", "shares")
    meta_columns: tuple[str, ...] = ("trait", "domain")
    about: Mapping[str, str] = {
        "exact": "which answer the respondent gave to a question that is hidden from the persona",
        "ordinal": "the same for ordinal traits, scored by how near the answer is",
        "shares": "what share of a country's people gives each answer; asked without a persona",
    }
    sizes: Mapping[str, int] = {"exact": 30, "ordinal": 25, "shares": 420}
    licence = "none needed: the questions are the trait catalogue's"

    def load(self, directory: Path, part: str | None = None) -> Iterator[Item]:
        """An item a target trait (and country, for `shares`); the catalogue is all it needs, not the directory."""
        for name in self.chosen_parts(part):
            for trait in targets():
                if name == "shares":
                    yield from (shares_item(trait, country) for country in COUNTRIES)
                elif name == "exact" or trait.ordinal:
                    yield _item(trait, name)

    def score(self, item: Item, order: Sequence[int], response: Response, persona: Persona | None) -> Outcome:
        """Against the persona's own answer; without a value where there is no persona, or it did not answer."""
        if item.part == "shares":
            stated = read_shares(response.text or "", len(item.choices))
            return no_answer(response) if stated is None else Outcome("ok")
        outcome = choose(item, order, response)
        gold = gold_option(item, persona)
        if outcome.chosen is None or gold is None:
            return outcome
        if item.part in ("exact", SURVEY, CONTROL) or item.ordinals is None:
            return replace(outcome, value=float(outcome.chosen == gold))
        point = tuple(float(option == outcome.chosen) for option in range(len(item.choices)))
        shares = option_probabilities(item, order, response) or point
        distances = (abs(place - item.ordinals[gold]) for place in item.ordinals)
        distance = sum(share * each for share, each in zip(shares, distances, strict=True))
        return replace(outcome, value=1 - distance)


def targets() -> list[Trait]:
    """The core traits that can be asked as a question with lettered options."""
    core = (trait for trait in catalogue().traits.values() if trait.use in ("demographic", "value"))
    return [trait for trait in core if 2 <= len(trait.labels) <= len(LETTERS)]


def survey_options(trait: Trait) -> dict[int, str]:
    """The answers to choose from, by code: the survey's own labels, or each step of a scale of up to twelve.

    None unless there are 2 to 26.
    """
    found = dict(trait.labels)
    if trait.scale is not None:
        low, high = trait.scale
        steps = range(low, high + 1) if high - low < MOST_STEPS else ()
        found = {code: f"{code} ({found[code]})" if code in found else str(code) for code in steps}
    return found if 2 <= len(found) <= len(LETTERS) else {}


def survey_item(trait: Trait, hidden: Sequence[str] = (), shown: Sequence[str] | None = None) -> Item:
    """A trait asked as its survey asks it, of personas that show everything but `hidden`, or the traits `shown` alone.

    What it hides is part of its id: the same question beside another persona is another item.
    """
    options = survey_options(trait)
    told = hashlib.sha256("\x1f".join([*hidden, "", *(shown or ())]).encode()).hexdigest()[:8]
    beside = {"hidden": list(hidden)} | ({} if shown is None else {"shown": list(shown)})
    return Item(
        id=f"trait_inference/{SURVEY}/{trait.name}/{told}",
        benchmark="trait_inference",
        version=TraitInference.version,
        part=SURVEY,
        question=_asked(trait),
        choices=tuple(options.values()),
        ordinals=unit_scale([float(code) for code in options]) if trait.ordinal else None,
        shuffle=not trait.ordinal,
        group=f"trait_inference/{trait.name}",
        scoring={"kind": SURVEY, "codes": list(options)},
        meta={"trait": trait.name, "domain": trait.domain, **beside},
        target_trait=trait.name,
    )


def control_item(trait: Trait, hidden: Sequence[str] = (), shown: Sequence[str] | None = None) -> Item:
    """A trait asked as its survey asks it, of personas whose text tells it; the rest as in `survey_item`."""
    item = survey_item(trait, hidden, shown)
    name = item.id.replace(f"/{SURVEY}/", f"/{CONTROL}/", 1)
    scoring = {**item.scoring, "kind": CONTROL}
    return replace(item, id=name, part=CONTROL, scoring=scoring, meta={**item.meta, "told": True})


def gold_option(item: Item, persona: Persona | None) -> int | None:
    """The option that the persona itself chose; None where it was not asked, or there is nobody."""
    if persona is None or item.target_trait is None:
        return None
    code = persona.answers.get(item.target_trait)
    codes = item.scoring.get("codes") or list(catalogue().traits[item.target_trait].labels)
    return codes.index(code) if code in codes else None


def positions(trait: Trait) -> tuple[float, ...]:
    """The codes of an ordinal trait on the 0-1 scale, in the order of its options."""
    return unit_scale([float(code) for code in survey_options(trait)])


def _asked(trait: Trait) -> str:
    return f"How would you answer this question of a survey?\n{trait.question}"


def _item(trait: Trait, part: str) -> Item:
    return Item(
        id=f"trait_inference/{part}/{trait.name}",
        benchmark="trait_inference",
        version=TraitInference.version,
        part=part,
        question=_asked(trait),
        choices=tuple(trait.labels.values()),
        ordinals=positions(trait) if trait.ordinal else None,
        shuffle=not trait.ordinal,
        group=f"trait_inference/{trait.name}",
        scoring={"kind": part},
        meta={"trait": trait.name, "domain": trait.domain},
        target_trait=trait.name,
    )


def shares_item(trait: Trait, country: str) -> Item:
    """The question for the shares of each answer among a country's adults (ISO 3166-1 alpha-3)."""
    options = survey_options(trait)
    lines = [f"{letter}. {label}" for letter, label in zip(LETTERS, options.values(), strict=False)]
    question = "\n".join(
        [
            f"A survey put this question to a representative sample of adults in {country_name(country)}:",
            trait.question,
            *lines,
            "Estimate the percentage that gave each answer; the percentages sum to 100. Reply with one line an answer "
            "and nothing else, such as: A: 25",
        ]
    )
    return Item(
        id=f"trait_inference/shares/{trait.name}/{country}",
        benchmark="trait_inference",
        version=TraitInference.version,
        part="shares",
        question=question,
        choices=tuple(options.values()),
        ordinals=positions(trait) if trait.ordinal else None,
        shuffle=False,
        group=f"trait_inference/{trait.name}",
        ask="text",
        scoring={"kind": "shares"},
        meta={"trait": trait.name, "domain": trait.domain, "stated_country": country},
    )


def read_shares(text: str, options: int) -> tuple[float, ...] | None:
    """The shares that a text states ("A: 25" a line), renormalised to sum 1.

    None where an option is missing, stated twice or unknown, or the percentages do not sum to 90 to 110.
    """
    stated: dict[str, float] = {}
    for letter, number in _SHARE.findall(text):
        if letter in stated:
            return None
        stated[letter] = float(number.replace(",", "."))
    total = sum(stated.values())
    if set(stated) != set(LETTERS[:options]) or not 90 <= total <= 110:
        return None
    return tuple(stated[letter] / total for letter in LETTERS[:options])


def share_similarity(trait: Trait, stated: Sequence[float], counts: Mapping[int, float]) -> float:
    """How near stated shares are to the respondents' (weighted) counts by code.

    1 − the 1-Wasserstein distance for an ordinal trait, else 1 − the Jensen-Shannon distance. NaN where nobody
    answered.
    """
    real = [float(counts.get(code, 0.0)) for code in survey_options(trait)]
    if trait.ordinal:
        return 1 - ordinal_wasserstein(positions(trait), stated, real)
    return 1 - jensen_shannon(stated, real)

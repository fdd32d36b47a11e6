"""Trait, Persona, and the catalogue that every survey is harmonised to (`traits.toml`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from personas.countries import birthplaces
from personas.errors import InputError, nearest

Use = Literal["demographic", "value", "extended"]
Wording = str | Mapping[int, str]

# A negative code is the reason why an answer is missing.
MISSING: Mapping[int, str] = {
    -1: "don't know",
    -2: "no answer",
    -3: "not applicable",
    -4: "not asked",
    -5: "other",
    -6: "dropped in cleaning",
}
DONT_KNOW, NO_ANSWER, NOT_APPLICABLE, NOT_ASKED, OTHER, DROPPED = -1, -2, -3, -4, -5, -6


@dataclass(frozen=True)
class Trait:
    """One harmonised variable.

    `labels` maps a valid code to its label. `scale` holds the lowest and the highest code where not every code has a
    label (age, or ten steps with named ends). `phrase` is the clause that prose makes of an answer: one template for
    all codes, or one a code, as `traits.toml` explains; `paper` is the wording of the paper's Figure 2 where it
    differs. `section` is the heading the clause stands under; "" keeps the trait out of the text (it is in the
    opening line).
    """

    name: str
    question: str
    domain: str
    use: Use
    section: str
    labels: Mapping[int, str] = field(default_factory=dict)
    phrase: Wording = ""
    paper: Wording = ""
    item: str = ""
    ordinal: bool = False
    scale: tuple[int, int] | None = None

    def label(self, code: int) -> str:
        """The label of a code, missing reasons included."""
        if code < 0:
            return MISSING.get(code, "other")
        if code in self.labels or not self.labels or self.scale is None:
            return self.labels.get(code, str(code))
        low, high = self.scale
        return f"{code} on a scale from {self._end(low)} to {self._end(high)}"

    def _end(self, code: int) -> str:
        return f"{code} ({self.labels[code]})" if code in self.labels else str(code)

    def holds(self, code: int) -> bool:
        """Whether a code is an answer on the trait's scale."""
        if self.scale:
            return self.scale[0] <= code <= self.scale[1] or code in self.labels
        return code in self.labels if self.labels else code >= 0

    def range(self) -> str:
        """The scale in a few characters: "1-4"; "" where it has no end."""
        codes = self.scale or ((min(self.labels), max(self.labels)) if self.labels else None)
        return f"{codes[0]}-{codes[1]}" if codes else ""

    def template(self, code: int, as_paper: bool = False) -> str:
        """The clause for a valid code with its places still open; "" when nothing is said of it."""
        wording = (as_paper and self.paper) or self.phrase
        return wording if isinstance(wording, str) else wording.get(code, "")


@dataclass(frozen=True)
class Persona:
    """A respondent as a model gets it: `persona_id` = survey:wave:respondent; `answers` holds valid codes only."""

    persona_id: str
    survey: str
    wave: str
    country: str
    weight: float
    answers: Mapping[str, int]


@dataclass(frozen=True)
class Catalogue:
    """The core traits, the domains, the shared scales and the order in which prose gives its sections."""

    domains: Mapping[str, str]
    sections: tuple[str, ...]
    scales: Mapping[str, Mapping[str, Any]]
    traits: Mapping[str, Trait]


@cache
def catalogue() -> Catalogue:
    """Read `personas/traits.toml`."""
    raw = tomllib.loads(files("personas").joinpath("traits.toml").read_text(encoding="utf-8"))
    traits = {name: trait_from(name, table, raw["domains"], raw["scales"]) for name, table in raw["traits"].items()}
    return Catalogue(raw["domains"], tuple(raw["sections"]), raw["scales"], traits)


def trait_from(
    name: str,
    table: Mapping[str, Any],
    domains: Mapping[str, str],
    scales: Mapping[str, Mapping[str, Any]],
    use: Use | None = None,
) -> Trait:
    """A Trait from its TOML table; `answers` names a shared scale, whose keys the table's own override.

    Codes are TOML keys, hence text, and become int here. Raises InputError for an unknown domain or scale.
    """
    shared = table.get("answers")
    if shared is not None and shared not in scales:
        raise InputError(f"trait {name!r}: unknown scale {shared!r}; {nearest(str(shared), scales)}")
    table = {**(scales[shared] if shared else {}), **table}
    domain = str(table.get("domain"))
    if domain not in domains:
        raise InputError(f"trait {name!r}: unknown domain {domain!r}; {nearest(domain, domains)}")
    labels, scale = table.get("labels", {}), table.get("scale")
    try:
        return Trait(
            name=name,
            question=str(table["question"]),
            domain=domain,
            use=use or table["use"],
            section=table.get("section", ""),
            labels=birthplaces() if labels == "countries" else _by_code(labels),
            phrase=_wording(table.get("phrase", "")),
            paper=_wording(table.get("paper", "")),
            item=table.get("item", ""),
            ordinal=bool(table.get("ordinal", False)),
            scale=(int(scale[0]), int(scale[1])) if scale else None,
        )
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"trait {name!r}: {type(error).__name__} at {error}: see personas/traits.toml") from None


def _wording(wording: str | Mapping[str, str]) -> Wording:
    return wording if isinstance(wording, str) else _by_code(wording)


def _by_code(table: Mapping[str, str]) -> dict[int, str]:
    return {int(code): str(text) for code, text in table.items()}

"""NormAd-Eti (Rao et al. 2025): is what somebody did socially acceptable, in one of 75 countries?"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pycountry

from personas.errors import InputError, nearest
from scoring.answers.items import Item
from scoring.benchmarks.base import MultipleChoice
from scoring.benchmarks.records import check_columns, located, read_rows
from scoring.statistics.many_item import ManyItemScore, mean_of

LABELS = ("yes", "no", "neutral")
FILES = ("normad_etiquette_final_data.csv", "normad_eti_v1_4cols.csv")
# The official country prompt reads "Other Country"; each setting is asked where the file has its column.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "country": ("Other Country", "Country"),
    "value": ("Value", "Value"),
    "rot": ("Rule-of-Thumb", "Rule-of-thumb"),
}
# Country names of the file that the ISO table spells otherwise.
_ISO = {
    "hong kong": "HKG",
    "laos": "LAO",
    "palestinian territories": "PSE",
    "russia": "RUS",
    "türkiye": "TUR",
    "turkey": "TUR",
    "south korea": "KOR",
    "north macedonia": "MKD",
    "iran": "IRN",
    "syria": "SYR",
    "taiwan": "TWN",
}


class NormAd(MultipleChoice):
    """Accuracy over yes, no and neutral; also apart for personas of the story's own country and of others."""

    name = "normad"
    version = "v1"
    title = "NormAd"
    assets: tuple[str, ...] = ("normad",)
    parts: tuple[str, ...] = tuple(SETTINGS)
    meta_columns: tuple[str, ...] = ("story_country", "setting", "gold")
    category = "story_country"
    paper_name = "NormAd"
    default = "rot"
    about: Mapping[str, str] = {
        "country": "the story with the name of its country",
        "value": "the story with the value behind the norm",
        "rot": "the story with its rule of thumb; the one setting of the file that has four columns",
    }
    sizes: Mapping[str, int] = dict.fromkeys(SETTINGS, 2633)
    licence = "CC BY 4.0"

    def load(self, directory: Path, part: str | None = None) -> Iterator[Item]:
        """2,633 stories a setting. A setting whose column the file lacks is left out, or refused if it is asked for."""
        path = next((directory / file for file in FILES if (directory / file).exists()), directory / FILES[-1])
        wanted = self.chosen_parts(part)
        for number, (place, row) in enumerate(read_rows(path)):
            if not number:
                check_columns(place, row, {"Country", "Story", "Gold Label"})
                there = tuple(name for name in wanted if SETTINGS[name][0] in row)
                if part is not None and not there:
                    known = nearest(part, [name for name in SETTINGS if SETTINGS[name][0] in row])
                    raise InputError(f"{path} has no column {SETTINGS[part][0]!r}, which part {part!r} needs; {known}")
            with located(place, "a NormAd story"):
                yield from (_item(name, number, row) for name in there)

    def many_item_scores(self, frame: pd.DataFrame) -> Sequence[ManyItemScore]:
        """Accuracy of personas from the story's country and from elsewhere, and for each gold label.

        The persona's country is the frame's `country`. Each persona is compared with the baseline on its own stories:
        those of its country, or the others.
        """
        value = frame["value"].to_numpy(dtype=float)
        read = ~np.isnan(value)
        found = [mean_of(f"accuracy_{label}", value, read & (frame["gold"] == label).to_numpy()) for label in LABELS]
        if "country" not in frame:
            return found
        country = frame["country"].astype(str)
        alone = (frame["persona_id"] == "").to_numpy() if "persona_id" in frame else np.zeros(len(frame), dtype=bool)
        at_home = (country == frame["story_country"].astype(str)).to_numpy()
        known = country.isin(_codes()).to_numpy()
        sides = (("matched", at_home), ("mismatched", ~at_home))
        return [*(mean_of(f"accuracy_{name}", value, read & (alone | (side & known))) for name, side in sides), *found]


def _item(setting: str, number: int, row: Mapping[str, Any]) -> Item:
    column, heading = SETTINGS[setting]
    label = row["Gold Label"].strip().lower()
    if label not in LABELS:
        raise ValueError(f"has the gold label {row['Gold Label']!r}; expected yes, no or neutral")
    return Item(
        id=f"normad/v1/{setting}/{number}",
        benchmark="normad",
        version=NormAd.version,
        part=setting,
        context=f"{heading}: {_spoken(row[column]) if setting == 'country' else row[column]}",
        question=row["Story"],
        choices=LABELS,
        weights=tuple(float(each == label) for each in LABELS),
        shuffle=False,
        group=f"normad/{number}",
        scoring={"kind": "accuracy"},
        meta={"story_country": country_code(row["Country"]), "setting": setting, "gold": label},
    )


def _spoken(name: str) -> str:
    return name.replace("_", " ").title()


@cache
def country_code(name: str) -> str:
    """The ISO 3166-1 alpha-3 code of one of the file's country names ("united_states_of_america").

    It can then be compared with a persona's. Raises ValueError for a name of no country.
    """
    spoken = name.replace("_", " ").strip().lower()
    code = _ISO.get(spoken) or _by_name().get(spoken.replace("united states of america", "united states"))
    if code is None:
        raise ValueError(f"names an unknown country {name!r}")
    return code


@cache
def _by_name() -> Mapping[str, str]:
    return {
        str(getattr(country, field)).lower(): country.alpha_3
        for country in pycountry.countries
        for field in ("official_name", "name", "common_name")
        if hasattr(country, field)
    }


@cache
def _codes() -> frozenset[str]:
    return frozenset(country.alpha_3 for country in pycountry.countries)

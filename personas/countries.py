"""Countries: the codes that surveys use, and the names that running text has for them."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pycountry

from personas.errors import InputError

# Where ISO 3166's own name is not the one that surveys and running text use, and the two that ISO has no entry for:
# the World Values Survey counts Northern Ireland apart from Great Britain, and Kosovo has a user-assigned code.
_SPOKEN: Mapping[str, str] = {
    "ARE": "the United Arab Emirates",
    "BHS": "the Bahamas",
    "BOL": "Bolivia",
    "BRN": "Brunei",
    "CAF": "the Central African Republic",
    "COD": "the Democratic Republic of the Congo",
    "COG": "the Republic of the Congo",
    "COM": "the Comoros",
    "CZE": "Czechia",
    "DOM": "the Dominican Republic",
    "FSM": "Micronesia",
    "GBR": "Great Britain",
    "GMB": "the Gambia",
    "HKG": "Hong Kong",
    "IRN": "Iran",
    "KOR": "South Korea",
    "LAO": "Laos",
    "MAC": "Macau",
    "MDA": "Moldova",
    "MDV": "the Maldives",
    "MHL": "the Marshall Islands",
    "NIR": "Northern Ireland",
    "NLD": "the Netherlands",
    "PHL": "the Philippines",
    "PRK": "North Korea",
    "PSE": "Palestine",
    "RUS": "Russia",
    "SLB": "the Solomon Islands",
    "SYR": "Syria",
    "TUR": "Turkey",
    "TWN": "Taiwan",
    "TZA": "Tanzania",
    "USA": "the United States",
    "VAT": "Vatican City",
    "VEN": "Venezuela",
    "VNM": "Vietnam",
    "XKX": "Kosovo",
}

# Codes in official files that ISO 3166 does not have, as alpha-3.
_ALIASES: Mapping[str, str] = {
    "GB-GBN": "GBR",
    "GB-NIR": "NIR",
    "NIE": "NIR",
    "NIR": "NIR",
    "UK": "GBR",
    "XK": "XKX",
    "XKX": "XKX",
    "383": "XKX",
    "909": "NIR",
    "915": "XKX",
}

# United Nations M49 regions: the EVS gives some birthplaces no closer than these.
_REGIONS: Mapping[int, str] = {
    2: "Africa",
    5: "South America",
    11: "Western Africa",
    13: "Central America",
    14: "Eastern Africa",
    15: "Northern Africa",
    17: "Middle Africa",
    18: "Southern Africa",
    19: "the Americas",
    21: "Northern America",
    29: "the Caribbean",
    30: "Eastern Asia",
    34: "Southern Asia",
    35: "South-Eastern Asia",
    39: "Southern Europe",
    53: "Australia or New Zealand",
    54: "Melanesia",
    57: "Micronesia",
    61: "Polynesia",
    142: "Asia",
    143: "Central Asia",
    145: "Western Asia",
    150: "Europe",
    151: "Eastern Europe",
    154: "Northern Europe",
    155: "Western Europe",
}
_SPECIAL_NUMBERS: Mapping[int, str] = {383: "XKX", 909: "NIR"}

# Numbers of ISO 3166-1 that are no longer in use, and the one that WVS has for Kosovo: people are born there still.
_FORMER: Mapping[int, str] = {
    200: "Czechoslovakia",
    278: "East Germany",
    280: "West Germany",
    530: "the Netherlands Antilles",
    720: "South Yemen",
    736: "Sudan",
    810: "the Soviet Union",
    890: "Yugoslavia",
    891: "Serbia and Montenegro",
    915: "Kosovo",
}

# How surveys label countries, where neither ISO 3166 nor `_SPOKEN` spells them so.
_CALLED: Mapping[str, str] = {
    "bosnia herzegovina": "BIH",
    "czech rep": "CZE",
    "great britain": "GBR",
    "hong kong sar": "HKG",
    "ivory coast": "CIV",
    "macao": "MAC",
    "macau sar": "MAC",
    "macedonia": "MKD",
    "republic of korea": "KOR",
    "slovak republic": "SVK",
    "swaziland": "SWZ",
    "taiwan roc": "TWN",
    "türkiye": "TUR",
    "united states of america": "USA",
    "uk": "GBR",
    "us": "USA",
}


@cache
def country_name(alpha3: str) -> str:
    """The name of an ISO 3166-1 alpha-3 code as running text has it. Raises InputError for an unknown code."""
    if spoken := _SPOKEN.get(alpha3):
        return spoken
    entry = pycountry.countries.get(alpha_3=alpha3)
    if entry is None:
        raise InputError(f"unknown country code {alpha3!r}: expected ISO 3166-1 alpha-3, such as 'NOR'")
    return str(getattr(entry, "common_name", entry.name))


@cache
def parse_country(code: str) -> str | None:
    """ISO 3166-1 alpha-3 from an alpha-2, alpha-3 or numeric code, or a special code of WVS and EVS; else None."""
    code = code.strip().upper()
    if alias := _ALIASES.get(code):
        return alias
    if code.isdigit():
        entry = pycountry.countries.get(numeric=code.zfill(3))
    elif len(code) == 2:
        entry = pycountry.countries.get(alpha_2=code)
    else:
        entry = pycountry.countries.get(alpha_3=code)
    return str(entry.alpha_3) if entry else None


@cache
def called(name: str) -> str | None:
    """ISO 3166-1 alpha-3 of a country by its English name, as ISO, running text or a survey's label has it; else None.

    >>> called("Tunisia"), called("Hong Kong SAR"), called("Yes")
    ('TUN', 'HKG', None)
    """
    wanted = _folded(name)
    spoken = {_folded(spelt): alpha3 for alpha3, spelt in _SPOKEN.items()}
    if found := _CALLED.get(wanted) or spoken.get(wanted):
        return found
    entries = (
        entry
        for entry in pycountry.countries
        for key in ("name", "common_name", "official_name")
        if _folded(getattr(entry, key, "")) == wanted
    )
    entry = next(entries, None) if wanted else None
    return str(entry.alpha_3) if entry else None


def _folded(name: str) -> str:
    """Lower case, without numbers, punctuation and "the"."""
    words = re.sub(r"[\W\d_]+", " ", name.lower()).split()
    return " ".join(word for word in words if word != "the")


@cache
def subdivision(code: str) -> str | None:
    """The name of a region by its ISO 3166-2 code, after the code: "US-CA California"; None for another code."""
    places: Any = pycountry.subdivisions
    entry = places.get(code=code) if "-" in code else None
    return f"{code} {entry.name}" if entry else None


def country_number(alpha3: str) -> int:
    """ISO 3166-1 numeric, as the surveys code a country of birth. Raises InputError for an unknown code."""
    special = {name: number for number, name in _SPECIAL_NUMBERS.items()}
    entry = pycountry.countries.get(alpha_3=alpha3)
    if alpha3 in special:
        return special[alpha3]
    if entry is None:
        raise InputError(f"unknown country code {alpha3!r}: expected ISO 3166-1 alpha-3, such as 'NOR'")
    return int(entry.numeric)


@cache
def birthplaces() -> Mapping[int, str]:
    """The name of every ISO 3166-1 numeric code; former countries, the surveys' specials and the M49 regions too."""
    countries = {int(entry.numeric): country_name(entry.alpha_3) for entry in pycountry.countries}
    specials = {number: country_name(name) for number, name in _SPECIAL_NUMBERS.items()}
    return {**_REGIONS, **_FORMER, **countries, **specials}

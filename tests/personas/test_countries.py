"""Countries by every code and name that surveys use, there and back."""

import pycountry
import pytest

from personas.countries import birthplaces, called, country_name, country_number, parse_country, subdivision
from personas.errors import InputError


@pytest.mark.parametrize(
    ("code", "alpha3"),
    [("no", "NOR"), ("NOR", "NOR"), ("578", "NOR"), (" gb-nir ", "NIR"), ("UK", "GBR"), ("ZZ", None), ("", None)],
)
def test_codes(code: str, alpha3: str | None) -> None:
    assert parse_country(code) == alpha3


def test_every_country_is_found_by_its_code_its_number_and_its_name() -> None:
    for entry in pycountry.countries:
        name = entry.alpha_3
        assert parse_country(entry.alpha_2) == parse_country(str(country_number(name))) == name
        assert called(country_name(name)) == called(entry.name) == name
        assert int(entry.numeric) in birthplaces()


def test_what_is_no_country() -> None:
    assert called("Yes") is None and called("") is None
    assert subdivision("US-CA") == "US-CA California" and subdivision("US") is None
    for unknown in ("XXX", "", "norway"):
        with pytest.raises(InputError):
            country_name(unknown)

"""Which traits a study shows, and in what order."""

from collections.abc import Mapping

import pytest

from personas.errors import InputError
from personas.prompt.trait_sets import chosen_traits, set_name, trait_sets
from personas.surveys.survey import load_survey
from personas.traits import Trait, catalogue

GSS = {name: trait for name, (trait, _) in load_survey("gss").defined().items()}


TRAITS: Mapping[str, Trait] = {**catalogue().traits, **GSS}


ALL = list(TRAITS)


def test_selections_of_traits() -> None:
    assert len(chosen_traits("core", TRAITS)) == 33
    assert len(chosen_traits("demographic", TRAITS)) == 10
    assert set(ALL) - set(chosen_traits("all-but:gender", TRAITS)) == {"gender"}
    assert chosen_traits(["imp_work", "age"], TRAITS) == ["imp_work", "age"]
    for wrong in ("all-but:gendr", "cor", ["agee"]):
        with pytest.raises(InputError, match="did you mean"):
            chosen_traits(wrong, TRAITS)


def test_sets_of_traits_share_the_smallest() -> None:
    known = catalogue().traits
    few, many = trait_sets(["core", "demographic"], known)
    assert (set_name(few), set_name(many)) == ("demographic (10)", "demographic, value (33)")
    own = {name: known[name] for name in ("age", "gender")}  # of a survey that asked no more
    assert trait_sets(["demographic", "core"], own) == [["age", "gender"]]
    with pytest.raises(InputError, match="the smallest set has 'gender', a larger one does not"):
        trait_sets([["gender"], ["education", "imp_family"]], known)

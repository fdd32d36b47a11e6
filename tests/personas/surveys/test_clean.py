"""What cleaning drops, and what it must leave alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.people.respondents import Respondents
from personas.surveys.clean import MissingRule, Repeat, drop_sparse, near_duplicates
from personas.surveys.harmonise import deciles, harmonise
from personas.surveys.survey import load_survey, matches, reason
from personas.surveys.table import text
from personas.traits import DROPPED, OTHER, Trait, catalogue


def respondents(codes: np.ndarray, country: str | list[str] = "NOR", domain: str = "trust") -> Respondents:
    """People with these codes (shape (people, items)) to items of one domain."""
    names = [f"s:{n}" for n in range(codes.shape[1])]
    traits = {name: Trait(name, name, domain, "extended", "Opinions") for name in names}
    head = {"persona_id": [f"s:1:{n}" for n in range(len(codes))], "survey": "s", "wave": "1", "country": country}
    frame = pd.concat(
        [pd.DataFrame({**head, "weight": 1.0}), pd.DataFrame(codes.astype(np.int16), columns=names)], axis=1
    )
    return Respondents(frame, traits)


def test_fifteen_percent_counts_not_asked_as_the_study_says() -> None:
    codes = np.ones((20, 3), dtype=np.int16)
    codes[:3, 0], codes[:4, 1], codes[:10, 2] = -1, -2, -4
    kept, dropped = drop_sparse(respondents(codes), MissingRule())
    assert kept.columns() == ["s:0"] and dropped == {"s:1": 0.2, "s:2": 0.5}
    kept, dropped = drop_sparse(respondents(codes), MissingRule(not_asked="ignored"))
    assert kept.columns() == ["s:0", "s:2"] and dropped == {"s:1": 0.2}


def test_by_country_a_variable_goes_only_where_it_is_sparse() -> None:
    codes = np.ones((20, 1), dtype=np.int16)
    codes[:5, 0] = -4
    kept, dropped = drop_sparse(respondents(codes, ["NOR"] * 10 + ["USA"] * 10), MissingRule(by="country"))
    assert dropped == {"s:0 (NOR)": 0.5}
    assert kept.frame["s:0"].tolist() == [-4] * 5 + [DROPPED] * 5 + [1] * 10


def brute_force(codes: np.ndarray, agreement: float, shared: int) -> list[bool]:
    repeated = [False] * len(codes)
    for later in range(len(codes)):
        for earlier in range(later):
            both = (codes[later] >= 0) & (codes[earlier] >= 0)
            same = int((codes[later] == codes[earlier])[both].sum())
            if not repeated[earlier] and both.sum() >= shared and same >= agreement * both.sum() - 1e-9:
                repeated[later] = True
    return repeated


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([50, 64, 130, 300]))
def test_near_duplicates_are_exactly_those_of_counting_every_pair(seed: int, items: int) -> None:
    random = np.random.default_rng(seed)
    codes = random.integers(1, 4, (30, items)).astype(np.int16)
    for copy in range(20, 30):
        codes[copy] = codes[random.integers(0, 20)]
        changed = random.choice(items, random.integers(0, items // 12), replace=False)
        codes[copy, changed] = random.integers(1, 4, len(changed))
    codes[random.random(codes.shape) < random.choice([0.0, 0.1, 0.3])] = -1
    found = near_duplicates(respondents(codes))
    repeated = brute_force(codes, 0.95, 50)
    assert [each.row for each in found] == [row for row, repeats in enumerate(repeated) if repeats]
    assert all(each.earlier < each.row and each.agreement >= 0.95 - 1e-9 for each in found)


def test_two_people_with_the_same_few_answers_are_two_people() -> None:
    same = np.ones((2, 60), dtype=np.int16)
    assert near_duplicates(respondents(same)) == [Repeat(1, 0, 1.0)]
    assert not near_duplicates(respondents(same[:, :49])), "fewer than 50 shared answers"
    assert not near_duplicates(respondents(same, ["NOR", "USA"])), "of two countries"
    assert not near_duplicates(respondents(same, domain="demographics")), "demographics say little"
    people = respondents(same)
    for ages, count in {(30, 31): 0, (30, 30): 1, (30, -1): 1}.items():
        traits = {**people.traits, "age": catalogue().traits["age"]}
        aged = replace(people, frame=people.frame.assign(age=np.array(ages, dtype=np.int16)), traits=traits)
        assert len(near_duplicates(aged)) == count, "people of two ages are two people"


WVS = load_survey("wvs7")
TRAITS = [trait for trait in catalogue().traits.values() if trait.labels and trait.name != "birth_country"]


@given(
    st.sampled_from(TRAITS),
    st.lists(st.one_of(st.none(), st.integers(-12, 120), st.sampled_from(["d", "x", "1.0", " ", "?"])), max_size=30),
    st.dictionaries(st.integers(-5, 99).map(str), st.integers(-5, 9), max_size=8),
)
def test_recoding_never_leaves_the_scale_and_every_answer_goes_back_to_its_value(
    trait: Trait, values: list[object], recode: dict[str, int]
) -> None:
    recode = {value: code for value, code in recode.items() if code < 0 or trait.holds(code)}

    def translate(key: str) -> int | None:
        if key in recode:
            return recode[key]
        why = reason(WVS.missing, key, "")
        if why is not None:
            return why
        return int(key) if key.isdecimal() and trait.holds(int(key)) else None

    found = harmonise(pd.Series(values, dtype=object), translate, text, -2)
    for value, code in zip(values, found.codes.tolist(), strict=True):
        assert -6 <= code < 0 or trait.holds(code)
        if code >= 0:
            key = text(value)
            assert recode.get(key, None if key in recode else int(key)) == code
    assert sum(found.strays.values()) <= (found.codes == OTHER).sum()


def test_brackets_become_weighted_deciles() -> None:
    codes = np.array([1, 2, 3, 4, -1], dtype=np.int16)
    assert deciles(codes, np.ones(5)).tolist() == [2, 4, 7, 9, -1]
    assert deciles(codes, np.array([7.0, 1, 1, 1, 5])).tolist() == [4, 8, 9, 10, -1]


@pytest.mark.parametrize(
    ("value", "label", "expected"),
    [
        ("d", "DONâ€™T KNOW", -1),
        ("i", "IAP, DK, NA, uncodeable", -4),
        ("a", "NA", -2),
        ("n", "NOT SURE", -1),
        ("27", "refused", -2),
        ("s", "", -4),
        ("4", "moderate", None),
        ("q", "", -5),
    ],
)
def test_gss_reasons_come_from_labels_before_letters(value: str, label: str, expected: int | None) -> None:
    assert reason(load_survey("gss").missing, value, label) == expected


def test_ranges_of_variables() -> None:
    assert matches("q33", "Q1..Q45") and not matches("Q33_3", "Q1..Q45") and not matches("Q46", "Q1..Q45")
    assert matches("confinan", "con*") and not matches("icon", "con*")


def test_cleaning_keeps_what_sampling_needs() -> None:
    people = respondents(np.full((10, 1), -1, dtype=np.int16))
    renamed = people.frame.rename(columns={"s:0": "age"})
    kept, dropped = drop_sparse(
        replace(people, frame=renamed, traits={"age": catalogue().traits["age"]}), MissingRule()
    )
    assert kept.columns() == ["age"] and not dropped

"""What a model reads: byte for byte, and never anything that was not answered."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.countries import country_name
from personas.errors import InputError
from personas.prompt.cue_texts import CUES
from personas.prompt.messages import compose
from personas.prompt.render import Variant, permuted, render
from personas.prompt.trait_sets import cluster
from personas.prompt.written_forms import Format, Frame
from personas.surveys.survey import load_survey
from personas.traits import Persona, Trait, catalogue

GSS = {name: trait for name, (trait, _) in load_survey("gss").defined().items()}
TRAITS: Mapping[str, Trait] = {**catalogue().traits, **GSS}
ALL = list(TRAITS)
FORMATS = [name for name in get_args(Format) if name != "none" and name not in CUES]
FRAMES = get_args(Frame)
ANSWERS = {
    "age": 32,
    "gender": 2,
    "birth_country": 356,
    "imp_family": 1,
    "imp_leisure": 2,
    "men_better_leaders": 3,
    "jobs_men_priority": 4,
    "parents_proud": 2,
    "gss:polviews": 4,
    "gss:cappun": 2,
    "child_manners": 1,
    "child_hard_work": 1,
    "child_thrift": 2,
    "neigh_heavy_drinkers": 1,
}
INDIAN = Persona("mtpa::1", "mtpa", "", "IND", 1.0, ANSWERS)
QUESTION = """What's one thing that only human beings can do?
A. No other animals can master human languages
B. Only human beings can use tools
C. Only human beings can learn language
D. Only human beings can play
Respond with a single letter (A, B, C, ...) only."""


def test_prose_paper_is_figure_2_byte_for_byte() -> None:
    figure = (Path(__file__).parent / "golden" / "figure2.txt").read_text()
    variant = Variant("prose-paper")
    messages = compose(render(INDIAN, TRAITS, ALL, variant), QUESTION, "", variant)
    assert messages == [{"role": "user", "content": figure.removesuffix("\n")}]


def young(**answers: int) -> Persona:
    return replace(
        INDIAN, answers={"age": 18, "gender": 1, "imp_friends": 1, "neigh_aids": 1, **answers}, country="GBR"
    )


@pytest.mark.parametrize(
    ("format", "frame", "expected"),
    [
        (
            "prose",
            "role",
            "You are answering as an 18-year-old man, interviewed in Great Britain. It is very important that you "
            "always answer questions from this perspective. Your personality is the set of attributes below.\n"
            "Values: friends are very important to you. Neighbors: you would be uncomfortable with people who have "
            "AIDS as neighbors.",
        ),
        (
            "oneliner",
            "user",
            "The user is an 18-year-old man, interviewed in Great Britain. Friends are very important to them; they "
            "would be uncomfortable with people who have AIDS as neighbors.",
        ),
        (
            "bullets",
            "third-person",
            "How would the person described below answer? It is very important that the answer is always given from "
            "this perspective. Their personality is the set of attributes below.\n- an 18-year-old man\n- interviewed "
            "in Great Britain\n- Values: friends are very important to them\n- Neighbors: they would be "
            "uncomfortable with people who have AIDS as neighbors",
        ),
        (
            "json",
            "user",
            "The user is the person described below. Their personality is the set of attributes below.\n"
            '{"Person": ["an 18-year-old man", "interviewed in Great Britain"], "Values": ["friends are very '
            'important to them"], "Neighbors": ["they would be uncomfortable with people who have AIDS as neighbors"]}',
        ),
    ],
)
def test_formats_and_frames(format: Format, frame: Frame, expected: str) -> None:
    assert render(young(), TRAITS, ALL, Variant(format, frame)) == expected


def test_who_is_described_when_little_is_known() -> None:
    def opening(country: str = "NIR", **answers: int) -> str:
        persona = Persona("x", "x", "x", country, 1.0, answers)
        return render(persona, TRAITS, ALL, Variant("oneliner"))

    assert opening() == "You are answering as a person, interviewed in Northern Ireland."
    assert opening("USA", age=80, gender=2) == (
        "You are answering as an 80-year-old woman, interviewed in the United States."
    )
    assert opening("", age=11, birth_country=29) == "You are answering as an 11-year-old person, born in the Caribbean."
    names = {"HKG": "Hong Kong", "MAC": "Macau", "PRI": "Puerto Rico", "TWN": "Taiwan", "KOR": "South Korea"}
    assert {code: country_name(code) for code in names} == names


@given(
    st.dictionaries(st.sampled_from([name for name in ALL if name != "country"]), st.integers(0, 3), max_size=12),
    st.sampled_from(FORMATS),
    st.sampled_from(FRAMES),
    st.integers(0, 5),
)
def test_a_missing_answer_changes_nothing_and_no_place_stays_open(
    answers: dict[str, int], format: Format, frame: Frame, order: int
) -> None:
    answers = {name: code for name, code in answers.items() if TRAITS[name].holds(code)}
    persona = replace(INDIAN, answers=answers)
    variant = Variant(format, frame, "prompt", order)
    text = render(persona, TRAITS, ALL, variant)
    kept = [name for name in ALL if name in answers or name == "country"]
    assert text == render(persona, TRAITS, kept, variant)
    assert format == "json" or not {"{", "}"} & set(text)
    for word in ("nan", "None", "missing", "not asked", "no answer"):
        assert word not in text
    if frame == "role" and format != "neutral":
        assert not {"they", "their", "them"} & set(text.lower().replace(";", " ").split())


def test_the_neutral_control_has_as_many_words_and_says_nothing_of_anybody() -> None:
    for persona in (INDIAN, young(), young(imp_work=2, education=4)):
        prose = render(persona, TRAITS, ALL, Variant("prose"))
        neutral = render(persona, TRAITS, ALL, Variant("neutral"))
        assert len(neutral.split()) == len(prose.split())
        assert not {"you", "your", "they", "user", "man", "woman"} & set(neutral.lower().split())


def test_labels_from_outside_are_put_in_literally() -> None:
    outside = Trait(
        "s:x", "{they}", "trust", "extended", "Opinions", {1: "{code} {0} {their}"}, '{they} said "{label}"'
    )
    text = render(replace(INDIAN, answers={"s:x": 1}), {"s:x": outside}, ["s:x"], Variant("oneliner"))
    assert text == 'You are answering as a person. You said "{code} {0} {their}".'


def test_messages_of_baseline_and_persona_differ_in_the_persona_alone() -> None:
    assert compose(None, "Q?", "", Variant("prose-paper")) == [{"role": "user", "content": "Q?"}]
    assert compose(None, "Q?", "S.", Variant()) == [
        {"role": "system", "content": "S."},
        {"role": "user", "content": "Q?"},
    ]
    assert compose("P.", "Q?", "S.", Variant()) == [
        {"role": "system", "content": "S."},
        {"role": "user", "content": "P.\nQ?"},
    ]
    in_system = Variant("prose-paper", "role", "system")
    assert compose("[PERSONA] P.", "Q?", "S.", in_system) == [
        {"role": "system", "content": "S.\n[PERSONA] P."},
        {"role": "user", "content": "[PROMPT] Q?"},
    ]
    with pytest.raises(InputError, match="set \\[variants\\] system"):
        compose("P.", "Q?", "", in_system)


def test_trait_orders_are_permutations_that_do_not_depend_on_the_persona() -> None:
    assert permuted(ALL, 0) == ALL
    assert sorted(permuted(ALL, 1)) == sorted(ALL) != permuted(ALL, 1) != permuted(ALL, 2)
    one, two = (render(INDIAN, TRAITS, ALL, Variant("prose", "role", "prompt", order)) for order in (1, 2))
    assert one != two and sorted(one.replace(".", ";")) == sorted(two.replace(".", ";"))
    assert cluster(INDIAN, ALL) == cluster(INDIAN, permuted(ALL, 1)) != cluster(young(), ALL)

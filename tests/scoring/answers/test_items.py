"""Items: what a record may be, the order of its options, and its text."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.answers.items import INSTRUCTION, Item, continuations, option_order, question_text, rotations

ITEM = Item("bbq/Age/2", "bbq", "1", "Who?", ("one", "two", "three"), "g", context="Somebody called.")


@given(st.text(max_size=20), st.integers(2, 26))
def test_n_rotations_show_every_option_once_in_every_place(name: str, options: int) -> None:
    item = replace(ITEM, id=name, choices=tuple(map(str, range(options))))
    orders = [option_order(item, rotation) for rotation in range(options)]
    assert all(sorted(order) == list(range(options)) for order in orders)
    assert all(len(set(place)) == options for place in zip(*orders, strict=True))
    assert option_order(item, options) == orders[0] and rotations(item, 99) == options


def test_the_base_order_sorts_by_the_hash_of_id_and_number() -> None:
    digests = {number: hashlib.sha256(b"bbq/Age/2\x1f" + str(number).encode()).digest() for number in range(3)}
    assert option_order(ITEM) == tuple(sorted(digests, key=digests.__getitem__)) == (2, 0, 1)
    assert option_order(ITEM, 1) == (0, 1, 2)


@pytest.mark.parametrize("change", [{"shuffle": False}, {"ask": "loglik"}, {"ask": "text"}])
def test_scales_and_items_without_letters_have_one_order(change: dict[str, object]) -> None:
    item = replace(ITEM, **change)  # type: ignore[arg-type]
    assert option_order(item, 5) == (0, 1, 2) and rotations(item, 3) == 1


def test_a_question_is_its_context_its_text_its_lettered_options_and_the_instruction() -> None:
    lettered = f"Somebody called.\nWho?\nA. three\nB. one\nC. two\n{INSTRUCTION}"
    assert question_text(ITEM, option_order(ITEM)) == lettered
    assert (
        question_text(replace(ITEM, listed=True, shuffle=False), (0, 1, 2)) == f"Somebody called.\nWho?\n{INSTRUCTION}"
    )
    loglik = replace(ITEM, ask="loglik", delimiter="\n")
    assert question_text(loglik, (0, 1, 2)) == "Somebody called.\nWho?" and continuations(loglik)[0] == "\none"


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        ({"choices": ("one",)}, "has 1 options; expected 2 to 26"),
        ({"choices": tuple("x" * 27)}, "has 27 options"),
        ({"choices": ("one",), "ask": "loglik"}, "has 1 options; expected 2 or more"),
        ({"weights": (1.0,)}, "has 3 options, but 1 weights"),
        ({"roles": ("biassed", None, None)}, "has the unknown role 'biassed'"),
        ({"weights": (1.0, -1.0, 0.0)}, "negative or not a number"),
        ({"weights": (1.0, float("nan"), 0.0)}, "negative or not a number"),
        ({"listed": True}, "cannot be shuffled"),
    ],
)
def test_a_record_that_cannot_be_right_is_refused(change: dict[str, object], clause: str) -> None:
    with pytest.raises(ValueError, match=clause):
        replace(ITEM, **change)  # type: ignore[arg-type]

"""Answers in other forms than a letter: what is sent byte for byte, and that every reader is strict."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replies import REPLIES

from scoring.answers.elicited import read_elicited, read_json, read_last_line, read_stated
from scoring.answers.items import LETTERS, Elicitation, Item, elicitation_of, item_record, question_text
from scoring.answers.metrics import score_item
from scoring.answers.responses import Response, option_probabilities

CITIES = ("London", "Paris", "Rome")
ITEM = Item("t/1", "t", "1", "Which is the capital of France?", CITIES, "g", context="A quiz.", weights=(0.0, 1.0, 0.0))
ORDER = (2, 0, 1)  # Rome, London, Paris

ASKED: dict[Elicitation, str] = {
    "letter": (
        "A quiz.\nWhich is the capital of France?\nA. Rome\nB. London\nC. Paris\n"
        "Respond with a single letter (A, B, C, ...) only."
    ),
    "text": (
        "A quiz.\nWhich is the capital of France?\n- Rome\n- London\n- Paris\n"
        "Respond with the text of one of these options only, word for word."
    ),
    "json": (
        "A quiz.\nWhich is the capital of France?\nA. Rome\nB. London\nC. Paris\n"
        'Respond with a JSON object only, of the form {"answer": "X"}, where X is the letter (A, B, C, ...) of one '
        "option."
    ),
    "probability": (
        "A quiz.\nWhich is the capital of France?\nA. Rome\nB. London\nC. Paris\n"
        "How likely is each option to be your answer? Respond with one line for each option and nothing else, of the "
        'form "X: N %", where X is the letter (A, B, C, ...) of the option and N its probability. The percentages sum '
        "to 100."
    ),
    "reasoning": (
        "A quiz.\nWhich is the capital of France?\nA. Rome\nB. London\nC. Paris\n"
        "Reason step by step first. Then write the letter (A, B, C, ...) of your answer alone on the last line."
    ),
}


def asked_as(elicitation: Elicitation) -> Item:
    return replace(ITEM, elicitation=elicitation)


@pytest.mark.parametrize("elicitation", list(ASKED))
def test_a_question_asks_for_its_answer_byte_for_byte(elicitation: Elicitation) -> None:
    text = question_text(asked_as(elicitation), ORDER)
    assert text == ASKED[elicitation] and elicitation_of(text) == elicitation


def test_an_item_that_is_asked_for_a_letter_is_kept_as_before() -> None:
    assert set(item_record(ITEM)).isdisjoint({"elicitation", "room"})
    other = replace(ITEM, elicitation="reasoning", room=100)
    assert Item(**{**item_record(other), "choices": CITIES, "weights": ITEM.weights}) == other
    with pytest.raises(ValueError, match="cannot be asked for its answer as 'json'"):
        replace(ITEM, ask="loglik", elicitation="json")


@pytest.mark.parametrize("elicitation", ["text", "json", "reasoning"])
def test_no_reader_takes_another_option_than_a_careful_reader(elicitation: Elicitation) -> None:
    replies = [(options, text, letter) for options, told in REPLIES for text, letter in told]
    wrong = []
    for options, text, letter in replies:
        careful = LETTERS.find(letter) if letter else None
        place = read_elicited(elicitation, text, options)
        wrong += [(text, place, careful)] if place not in (None, careful) else []
    assert not wrong and len(replies) > 300


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Paris", 2), ("paris.", 2), ("  “Paris”\n", 2), ("- Paris", 2), ("**Paris**", 2),
        ("<think>Rome?</think>Paris", 2),
        ("C", None), ("C. Paris", None), ("Paris, of course", None), ("Not Paris", None), ("Rome or Paris", None),
        ("", None), ("Par", None),
    ],
)  # fmt: skip
def test_an_options_text_is_read_word_for_word(text: str, place: int | None) -> None:
    assert read_elicited("text", text, ("Rome", "London", "Paris")) == place


def test_options_that_read_the_same_are_not_told_apart() -> None:
    assert read_elicited("text", "Yes.", ("yes", "YES", "no")) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"answer": "B"}', 1), (' {"answer":"B"}\n', 1), ('```json\n{"answer": "B"}\n```', 1),
        ('{"answer": "b"}', None), ('{"answer": "E"}', None), ('{"answer": "AB"}', None), ('{"answer": ""}', None),
        ('{"answer": 1}', None), ('{"answer": ["B"]}', None), ('{"Answer": "B"}', None), ('["B"]', None), ("B", None),
        ('{"answer": "A", "answer": "B"}', None), ('{"answer": "B", "why": "x"}', None),
        ('Sure! {"answer": "B"}', None), ('{"answer": "B"} It is Paris.', None), ('{"answer": "B"', None),
        ("[" * 5000, None), ('{"answer": ' + "9" * 5000 + "}", None),
    ],
)  # fmt: skip
def test_only_the_object_that_was_asked_for_is_json(text: str, place: int | None) -> None:
    assert read_json(text, CITIES) == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("France has one capital.\n\nB", 1), ("So it must be this.\n**B**", 1), ("…\nAnswer: (B)", 1),
        ("…\nFinal answer: B.", 1), ("A) is far away.\nC) too.\nB", 1),
        ("…\nThe answer is B", 1), ("…\n$\\boxed{B}$", 1), ("B", 1),
        ("…\nB. Paris", None), ("…\nb", None), ("…\nE", None), ("…\nA or B", None), ("…\nnot B", None),
        ("B\nBecause.", None), ("A. London\nB. Paris\nC.", None), ("Kind regards,\nC", None),
        ("A\nB\nC", None), ("", None), ("I pick B.", None),
    ],
)  # fmt: skip
def test_after_reasoning_the_last_line_decides_alone(text: str, place: int | None) -> None:
    assert read_last_line(text, CITIES) == place


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("A: 70 %\nB: 20 %\nC: 10 %", (0.7, 0.2, 0.1)), ("C: 10%, A: 70%, B: 20%", (0.7, 0.2, 0.1)),
        ("- **A: 50 %**\n- **B: 50 %**\n- **C: 0 %**", (0.5, 0.5, 0.0)), ("A: 33\nB: 33\nC: 33", (1 / 3, 1 / 3, 1 / 3)),
        ("A = 12,5 %\nB = 75 %\nC = 12,5 %", (0.125, 0.75, 0.125)),
        ("A: 70 %\nB: 20 %", None), ("A: 70 %\nB: 20 %\nC: 10 %\nA: 70 %", None),
        ("A: 70 %\nB: 20 %\nC: 10 %\nD: 0 %", None),
        ("A: 0.7\nB: 0.2\nC: 0.1", None), ("A: 70 %\nB: 20 %\nC: 20 %", None), ("A: -70 %\nB: 20 %\nC: 10 %", None),
        ("Here you are:\nA: 70 %\nB: 20 %\nC: 10 %", None), ("A: 70-80 %\nB: 20 %\nC: 10 %", None), ("A", None),
    ],
)  # fmt: skip
def test_probabilities_are_stated_once_for_every_option(text: str, shares: tuple[float, ...] | None) -> None:
    assert read_stated(text, 3) == (None if shares is None else pytest.approx(shares))


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=26).filter(lambda parts: sum(parts) > 0))
def test_whole_percents_of_any_distribution_are_read(parts: list[int]) -> None:
    """Rounding each to a whole percent is never taken for a mistake, and nothing else is made of it."""
    whole = [round(100 * part / sum(parts)) for part in parts]
    found = read_stated("\n".join(f"{LETTERS[place]}: {each} %" for place, each in enumerate(whole)), len(parts))
    assert found == pytest.approx([each / sum(whole) for each in whole])


@given(st.text(max_size=200), st.sampled_from(["text", "json", "probability", "reasoning"]))
def test_no_text_breaks_a_reader(text: str, elicitation: Elicitation) -> None:
    outcome = score_item(replace(asked_as(elicitation), scoring={"kind": "accuracy"}), ORDER, Response(text=text))
    assert outcome.status in ("ok", "unparsed", "refused")


def test_answers_are_scored_in_the_items_own_order() -> None:
    for elicitation, text in (("text", "Paris"), ("json", '{"answer": "C"}'), ("reasoning", "So:\nC")):
        item = replace(asked_as(elicitation), scoring={"kind": "accuracy"})  # type: ignore[arg-type]
        outcome = score_item(item, ORDER, Response(text=text))
        assert (outcome.status, outcome.chosen_by_text, outcome.value) == ("ok", 1, 1.0)


def test_stated_probabilities_are_a_distribution_and_a_tie_chooses_nothing() -> None:
    item = replace(asked_as("probability"), scoring={"kind": "accuracy"})
    response = Response(text="A: 10 %\nB: 20 %\nC: 70 %")
    assert option_probabilities(item, ORDER, response) == pytest.approx((0.2, 0.7, 0.1))
    outcome = score_item(item, ORDER, response)
    assert outcome.chosen == 1 and outcome.value == pytest.approx(0.7)
    tie = score_item(item, ORDER, Response(text="A: 10 %\nB: 45 %\nC: 45 %"))
    assert (tie.status, tie.chosen) == ("ok", None) and tie.value == pytest.approx(0.45)
    shares = replace(item, weights=(0.2, 0.7, 0.1), scoring={"kind": "distribution"})
    assert score_item(shares, ORDER, response).value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("elicitation", "text", "status"),
    [
        ("text", "Paris", "unparsed"), ("reasoning", "So:\nC", "unparsed"), ("json", '{"answer": "C"}', "ok"),
        ("probability", "A: 10 %\nB: 20 %\nC: 70 %", "unparsed"),
    ],
)  # fmt: skip
def test_what_was_cut_off_is_no_answer(elicitation: Elicitation, text: str, status: str) -> None:
    item = replace(asked_as(elicitation), scoring={"kind": "accuracy"})
    assert score_item(item, ORDER, Response(text=text, finish="length")).status == status
    assert score_item(item, ORDER, Response(text="I'm sorry, I can't help with that.")).status == "refused"


def test_a_record_survives_json() -> None:
    record = json.loads(json.dumps(item_record(asked_as("json"))))
    assert record["elicitation"] == "json" and Item(**record).elicitation == "json"

"""Questions that letter their own options, in the ways in which people do."""

import pytest

from scoring.benchmarks.files.listed_options import listed_order

COLOURS = ["red", "blue", "green"]


@pytest.mark.parametrize(
    ("question", "choices", "order"),
    [
        ("Which?\nA. red\nB. blue\nC. green", ["A", "B", "C"], (0, 1, 2)),
        ("Which?\n(A) red\n(B) blue", ["(A)", "(B)"], (0, 1)),
        ("Which?\n (A) red\n (B) blue", [" (B)", " (A)"], (1, 0)),
        ("Which?\na) red\nb) blue", ["b.", "a."], (1, 0)),
        ("Which?\nA) red\nB) blue", [" Option B", " Option A"], (1, 0)),
        ("哪个?\nＡ．red\nＢ．blue", ["Ａ", "Ｂ"], (0, 1)),
        ("Is sentence A or sentence B longer?", ["B", "A"], (1, 0)),
        # texts that the question letters
        ("Which?\nA. red\nB. blue\nC. green", COLOURS, (0, 1, 2)),
        ("Which?\n**C**: red\n**A**: blue\n**B**: green", COLOURS, (1, 2, 0)),
        ("Which? a) red b) blue c) green", COLOURS, (0, 1, 2)),
        ("Which?\nA red\nB blue", ["red", "blue"], (0, 1)),
        ("Which?\nA. 5\nB. -5\nC. 55", ["5", "-5", "55"], (0, 1, 2)),
        # nothing is lettered
        ("Which?", COLOURS, None),
        ("Which?\n1. red\n2. blue\n3. green", COLOURS, None),
        ("Q: A red house?\nA: red\nQ: B blue house?\nA: blue", ["red", "blue"], None),
        ("Is it so?", ["Y", "N"], None),
        ("He saw ___ dog.", ["a", "an", "the"], None),
        ("How many?", ["1", "2", "3"], None),
        ("", ["She runs.", "She run."], None),
    ],
)
def test_the_order_that_the_question_gives(question: str, choices: list[str], order: tuple[int, ...] | None) -> None:
    assert listed_order(question, choices) == order


@pytest.mark.parametrize(
    ("question", "choices", "clause"),
    [
        ("Which is right?", ["A", "B"], "no option 'A' in its question"),
        ("Which?\nA. red\nB. blue", ["A", "B", "C"], "no option 'C' in its question"),
        ("Which?\n1. red\n2. blue", ["1", "2"], "labels of its own, '1', '2', not the letters"),
        ("Which?\n(i) red\n(ii) blue", ["(i)", "(ii)"], "labels of its own"),
        ("أي؟\nأ. أحمر\nب. أزرق", ["أ", "ب"], "labels of its own"),
        ("Which?\nB. red\nC. blue", ["B", "C"], "labels of its own"),
        ("Which blood type?", ["A", "B", "AB", "O"], "would be taken for letters"),
        ("Which?\nA. red\nB. blue", COLOURS, r"letters of its own \(A, B\) for 2 of its 3 options"),
        ("Which?\nB. red\nC. blue\nD. green", COLOURS, r"letters of its own \(B, C, D\) for 3 of its 3"),
    ],
)
def test_letters_that_ours_would_contradict(question: str, choices: list[str], clause: str) -> None:
    with pytest.raises(ValueError, match=f"{clause}.*part = .loglik."):
        listed_order(question, choices)

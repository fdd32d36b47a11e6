"""Agreement of two raters, by hand (Cohen 1960) and from files."""

import math
from pathlib import Path

import pytest

from personas.errors import InputError
from scoring.tables.agreement import agreement, read_labels


def test_kappa_by_hand() -> None:
    # 50 answers: both yes 20, both no 15, first alone yes 5, second alone yes 10: p_o = .7, p_e = .5.
    pairs = [("yes", "yes")] * 20 + [("no", "no")] * 15 + [("yes", "no")] * 5 + [("no", "yes")] * 10
    first, second = ({str(k): pair[side] for k, pair in enumerate(pairs)} for side in (0, 1))
    found = agreement(first, second | {"unshared": "yes"})
    assert found == pytest.approx(
        {"n": 50, "agreement": 0.7, "kappa": 0.4, "standard_error": math.sqrt(0.7 * 0.3 / 50) / 0.5}
    )


def test_one_verdict_alone_has_no_kappa() -> None:
    assert math.isnan(agreement({"a": "yes"}, {"a": "yes"})["kappa"])
    with pytest.raises(InputError, match="share no id"):
        agreement({"a": "yes"}, {"b": "yes"})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id,verdict\n1,a\n", "no column label"),
        ("id,label\n1,\n", "no label for '1'"),
        ("id,label\n1,a\n1,b\n", "second, different"),
    ],
)
def test_labels_that_cannot_be_right_are_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(InputError, match=sentence):
        read_labels(tmp_path / "labels.csv")

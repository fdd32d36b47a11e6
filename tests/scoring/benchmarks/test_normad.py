"""NormAd: the four-column copy, the full columns, and personas at home and abroad."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from many_items import aggregate

from personas.errors import InputError
from scoring.answers.items import question_text
from scoring.answers.responses import Outcome, Response
from scoring.benchmarks.normad import NormAd

FULL = "ID,Country,Other Country,Value,Rule-of-Thumb,Story,Gold Label\n"


def test_the_four_column_copy_runs_the_rule_of_thumb(asset: Callable[[str], Path]) -> None:
    items = list(NormAd().load(asset("normad")))
    assert len(items) == 2633 and {item.part for item in items} == {"rot"}
    assert Counter(item.meta["gold"] for item in items) == {"yes": 943, "no": 875, "neutral": 815}
    assert len({item.meta["story_country"] for item in items}) == 75
    first = items[0]
    assert first.id == "normad/v1/rot/0" and first.meta["story_country"] == "EGY" and first.weights == (1.0, 0.0, 0.0)
    assert question_text(first, (0, 1, 2)).startswith("Rule-of-thumb: It is respectful to greet everyone present")
    with pytest.raises(InputError, match="no column 'Value'"):
        list(NormAd().load(asset("normad"), "value"))


def test_a_file_with_all_columns_runs_all_settings(tmp_path: Path) -> None:
    row = "1,egypt,north_macedonia,greet people,Always greet.,Sam left. Is that fine?,no\n"
    (tmp_path / "normad_etiquette_final_data.csv").write_text(FULL + row)
    items = list(NormAd().load(tmp_path))
    assert [item.context for item in items] == [
        "Country: North Macedonia",
        "Value: greet people",
        "Rule-of-thumb: Always greet.",
    ]
    outcome = NormAd().score(items[0], (0, 1, 2), Response(text="I know it: no."), None)
    assert outcome == Outcome("ok", 1, None, 1.0)


def test_personas_at_home_and_abroad_are_told_apart() -> None:
    rows = [("EGY", "EGY", 1.0), ("EGY", "EGY", 0.0), ("NOR", "EGY", 1.0), ("NOR", "EGY", None)]
    frame = pd.DataFrame(rows, columns=["country", "story_country", "value"]).assign(gold="yes")
    scores = aggregate(NormAd(), frame)
    assert (scores["accuracy_matched"], scores["accuracy_mismatched"]) == (0.5, 1.0)
    assert "accuracy_matched" not in aggregate(NormAd(), frame.drop(columns="country"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("Country,Story\negypt,x\n", "line 2: no column Gold Label"),
        (FULL + "1,egypt,x,v,r,s,maybe\n", "line 2: .* has the gold label 'maybe'"),
        (FULL + "1,atlantis,x,v,r,s,yes\n", "line 2: .* names an unknown country 'atlantis'"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "normad_eti_v1_4cols.csv").write_text(content)
    with pytest.raises(InputError, match=sentence):
        list(NormAd().load(tmp_path))

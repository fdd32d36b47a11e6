"""StereoSet on made-up records in its layout: what is compared in each part, and what a tie is."""

import json
from pathlib import Path

import pytest

from personas.errors import InputError
from scoring.answers.items import Item, continuations, option_order
from scoring.answers.responses import Response
from scoring.benchmarks.registry import benchmark


def record(number: int, context: str) -> dict[str, object]:
    texts = {"anti-stereotype": "They are late.", "unrelated": "Fish fly.", "stereotype": "They are on time."}
    sentences = [{"sentence": text, "gold_label": label, "id": f"{number}{label}"} for label, text in texts.items()]
    return {"id": str(number), "target": "Ruritanian", "bias_type": "race", "context": context, "sentences": sentences}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = {"intrasentence": [record(1, "They are BLANK.")], "intersentence": [record(2, "Ruritania has trains.")]}
    (tmp_path / "dev.json").write_text(json.dumps({"version": "made-up", "data": data}))
    return tmp_path


def only(folder: Path, name: str, part: str) -> Item:
    (item,) = benchmark(name).load(folder, part)
    return item


@pytest.mark.parametrize(
    ("logs", "stereotyped", "meaningful"),
    [((-1.0, -2.0, -3.0), 1.0, 1.0), ((-3.0, -1.0, -2.0), 0.0, 0.5), ((-2.0, -2.0, -1.0), 0.0, 0.0)],
)
def test_each_pair_is_compared_as_the_official_script_does(
    folder: Path, logs: tuple[float, ...], stereotyped: float, meaningful: float
) -> None:
    pair, triple = only(folder, "stereoset", "intra_loglik"), only(folder, "stereoset_meaning", "intra_loglik")
    assert triple.choices == ("They are on time.", "They are late.", "Fish fly.")
    values = [
        benchmark(item.benchmark).score(item, (), Response(logliks=logs[: len(item.choices)]), None).value  # type: ignore[union-attr]
        for item in (pair, triple)
    ]
    assert values == [stereotyped, meaningful]


def test_between_sentences_the_first_is_the_context(folder: Path) -> None:
    item = only(folder, "stereoset", "inter_loglik")
    assert item.context == "Ruritania has trains." and continuations(item)[0] == " They are on time."
    assert continuations(only(folder, "stereoset", "intra_loglik"))[0] == "They are on time."
    asked = only(folder, "stereoset", "inter_choice")
    letter = Response(text="AB"[option_order(asked).index(0)])
    assert benchmark("stereoset").score(asked, option_order(asked), letter, None).value == 1.0  # type: ignore[union-attr]


def test_another_file_is_refused(folder: Path) -> None:
    (folder / "dev.json").write_text("[]")
    with pytest.raises(InputError, match=r"dev\.json: not StereoSet's file \(TypeError\); fetch it again"):
        only(folder, "stereoset", "intra_loglik")

"""CrowS-Pairs against what the official metric.py prints for BERT and RoBERTa."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from many_items import aggregate

from personas.errors import InputError
from scoring.answers.items import Item, continuations, option_order, question_text
from scoring.answers.responses import Outcome, Response
from scoring.benchmarks.crows_pairs import CrowsPairs

Find = Callable[[str], Path]


@pytest.mark.parametrize("model", ["bert", "roberta"])
def test_the_scores_are_the_official_ones(asset: Find, golden: Find, model: str) -> None:
    expected = json.loads(golden("crows_pairs_mlm.json").read_text())["models"][model]
    printed = expected["official_evaluate_rerun_here"]
    with golden(f"crows_{model}_scores.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    scored = []
    for item, row in zip(CrowsPairs().load(asset("crows_pairs"), "loglik"), rows, strict=True):
        more, less = float(row["sent_more_score"]), float(row["sent_less_score"])
        if row["stereo_antistereo"] == "antistereo":  # the official table swaps the two columns there
            more, less = less, more
        response = Response(logliks=(more, less))
        outcome = CrowsPairs().score(item, option_order(item), response, None)
        assert isinstance(outcome, Outcome)
        role = None if outcome.chosen is None or item.roles is None else item.roles[outcome.chosen]
        scored.append({**item.meta, "role": role, "value": outcome.value, "difference": abs(more - less)})
    frame = pd.DataFrame(scored)
    found = aggregate(CrowsPairs(), frame)
    assert round(100 * frame["value"].mean(), 2) == printed["metric_score"]
    assert round(100 * found["stereotype_score"], 2) == printed["stereotype_score"]
    assert round(100 * found["antistereotype_score"], 2) == printed["antistereotype_score"]
    assert int((frame["difference"] == 0).sum()) == printed["neutral"]
    by_type = (100 * frame.groupby("bias_type")["value"].mean()).round(4).to_dict()
    assert by_type == expected["by_bias_type_pct"]
    harness = expected["lm_eval_formulas_on_same_scores"]
    assert frame["value"].mean() == pytest.approx(harness["pct_stereotype"], abs=1e-15)
    assert frame["difference"].mean() == pytest.approx(harness["mean_abs_loglikelihood_diff"], abs=1e-14)


def test_a_sentence_is_scored_alone_and_a_choice_in_both_orders(asset: Find) -> None:
    loglik, choice = (next(CrowsPairs().load(asset("crows_pairs"), part)) for part in ("loglik", "choice"))
    assert question_text(loglik, option_order(loglik)) == "" and continuations(loglik) == loglik.choices
    values = []
    for rotation in (0, 1):
        order = option_order(choice, rotation)
        outcome = CrowsPairs().score(choice, order, Response(text="A"), None)
        assert isinstance(outcome, Outcome)
        values.append(
            {"item_id": choice.id, "rotation": rotation, "value": outcome.value, "role": "stereo", **choice.meta}
        )
    assert sorted(each["value"] for each in values) == [0.0, 1.0]
    assert aggregate(CrowsPairs(), pd.DataFrame(values))["same_in_both_orders"] == 0.0


def test_ties_and_silence_are_no_preference() -> None:
    kind = {"kind": "pair_preference"}
    item = Item("x", "crows_pairs", "", "", ("more", "less"), "g", roles=("stereo", "antistereo"), scoring=kind)
    tie = CrowsPairs().score(item, (0, 1), Response(logliks=(-1.0, -1.0)), None)
    assert tie == Outcome("ok", None, None, 0.0)
    assert CrowsPairs().score(item, (0, 1), Response(text="Both."), None) == Outcome("unparsed")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (",sent_more,sent_less,stereo_antistereo\n0,a,b,stereo\n", r"line 2: no column bias_type"),
        (
            ",sent_more,sent_less,stereo_antistereo,bias_type\n0,a,b,neither,age\n",
            r"line 2: .* has the direction 'neither'",
        ),
        (",sent_more,sent_less,stereo_antistereo,bias_type\n0,a\n", r"line 2: has not as many fields"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "crows_pairs_anonymized.csv").write_text(content)
    with pytest.raises(InputError, match=sentence):
        list(CrowsPairs().load(tmp_path, "choice"))


def test_a_pair_is_consistent_over_rotations() -> None:
    rows = pd.DataFrame(
        {
            "item_id": ["a", "a", "b", "b", "c"],
            "persona_id": "",
            "rotation": [0, 1, 0, 1, 0],
            "value": [1.0, 1.0, 1.0, 0.0, 1.0],
            "role": "stereo",
            "direction": "stereo",
        }
    )
    assert aggregate(CrowsPairs(), rows)["same_in_both_orders"] == 0.5
    assert math.isnan(aggregate(CrowsPairs(), rows.iloc[[4]])["same_in_both_orders"])

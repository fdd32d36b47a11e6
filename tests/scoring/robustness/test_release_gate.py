"""Verdicts of the gate, and what build servers read of them."""

import math
from xml.etree import ElementTree

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from scoring.robustness.junit import junit_xml
from scoring.robustness.release_gate import GateVerdict, gate_verdicts


def worst(bound: float, side: str = "at least", measure: str = "value") -> dict[str, object]:
    head = {"model": "m", "benchmark": "b", "measure": measure, "side": side}
    return {**head, "effect": bound / 2, "bound": bound, "chosen": 12, "groups": 40}


def test_the_bound_is_held_to_the_floor_on_the_side_that_is_worse() -> None:
    for side, sign in (("at least", 1), ("at most", -1)):
        for bound, passed in ((-0.049, True), (-0.051, False), (math.nan, False)):
            (found,) = gate_verdicts(pd.DataFrame([worst(sign * bound, side)]), -0.05)
            assert found.passed is passed and found.floor == sign * -0.05


def test_probabilities_decide_where_there_are_any() -> None:
    rows = [worst(-0.2), worst(-0.01, measure="expected")]
    (found,) = gate_verdicts(pd.DataFrame(rows), -0.05)
    assert found.passed and found.measure == "expected"
    assert gate_verdicts(pd.DataFrame(), -0.05) == []


@given(st.text(), st.text())
def test_any_name_makes_xml_that_can_be_read(model: str, benchmark: str) -> None:
    verdicts = [
        GateVerdict(model, benchmark, "value", -0.05, -0.1, -0.2, False, "worse"),
        GateVerdict("good", benchmark, "value", -0.05, 0.0, -0.01, True, "well"),
    ]
    suite = ElementTree.fromstring(junit_xml("study", verdicts, "half of it"))
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert [len(case.findall("failure")) for case in suite] == [1, 0, 1]

"""Negative controls: a twin that answers otherwise about what was not swapped is found, and its effect marked."""

import numpy as np
import pandas as pd
import pytest

from personas.people.respondents import Respondents
from personas.traits import catalogue
from scoring.robustness.traits.twin_controls import twin_control_table, with_controls
from scoring.statistics.pairs import parts

PEOPLE = 60
OTHER = {"male": "female", "female": "male"}


def _respondents(random: np.random.Generator) -> Respondents:
    """Women mention faith more often, 0.8 to 0.3."""
    gender = np.arange(400) % 2 + 1
    trust = np.where(random.random(400) < np.where(gender == 2, 0.8, 0.3), 1, 2)
    frame = pd.DataFrame({"persona_id": [f"s:w:{number}" for number in range(400)], "survey": "s", "wave": "w"})
    frame = frame.assign(country="USA", weight=1.0, gender=gender, education=np.arange(400) % 3 + 1, child_faith=trust)
    traits = {name: catalogue().traits[name] for name in ("gender", "education", "child_faith")}
    return Respondents(frame, traits)


def _scores(everyone: Respondents, drift: float, random: np.random.Generator) -> pd.DataFrame:
    """Respondents and twins recite their education, female twins one step less as often as `drift`; twins guess the
    other gender's answer about faith."""
    rows: list[dict[str, object]] = []
    for person in everyone.personas():
        if len(rows) >= PEOPLE * 4:
            break
        own = "male" if person.answers["gender"] == 1 else "female"
        for who, gender in ((person.persona_id, own), (f"{person.persona_id}~gender={OTHER[own]}", OTHER[own])):
            told, drifts = person.answers["education"] - 1, "~" in who and gender == "female"
            said = max(0, told - (drifts and random.random() < drift))
            head = {"persona_id": who, "cluster": who}
            control = {"benchmark": "trait_inference:control", "item_id": "control", "trait": "education"}
            hidden = {"benchmark": "trait_inference:survey", "item_id": "hidden", "trait": "child_faith"}
            rows.append({**head, **control, "chosen_by_text": float(said), "value": float(said == told)})
            rows.append({**head, **hidden, "chosen_by_text": float(gender == "male"), "value": np.nan})
    frame = pd.DataFrame(rows).assign(chosen_by_probability=np.nan, model="m", rotation=0, replicate=0)
    return frame.assign(group=frame["item_id"], status="ok")


def test_drift_on_a_told_trait_is_found_and_the_twins_effect_is_marked() -> None:
    random = np.random.default_rng(1)
    everyone = _respondents(random)
    table = twin_control_table(parts(_scores(everyone, 0.8, random)), everyone).set_index(["asked", "to"])
    told, hidden = table.loc[("education", "female")], table.loc[("child_faith", "female")]
    assert told["beside"] == "told" and told["personas"] == PEOPLE / 2 and told["holm"] < 0.05
    assert told["right"] == 1 and told["right_twin"] == 1 - told["changed"] and told["shift"] < 0
    assert table.loc[("education", "male"), "moved"] == 0
    assert hidden["beside"] == "hidden" and hidden["moved"] > 0.99  # the model's stereotype
    assert hidden["people_moved"] == pytest.approx(0.5, abs=0.08)  # what people are
    twins = pd.DataFrame({"model": "m", "trait": "gender", "to": ["any", "female", "male"], "effect": 0.1})
    marked = with_controls(twins, table.reset_index())["controls"]
    assert marked.tolist() == ["drift: education", "drift: education", "no drift shown in 1"]


def test_twins_that_hold_are_not_marked() -> None:
    random = np.random.default_rng(2)
    everyone = _respondents(random)
    table = twin_control_table(parts(_scores(everyone, 0.0, random)), everyone)
    twins = pd.DataFrame({"model": "m", "trait": "gender", "to": ["any"], "effect": 0.1})
    assert with_controls(twins, table)["controls"].tolist() == ["no drift shown in 1"]
    assert with_controls(twins, None)["controls"].tolist() == [""]

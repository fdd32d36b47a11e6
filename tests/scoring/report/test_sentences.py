"""The finding in sentences: direction, size, how sure, net of the control, by chance, and on how much."""

import math
import re
from dataclasses import replace
from html import unescape
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from scoring.report.findings import Findings, findings
from scoring.report.methods import methods_text
from scoring.report.page import page
from scoring.report.sentences import finding, statements
from scoring.report.terminal import print_report
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import persona_effect
from scoring.statistics.subgroups import Slicing

ABOUT = {
    **dict.fromkeys(("name", "study", "code", "started", "ended"), ""),
    "seed": 1,
    "trials": 1,
    "packages": {},
    "models": [],
    "data": [],
    "declared": [],
}
WIDTHS = (60, 80, 100, 120, 200)


def found_in(scores: pd.DataFrame, *by: str, **about: object) -> Findings:
    def no_items(ids):
        return pd.DataFrame(columns=["item_id", "benchmark", "part", "question", "choices"])

    return findings(scores, Slicing(by, min_n=10), pd.DataFrame(), no_items, {**ABOUT, **about})


def study(shift: float, people: int = 60, items: int = 40, control: float = 0.0) -> pd.DataFrame:
    """Personas whose chance of a 1 is `shift` off the baseline's half, and a control that is `control` off it."""
    rng = np.random.default_rng(3)
    base = np.arange(items) % 2
    half = np.arange(people) % 2

    def answers(change: float) -> np.ndarray:
        flipped = rng.random((people, items)) < abs(change)
        return np.where(flipped, float(change > 0), np.tile(base, (people, 1)))

    columns = {
        "country": ["NOR" if each else "USA" for each in half],
        "gender": ["male" if n % 4 < 2 else "female" for n in range(people)],
        "age_band": ["35-44" if n % 3 else "65+" for n in range(people)],
    }
    scores = as_scores(answers(shift), base, None, columns).assign(sampled=False)
    if control:
        neutral = as_scores(answers(control), base, None, columns).assign(format="neutral", sampled=False)
        scores = pd.concat([scores, neutral[neutral["persona_id"] != ""]], ignore_index=True)
    return scores.assign(chosen_by_text=scores["value"], chosen_by_probability=math.nan)


def printed(found: Findings, width: int, full: bool = False) -> str:
    console = Console(width=width, record=True, file=StringIO())
    print_report(console, found, full)
    return console.export_text()


def test_an_effect_has_a_direction_a_size_an_interval_and_its_people():
    scores = study(-0.4)
    (told,) = finding(found_in(scores))
    effect = persona_effect(scores)
    assert "personas lowered the score: score 50.0% without a persona" in told
    assert f"Δ = {100 * effect.effect:+.1f} points (95% interval {100 * effect.items_low:+.1f} to " in told
    assert "for people of these countries and items like these; 60 people, 40 items" in told
    (alone,) = finding(found_in(scores.assign(country=scores["country"].astype(str).replace("USA", "NOR"))))
    assert "people like these" in alone


def test_no_effect_is_not_shown_and_says_from_which_size_on_it_would_have_been():
    (told,) = finding(found_in(study(0.0005)))
    assert "no effect of personas is shown" in told and "had under 80% power" in told
    assert told.index("no effect") < told.index("power")


def test_net_of_the_control_is_paired_and_adds_up():
    scores = study(-0.4, control=-0.3)
    found = found_in(scores, "gender")
    row = found.effects.iloc[0]
    assert row["neutral"] + row["net"] == pytest.approx(row["effect"])
    people = scores[scores["persona_id"] != ""].pivot_table(
        index=["persona_id", "item_id"], columns="format", values="value"
    )
    formats = [name for name in people.columns if name != "neutral"]
    paired = people[formats[0]] - people["neutral"]
    assert row["net"] == pytest.approx(paired.mean())
    assert row["net_low"] < row["net"] < row["net_high"]
    level = found.effects[found.effects["level"] == "female"].iloc[0]
    assert level["neutral"] + level["net"] == pytest.approx(level["effect"])
    (told,) = finding(found)
    assert f"net of it, personas move it by {100 * row['net']:+.1f} points" in told
    assert finding(found_in(study(-0.4)))[0].count("neutral") == 0


def test_a_control_is_compared_on_what_each_persona_was_asked():
    scores = study(-0.4, control=-0.3)
    dealt = (scores["format"] != "neutral") & (scores["persona_id"] != "") & (scores.index % 3 == 0)
    row = found_in(scores[~dealt]).effects.iloc[0]
    assert row["neutral"] + row["net"] == pytest.approx(row["effect"])


def test_changed_answers_stand_beside_those_of_chance():
    still = study(-0.4, control=-0.2)
    row = found_in(still).tables["changed"].iloc[0]
    people, base = still[still["persona_id"] != ""], still[still["persona_id"] == ""].set_index("item_id")["value"]
    differs = people["value"] != people["item_id"].map(base).to_numpy()
    assert row["changed"] == pytest.approx(differs[people["format"] != "neutral"].mean())
    assert row["neutral"] == pytest.approx(differs[people["format"] == "neutral"].mean())
    assert row["by_chance"] == 0 and row["answers"] == 60 * 40
    alone = still[still["persona_id"] == ""]
    drawn = pd.concat(
        [still, *(alone.assign(replicate=n, value=1 - alone["value"]) for n in (1, 2))], ignore_index=True
    )
    drawn = drawn.assign(sampled=True, chosen_by_text=drawn["value"])
    assert found_in(drawn).tables["changed"]["by_chance"].iloc[0] == pytest.approx(2 / 3)
    (once,) = finding(found_in(still.assign(sampled=True)))
    assert "by chance alone is not known" in once


@pytest.mark.parametrize(
    ("provider", "dtype", "said"),
    [
        ("local", "float32", "none would change"),
        ("local", "bfloat16", "rounding in bfloat16"),
        ("openai", "", "is not known"),
    ],
)
def test_what_is_not_drawn_is_exact_in_full_precision_alone(provider: str, dtype: str, said: str):
    scores = study(-0.4)
    model = {"name": str(scores["model"].iloc[0]), "provider": provider, "dtype": dtype}
    shown = found_in(scores)
    about = {**shown.about, "models": [model]}
    (told,) = finding(replace(shown, about=about))
    assert said in told


def test_the_largest_gap_that_holds_is_named_in_words():
    scores = study(-0.05)
    some = np.random.default_rng(1).random(len(scores)) < 0.4
    women = (scores["gender"] == "female") & (scores["persona_id"] != "") & some
    (told,) = finding(found_in(scores.assign(value=scores["value"].mask(women, 0.0)), "gender", "age_band", "country"))
    assert "The largest gap by gender, age or country that holds: Δ of " in told
    assert "men is " in told and "everybody else's" in told and "after Holm" in told
    (none,) = finding(found_in(study(-0.05), "gender", "country"))
    assert "No gap by gender or country is shown; gaps under " in none


def test_what_is_missing_comes_first_and_every_output_says_the_same():
    found = found_in(study(-0.4, control=-0.3), "gender", incomplete="INCOMPLETE: 3 of 9 trials")
    told = finding(found)
    assert told[0] == "INCOMPLETE: 3 of 9 trials" and len(told) == 2
    for text in (printed(found, 200), printed(found, 200, full=True), methods_text(found), page(found)):
        plain = " ".join(unescape(re.sub(r"</?strong>", "", text)).split())
        assert plain.index("INCOMPLETE") < plain.index(told[1][:60])
        assert all(" ".join(each.split()) in plain for each in told)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("full", [False, True])
def test_row_labels_never_vanish(width, full):
    found = found_in(study(-0.4, control=-0.3), "gender", "age_band", "country")
    text = printed(found, width, full)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for label in ("simulated", "without", "net", *(["men", "women", "35–44", "Norway", "United States"] * full)):
        assert label in words
    assert "NOR " not in words and "age_band" not in words
    assert len(text.splitlines()) <= 30 or full


def test_many_findings_are_short_on_the_terminal():
    scores = pd.concat([study(-0.4, control=-0.3).assign(benchmark=f"benchmark {n}") for n in range(5)])
    found = found_in(scores)
    text = printed(found, 120)
    assert len(text.splitlines()) < 40 and all(f"benchmark {n}: personas lowered" in text for n in range(5))
    assert len(statements(found)[0].rest) > 0


def test_a_letter_that_is_chosen_in_every_order_is_named():
    scores = study(-0.4)
    both = pd.concat([scores, scores.assign(rotation=1)], ignore_index=True)
    one = both.assign(letter="A", chosen_by_text=both["rotation"])  # the same letter, hence the other option
    row = found_in(one).tables["changed"].iloc[0]
    assert (row["top_letter"], row["top_share"]) == ("A", 1.0)
    assert "The model chose A in 100% of its answers as somebody" in finding(found_in(one))[0]
    mixed = both.assign(letter=both.index.map(lambda number: "AB"[number % 5 == 0]))
    assert found_in(mixed).tables["changed"]["top_share"].iloc[0] == pytest.approx(0.8, abs=0.05)
    assert "The model chose" not in finding(found_in(mixed))[0]
    assert "The model chose" not in finding(found_in(scores.assign(letter="A")))[0]  # in one order: it may be right

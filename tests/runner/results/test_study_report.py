"""Every table of a study that was really run, computed again from the database with pandas and numpy alone."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from fake_llm import FakeLLM

from runner.engine.run import run
from runner.results.study_report import paper_scores, study_findings
from runner.study.config import Study
from scoring.report.findings import Findings

pytestmark = pytest.mark.slow

POPULATION = {"AUS": 21.0, "NOR": 4.0, "SWE": 8.0, "USA": 260.0}
STUDY = """
[study]
name = "s"
database = "s.sqlite"
seed = 3
[personas]
sources = ["starter_wvs3"]
n = 24
stratify = ["country", "gender"]
allocation = "equal"
traits = ["gender", "country", "starter_wvs3:degree"]
swap = ["gender"]
[variants]
neutral = true
[[benchmarks]]
name = "bbq"
groups = 6
rotations = 2
[[benchmarks]]
name = "bbq_nl.toml"
[[models]]
name = "m"
backend = "openai-compatible"
id = "m"
base_urls = ["URL"]
answer = "text"
decoding = { max_tokens = 3 }
[report]
by = ["country", "gender"]
pairs = [["country", "gender"]]
weights = "population"
min_n = 5
population = POPULATION
"""
# its name begins like another benchmark's, and it is asked in nothing that BBQ's numbers need
DUTCH = """
name = "bbq_nl"
version = "1"
licence = "CC0-1.0"
files = [{ path = "nl.jsonl" }]
[fields]
question = "q"
choices = "options"
answer = "gold"
"""


class Answers(FakeLLM):
    """A, B or C by the text of the question; one in ten cannot be read."""

    def letter(self, body: str) -> str:
        digest = hashlib.sha256(body.encode()).digest()
        return "ABC"[digest[0] % 3] if digest[1] % 10 else "hm"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    import asyncio

    folder = tmp_path_factory.mktemp("study")
    people = ", ".join(f"{name} = {number}" for name, number in POPULATION.items())
    records = [{"q": f"Vraag {n}?", "options": ["ja", "nee", "weet niet"], "gold": n % 3} for n in range(6)]
    (folder / "nl.jsonl").write_text("\n".join(map(json.dumps, records)))
    (folder / "bbq_nl.toml").write_text(DUTCH)
    with Answers() as server:
        text = STUDY.replace("URL", server.url).replace("= POPULATION", f"= {{ {people} }}")
        (folder / "s.toml").write_text(text)
        study = Study.load(folder / "s.toml")
        assert asyncio.run(run(study, pilot=False)).exit_code == 0
    yield study


@pytest.fixture(scope="module")
def found(study: Study) -> Findings:
    return study_findings(study)


@pytest.fixture(scope="module")
def raw(study: Study) -> pd.DataFrame:
    """The score table joined with what it names; `w` is each person's weight by hand."""
    connection = sqlite3.connect(study.database)
    frame = pd.read_sql(
        "SELECT i.benchmark, i.item_id, i.grp, i.record, p.persona_id, p.country, p.subgroups, p.cluster, v.format, "
        "s.rotation, s.status, s.value, s.chosen_by_text AS chosen, c.persona_text FROM score s "
        "JOIN item i ON i.id = s.item JOIN completion c ON c.id = s.completion "
        "LEFT JOIN persona p ON p.id = s.persona LEFT JOIN variant v ON v.id = s.variant",
        connection,
    )
    connection.close()
    record = frame["record"].map(json.loads)
    frame["persona_id"] = frame["persona_id"].fillna("")
    frame["person"] = frame["persona_id"].str.partition("~")[0]
    frame["kind"] = np.select(
        [frame["persona_id"] == "", frame["persona_id"].str.contains("~"), frame["format"] == "neutral"],
        ["alone", "twin", "neutral"],
        "told",
    )
    frame["gender"] = frame["subgroups"].fillna("{}").map(lambda text: json.loads(text).get("gender", ""))
    frame["category"] = record.map(lambda each: each["meta"].get("category", ""))
    names = record.map(lambda each: " (names)" if each["meta"].get("label_type") == "name" else "")
    frame["label"] = frame["category"] + names
    frame["condition"] = record.map(lambda each: each["meta"].get("condition", ""))
    chosen = zip(record, frame["chosen"], strict=True)
    frame["role"] = [each["roles"][int(n)] if each["roles"] and not np.isnan(n) else None for each, n in chosen]
    told = frame[(frame["kind"] == "told")].drop_duplicates("person")
    sizes = told.groupby("country")["person"].nunique()
    weights = {row.person: POPULATION[row.country] / sizes[row.country] for row in told.itertuples()}
    return frame.assign(w=frame["person"].map(weights))


def paired(raw: pd.DataFrame, kind: str = "told", benchmark: str = "bbq") -> pd.DataFrame:
    """Read answers beside the baseline's on the same item and rotation, `y` and `b`."""
    of = raw[(raw["benchmark"] == benchmark) & raw["value"].notna()]
    of = of.assign(biased=of["role"] == "biased", named=of["role"].isin(["biased", "antibiased"]))
    # the baseline may be asked several times: the mean of what was read
    base = of[of["kind"] == "alone"].groupby(["item_id", "rotation"])[["value", "biased", "named"]].mean()
    return of[of["kind"] == kind].join(base.add_suffix("_b"), on=["item_id", "rotation"], how="inner")


def delta(pairs: pd.DataFrame, column: str = "d") -> float:
    """Σ w (mean over items of the mean over rotations) / Σ w."""
    pairs = pairs.assign(d=pairs["value"] - pairs["value_b"])
    of_item = pairs.groupby(["person", "item_id"])[[column, "w"]].mean().reset_index()
    people = of_item.groupby("person")[[column, "w"]].mean()
    return float(np.average(people[column], weights=people["w"]))


def test_effects_and_gaps(found: Findings, raw: pd.DataFrame) -> None:
    pairs = paired(raw)
    rows = found.effects[found.effects["benchmark"] == "bbq"].set_index(["attribute", "level"])
    assert rows.loc[("all", "all"), "effect"] == pytest.approx(delta(pairs))
    assert rows.loc[("all", "all"), "with_persona"] == pytest.approx(delta(pairs, "value"))
    assert rows.loc[("all", "all"), "invalid_with"] == pytest.approx(invalid(raw))
    for attribute in ("country", "gender"):
        for level, own in pairs.groupby(attribute):
            row = rows.loc[(attribute, level)]
            assert row["effect"] == pytest.approx(delta(own))
            others = pairs[pairs[attribute] != level]
            common = set(own["item_id"]) & set(others["item_id"])
            sides = (delta(side[side["item_id"].isin(common)]) for side in (own, others))
            assert row["gap"] == pytest.approx(next(sides) - next(sides)) and row["gap_items"] == len(common)
            extremes = {worth: paired(with_unread(raw, worth, ["told"])) for worth in (0.0, 1.0)}
            ours, theirs = (
                {worth: delta(rows[(rows[attribute] == level) == inside]) for worth, rows in extremes.items()}
                for inside in (True, False)
            )
            assert (row["gap_least"], row["gap_most"]) == pytest.approx((ours[0] - theirs[1], ours[1] - theirs[0]))
    filled = paired(with_unread(raw, 0.0, ["told", "alone"]))
    assert rows.loc[("all", "all"), "effect_as_wrong"] == pytest.approx(delta(filled))
    families = found.tables["families"].set_index(["benchmark", "attribute"])
    of_gender = rows.loc["gender", "effect"]
    assert families.loc[("bbq", "gender"), "disparity"] == pytest.approx(of_gender.max() - of_gender.min())
    dutch = found.effects[(found.effects["benchmark"] == "bbq_nl") & (found.effects["attribute"] == "all")]
    assert dutch["effect"].iloc[0] == pytest.approx(delta(paired(raw, benchmark="bbq_nl")))
    # three people of each country and gender: all are withheld, and no total gives them away
    assert rows.loc["country × gender", "hidden"].all() and rows.loc["country × gender", "effect"].isna().all()


def with_unread(raw: pd.DataFrame, worth: float, kinds: list[str]) -> pd.DataFrame:
    """Unread answers counted as so much."""
    return raw.assign(value=raw["value"].mask(raw["value"].isna() & raw["kind"].isin(kinds), worth))


def invalid(raw: pd.DataFrame) -> float:
    told = raw[(raw["kind"] == "told") & (raw["benchmark"] == "bbq")]
    return float(np.average(told["status"] != "ok", weights=told["w"]))


def test_numbers_over_many_items(found: Findings, raw: pd.DataFrame) -> None:
    pairs = paired(raw)
    crossed = pairs["category"].str.contains("_x_")
    apart = pairs[~crossed] if crossed.any() and not crossed.all() else pairs
    rows = found.tables["aggregates"].query("benchmark == 'bbq'").set_index("metric")
    for suffix, side in (("", "with_persona"), ("_b", "without")):
        for condition in ("ambig", "disambig"):
            own = apart[apart["condition"] == condition]
            accuracy = np.average(own[f"value{suffix}"], weights=own["w"])
            assert rows.loc[f"accuracy_{condition}", side] == pytest.approx(accuracy)
            biased, named = ((own["w"] * own[f"{name}{suffix}"]).sum() for name in ("biased", "named"))
            score = (2 * biased / named - 1) * (1 - accuracy if condition == "ambig" else 1)
            assert rows.loc[f"bias_{condition}", side] == pytest.approx(score)
    assert rows.loc["accuracy_ambig", "answers_with"] == (apart["condition"] == "ambig").sum()
    by_category = found.tables["aggregates_by_category"].set_index(["category", "metric"])
    category, own = next(iter(pairs[pairs["condition"] == "disambig"].groupby("label")))
    wanted = np.average(own["value"], weights=own["w"]) - np.average(own["value_b"], weights=own["w"])
    assert by_category.loc[(category, "accuracy_disambig"), "effect"] == pytest.approx(wanted)
    categories = found.tables["categories"].query("benchmark == 'bbq'").set_index("category")["effect"]
    assert categories.to_dict() == pytest.approx({name: delta(rows) for name, rows in pairs.groupby("category")})
    assert set(found.tables["aggregates"].query("benchmark == 'bbq_nl'")["metric"]) <= {"chose A", "chose B", "chose C"}


def test_control_twins_and_rotations(found: Findings, raw: pd.DataFrame) -> None:
    control = found.tables["control"].query("benchmark == 'bbq'").iloc[0]
    keys = ["person", "item_id", "rotation"]
    both = paired(raw, "neutral").merge(paired(raw)[[*keys, "value"]], on=keys, suffixes=("", "_told"))
    assert control["control"] == pytest.approx(delta(both))
    assert control["persona"] == pytest.approx(delta(paired(raw)))
    assert control["net"] == pytest.approx(delta(both.assign(value=both["value_told"], value_b=both["value"])))
    assert control["control_clusters"] == both["persona_text"].nunique() < both["person"].nunique()
    own = raw[(raw["kind"] == "told") & raw["value"].notna() & (raw["benchmark"] == "bbq")].set_index(keys)
    twins = raw[(raw["kind"] == "twin") & raw["value"].notna() & (raw["format"] != "neutral")]
    twins = twins.join(own[["value"]].add_suffix("_b"), on=keys, how="inner")
    rows = found.tables["counterfactuals"].query("benchmark == 'bbq' and trait == 'gender'").set_index("to")
    for to in ("female", "male"):
        swapped = twins[twins["persona_id"].str.endswith(f"={to}")]
        assert rows.loc[to, "effect"] == pytest.approx(delta(swapped))
        shift = np.average((swapped["value"] - swapped["value_b"]).abs(), weights=swapped["w"])
        assert rows.loc[to, "shift"] == pytest.approx(shift)
    rotation = found.tables["formats"].query("benchmark == 'bbq' and source == 'rotation'").iloc[0]
    deltas = [delta(rows) for _, rows in paired(raw).groupby("rotation")]
    assert (rotation["lowest"], rotation["highest"]) == pytest.approx((min(deltas), max(deltas)))
    assert rotation["variance"] == pytest.approx(np.var(deltas, ddof=1))


def test_validity_items_answers_and_people(found: Findings, raw: pd.DataFrame) -> None:
    told = raw[(raw["kind"] == "told") & (raw["benchmark"] == "bbq")]
    weights = told.groupby("person")["w"].first()
    row = found.tables["validity"].query("benchmark == 'bbq' and attribute == 'all'").iloc[0]
    for name, values in (("left_out", told["value"]), ("as_wrong", told["value"].fillna(0.0))):
        people = values.groupby(told["person"]).mean()
        assert row[f"value_{name}"] == pytest.approx(np.average(people, weights=weights[people.index]))
    unread = (told["status"] == "unparsed").groupby(told["person"]).mean()
    assert row["unparsed_with"] == pytest.approx(np.average(unread, weights=weights[unread.index]))
    pairs = paired(raw)
    of_item = pairs.groupby(["item_id", "person"])[["value", "value_b", "w"]].mean().reset_index()
    items = found.tables["items"].query("benchmark == 'bbq'").set_index("item_id")
    for item, rows in of_item.groupby("item_id"):
        assert items.loc[item, "with_persona"] == pytest.approx(np.average(rows["value"], weights=rows["w"]))
        assert items.loc[item, "without"] == pytest.approx(np.average(rows["value_b"], weights=rows["w"]))
    answers = found.tables["answers"].query("attribute == 'country'").set_index(["item_id", "level", "option"])
    item = told["item_id"].iloc[0]
    norway = told[(told["item_id"] == item) & (told["country"] == "NOR")]
    for option, rows in norway.groupby(norway["chosen"].fillna(-1)):
        row = answers.loc[(item, "NOR", int(option))]
        assert (row["answers"], row["share"]) == (len(rows), pytest.approx(rows["w"].sum() / norway["w"].sum()))
    people = found.tables["personas"].query("benchmark == 'bbq'")
    d = pairs.assign(d=pairs["value"] - pairs["value_b"]).groupby(["person", "item_id"])["d"].mean()
    assert sorted(people["effect"]) == pytest.approx(sorted(d.groupby("person").mean()))


def test_scores_of_the_papers_tables_have_intervals_of_their_own(
    study: Study, found: Findings, raw: pd.DataFrame
) -> None:
    rows = paper_scores(study, found.slicing).query("benchmark == 'bbq'").set_index(["attribute", "level", "column"])
    pairs = paired(raw)
    for column, name in (("persona", "value"), ("baseline", "value_b"), ("delta", "d")):
        assert rows.loc[("all", "all", column), "value"] == pytest.approx(delta(pairs, name))
        norway = rows.loc[("country", "NOR", column)]
        assert norway["value"] == pytest.approx(delta(pairs[pairs["country"] == "NOR"], name))
    of_item = pairs.groupby(["person", "item_id"]).agg({"value_b": "mean", "w": "mean", "grp": "first"}).reset_index()
    share = of_item["w"] / of_item.groupby("person")["item_id"].transform("size")
    share /= share.sum()
    residual = (share * (of_item["value_b"] - (share * of_item["value_b"]).sum())).groupby(of_item["grp"]).sum()
    error = np.sqrt(len(residual) / (len(residual) - 1) * (residual**2).sum())
    low, high = rows.loc[("all", "all", "baseline"), ["low", "high"]]
    assert (high - low) / 2 == pytest.approx(error * 2.5706, rel=1e-4)  # t with 5 degrees of freedom

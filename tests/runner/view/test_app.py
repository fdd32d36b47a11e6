"""The live page without a browser: who is let in, which files can be shown, which trials a filter finds."""

import asyncio
import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fake_llm import FakeLLM
from plotly.utils import PlotlyJSONEncoder
from studies import load, model

from personas.errors import InputError, NewerFile
from runner.engine.run import run
from runner.results.study_report import finding
from runner.study.config import Study
from runner.view.app import application
from runner.view.pages import compare as compare_page
from runner.view.pages import explore, items, overview, trial
from runner.view.pages.text import visible
from runner.view.queries import answer_pairs as compare
from runner.view.queries import trial_table as trials
from runner.view.queries.file import checked, reading, request_stop
from runner.view.queries.heartbeat import RunHeartbeat
from runner.view.queries.item import opened_item
from runner.view.queries.trial import opened
from runner.view.queries.trial_table import Place, TrialFilter
from runner.view.source import ViewSource
from runner.view.statistics import compared, effects, item_changes
from scoring.statistics.effect import persona_effect

TOKEN = "the-token"
NAME = "mtpa-0123.localhost"
HOST = {"Host": f"{NAME}:8000"}


async def _reject_some(server, request, raw):
    from aiohttp import web

    return web.json_response({"error": {"message": "too long"}}, status=400) if b'"bad"' in raw else None


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """Two models, one of which fails, with eight people, in two formats."""
    folder = tmp_path_factory.mktemp("view")
    with FakeLLM(misbehave=_reject_some) as server:
        models = [model(server.url, name="good", answer="probabilities"), model(server.url, name="bad", id="bad")]
        study = load(folder, models, n=8, groups=3, variants={"formats": ["prose", "bullets"], "system": "Be brief."})
        asyncio.run(run(study, pilot=False))
    return study.database


@pytest.fixture(scope="module")
def source(file):
    opened = ViewSource(file)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(source):
    return application(source, TOKEN, NAME, 8000).server.test_client()


def test_only_the_token_opens_the_page(client):
    assert client.get("/", headers=HOST).status_code == 403
    assert client.get("/?token=another", headers=HOST).status_code == 403
    assert client.post("/_dash-update-component", json={}, headers=HOST).status_code == 403
    assert client.get("/answer/1.txt", headers=HOST).status_code == 403
    welcome = client.get(f"/explore?country=NOR&token={TOKEN}", headers=HOST)
    assert f'url=http://{NAME}:8000/explore?country=NOR"' in welcome.text
    cookie = welcome.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    client.set_cookie("mtpa_view_8000", TOKEN, domain=NAME)
    page = client.get("/", headers=HOST)
    assert page.status_code == 200
    assert TOKEN not in page.text
    assert "script-src 'self' 'sha256-" in page.headers["Content-Security-Policy"]
    assert 'src="http' not in page.text
    assert "connect-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": f"{NAME}.evil.example:8000"},
        {"Host": "127.0.0.1:8000"},
        {"Host": "localhost:8000"},
        {"Host": "mtpa-0124.localhost:8000"},
        {**HOST, "Origin": "http://evil.example"},
        {**HOST, "Origin": "null"},
        {**HOST, "Origin": f"http://{NAME}:9000"},
        {**HOST, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "empty"},
        {**HOST, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_another_name_or_origin_is_refused_with_the_right_cookie(client, headers):
    client.set_cookie("mtpa_view_8000", TOKEN, domain=NAME)
    assert client.get("/_dash-layout", headers=headers).status_code == 403


def test_a_link_from_elsewhere_leads_to_this_page_only(client):
    headers = {**HOST, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    path = {"PATH_INFO": "//evil.example/x"}
    followed = client.get("/?item=%22%3E%3Cscript%3E", headers=headers, environ_overrides=path)
    assert f'url=http://{NAME}:8000/evil.example/x?item=%22%3E%3Cscript%3E"' in followed.text


@pytest.mark.parametrize("path", ["/assets/../app.py", "/assets/%2e%2e/app.py", "/answer/..%2f..%2fetc%2fpasswd.txt"])
def test_no_other_file_is_reachable(client, path):
    client.set_cookie("mtpa_view_8000", TOKEN, domain=NAME)
    answer = client.get(path, headers=HOST)
    assert answer.status_code == 404 or ("{%" not in answer.text and "root:" not in answer.text)
    assert "def application" not in answer.text


def test_files_that_cannot_be_shown(file, tmp_path):
    newer, damaged, foreign, empty = (tmp_path / f"{name}.sqlite" for name in ("newer", "damaged", "foreign", "empty"))
    _copy(file, newer)
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE _sqlite_migrations SET name = '9999_later' WHERE name = '0001_tables'")
    _copy(file, damaged)
    content = bytearray(damaged.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    damaged.write_bytes(content)
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE other (id)")
    empty.touch()
    text = tmp_path / "text.sqlite"
    text.write_text("not a database " * 100)
    said = {}
    for path in (newer, damaged, foreign, empty, text, tmp_path / "absent.sqlite", tmp_path):
        with pytest.raises(NewerFile if path == newer else InputError) as caught:
            checked(path)
        said[path.stem] = str(caught.value)
        assert str(path) in said[path.stem]
        assert "\n" not in said[path.stem]
    assert "newer version" in said["newer"]
    assert "damaged" in said["damaged"]
    assert "empty" in said["empty"]
    assert empty.stat().st_size == 0


def test_a_report_of_odd_rows_is_a_sentence(file, tmp_path):
    odd = tmp_path / "odd.sqlite"
    _copy(file, odd)
    with sqlite3.connect(odd) as connection:
        connection.execute("UPDATE item SET record = 'no json'")
    source = ViewSource(odd)
    own = application(source, TOKEN, NAME, 8000).server.test_client()
    own.get(f"/?token={TOKEN}", headers=HOST)
    answer = own.get("/report.html", headers=HOST)
    source.close()
    assert answer.status_code == 503 and "\n" not in answer.text.strip() and "Traceback" not in answer.text


def _copy(file: Path, to: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(file, to)


def test_looking_cannot_write(file):
    with reading(file) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM score")


def test_filters_find_what_the_file_has(file):
    frame = _frame(file)
    with reading(file) as connection:
        known = trials.choices(connection)
        gender = next(value for value, label in known.levels["gender"] if label == "female")
        wanted = {
            TrialFilter(): frame,
            TrialFilter(model="good", format="bullets"): frame[frame["format"] == "bullets"],
            TrialFilter(country="AUS"): frame[frame["country"] == "AUS"],
            TrialFilter(trait="gender", level=gender): frame[frame["gender"] == "female"],
            TrialFilter(trait="age_band", level="25-34"): frame[frame["age_band"] == "25-34"],
            TrialFilter(benchmark="crows_pairs:choice", persona="baseline"): frame[frame["persona_id"] == ""],
            TrialFilter(model="nobody"): frame[:0],
            TrialFilter(status="unparsed"): frame[:0],
        }
        for filter, expected in wanted.items():
            assert TrialFilter.parse(filter.search()) == filter
            upto = trials.latest(connection, filter)
            rows = trials.page(connection, filter, upto, 0, 1000)
            assert trials.count(connection, filter, upto) == len(rows) == len(expected)
            assert Counter(row.item_id for row in rows) == Counter(expected["item_id"].astype(str))
        assert 0 < len(wanted[TrialFilter(country="AUS")]) < len(frame)
        paged = [row for start in range(0, 60, 7) for row in trials.page(connection, TrialFilter(), upto, start, 7)]
        assert len({row.place for row in paged}) == len(paged) == len(frame)


def has_changed(row):
    """Whether another option was chosen than without a persona."""
    return None not in (row.answer.number, row.baseline.number) and row.answer.number != row.baseline.number


def test_what_a_persona_changed_is_found_sorted_and_stepped_through(file):
    frame = _frame(file)
    chosen = frame["chosen_by_probability"]
    alone = frame[frame["persona_id"] == ""].set_index("item_id")["chosen_by_probability"]
    changed = frame[(frame["persona_id"] != "") & (chosen != frame["item_id"].map(alone))]
    with reading(file) as connection:
        upto = trials.latest(connection, TrialFilter())
        found = trials.page(connection, TrialFilter(only="changed"), upto, 0, 1000)
        assert len(found) == len(changed) > 0 and all(has_changed(row) for row in found)
        assert {row.who.rpartition(", ")[2] for row in found} <= {"Australia", "Norway", "Sweden", "United States"}
        word = found[0].answer.text.split()[0].upper()
        assert found[0].place in [row.place for row in trials.page(connection, TrialFilter(text=word), upto, 0, 1000)]
        for wanted in (
            TrialFilter(order="change"),
            TrialFilter(order="oldest", only="changed"),
            TrialFilter(format="prose"),
        ):
            rows = trials.page(connection, wanted, upto, 0, 1000)
            here = rows[0].place
            for row in rows[1:]:
                assert trials.neighbours(connection, wanted, row.place)[0] == here
                here = trials.neighbours(connection, wanted, here)[1]
                assert here == row.place
            assert trials.neighbours(connection, wanted, here)[1] is None
        sizes = [
            has_changed(row) + abs(row.change)
            for row in trials.page(connection, TrialFilter(order="change"), upto, 0, 9)
        ]
        assert sizes == sorted(sizes, reverse=True)


def test_an_item_shows_both_distributions(file):
    frame = _frame(file)
    first = item_changes(file).iloc[0]
    with reading(file) as connection:
        found = opened_item(connection, TrialFilter(item=first["item_id"], benchmark=first["benchmark"], model="good"))
    asked = frame[(frame["item_id"] == first["item_id"]) & (frame["persona_id"] != "")]
    shares = asked["chosen_by_probability"].value_counts(normalize=True)
    assert [option.shares["personas"] for option in found.options] == pytest.approx([shares.get(n, 0) for n in (0, 1)])
    assert found.answers == {"baseline": 1, "personas": len(asked)}
    alone = frame[(frame["item_id"] == first["item_id"]) & (frame["persona_id"] == "")].iloc[0]
    assert first["moved"] == pytest.approx((asked["chosen_by_probability"] != alone["chosen_by_probability"]).mean())


def _frame(file: Path):
    from runner.store.scores import load_scores

    scores = load_scores(file)
    return scores[scores["status"] != "failed"]


def test_failed_trials_say_why(file):
    with reading(file) as connection:
        wanted = TrialFilter(status="failed", model="bad")
        upto = trials.latest(connection, wanted)
        rows = trials.page(connection, wanted, upto, 0, 1000)
        assert len(rows) == trials.count(connection, wanted, upto) > 0
        assert "too long" in rows[0].answer.text
        shown = opened(connection, rows[0].place)
    assert shown.status == "failed"
    assert shown.answer is None
    assert "never scored" in " ".join(shown.why)


def test_a_trial_is_reprinted_byte_for_byte(file):
    """Messages put together from the text table hash to the key under which they were sent, for every trial."""
    with reading(file) as connection:
        for row in trials.page(connection, TrialFilter(), 10**9, 0, 1000):
            shown = opened(connection, row.place)
            connection.row_factory = None
            assert shown.matches
            assert shown.messages[0] == {"role": "system", "content": "Be brief."}
            assert sum(option.chosen for option in shown.options) == 1
            assert sum(option.probability for option in shown.options) == pytest.approx(1)
            assert Place.parse(str(row.place)) == row.place
            others = {each.persona_id for each in shown.beside}
            assert "baseline" in others | {shown.persona_id}
            assert len(others) >= 7


def test_a_place_that_is_none():
    assert Place.parse("1-2-3-4-5") is None
    assert Place.parse("1-2-3-4-5-x") is None
    assert Place.parse(f"1-2-3-4-5-{2**70}") is None


def test_pairs_are_the_same_items(file):
    frame = _frame(file)
    people = [name for name in frame["persona_id"].astype(str).unique() if name][:2]
    with reading(file) as connection:
        for sides, expected in (
            (compare.Sides("persona", *people), 6),
            (compare.Sides("persona", people[0], "baseline"), 6),
            (compare.Sides("persona", "baseline", people[0]), 6),
            (compare.Sides("format", "prose", "bullets"), 24),
            (compare.Sides("model", "good", "bad"), 0),
        ):
            found = compare.pairs(connection, sides, 10**9, 0, 1000)
            items = [(pair.first.place.item, pair.second.place.item) for pair in found]
            assert all(one == other for one, other in items)
            assert len(found) == expected, sides
        sides = compare.Sides("format", "prose", "bullets", only="different")
        differing = compare.pairs(connection, sides, 10**9, 0, 1000)
    assert 0 < len(differing) < 24
    difference = compared(file, "format", "prose", "bullets", "crows_pairs")
    wide = frame.pivot_table(index=["persona_id", "item_id"], columns="format", values="value", observed=True)
    row = difference[(difference["compared"] == "with persona") & (difference["measure"] == "value")].iloc[0]
    assert row["effect"] == pytest.approx((wide["bullets"] - wide["prose"]).mean())


def test_what_is_computed_is_what_a_report_says(file, tmp_path):
    found = effects(file)
    expected = persona_effect(_frame(file), "expected")
    row = found.overall.set_index("model").loc["good"]
    assert (row["effect"], row["items_low"]) == pytest.approx((expected.effect, expected.items_low), nan_ok=True)
    study = Study.load(file.with_suffix(".toml"))
    assert [each.text for each in found.finding] == finding(study)[1:]
    assert found.is_final and found.answers == len(_frame(file))
    copy = tmp_path / "copy.sqlite"
    _copy(file, copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE run SET ended = NULL")
    going = effects(copy)
    assert going.overall.set_index("model").loc["good", "effect"] == pytest.approx(expected.effect)
    assert not going.finding and going.history["answers"].is_monotonic_increasing


def test_effects_are_weighted_as_the_report_weighs_them(file, tmp_path):
    copy = tmp_path / "copy.sqlite"
    _copy(file, copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE persona SET weight = id * id")
        weighted = "'report.weights = \"survey\"' || char(10) || study"
        connection.execute(f"UPDATE run SET ended = NULL, study = {weighted}")
    found, scores = effects(copy), _frame(copy)
    expected = persona_effect(scores, "expected", weights="survey")
    assert found.overall.set_index("model").loc["good", "effect"] == pytest.approx(expected.effect)
    assert expected.effect != pytest.approx(persona_effect(scores, "expected").effect, abs=1e-6)
    assert found.history["effect"].iloc[-1] == pytest.approx(expected.effect)
    table = compared(copy, "format", "prose", "bullets", "").query("measure == 'value'").set_index("compared")
    by_person = scores[scores["persona_id"] != ""].groupby(["persona_id", "format"], observed=True)["value"].mean()
    wide = by_person.unstack("format")
    people = scores.drop_duplicates("persona_id").set_index("persona_id").loc[wide.index]
    weight = people["weight"] / people.groupby("country", observed=True)["weight"].transform("mean")
    difference = np.average(wide["bullets"] - wide["prose"], weights=weight)
    assert table.loc["with persona", "effect"] == pytest.approx(difference)


def test_a_run_in_the_file_is_read_and_asked_to_stop(file, tmp_path):
    copy = tmp_path / "copy.sqlite"
    _copy(file, copy)
    with reading(copy) as connection:
        live = RunHeartbeat().read(connection)
    assert not live.is_going
    assert live.failures[0].message.count("too long") == 1
    assert {row.model for row in live.status.rows} == {"good", "bad"}
    assert live.status.beat["limits"]["good"]["most"] == 64
    assert not request_stop(copy, live.status.run)
    with sqlite3.connect(copy) as connection:
        beat = {**live.status.beat, "at": "2020-01-01T00:00:00+00:00"}
        connection.execute("UPDATE run SET ended = NULL, heartbeat = ?", (json.dumps(beat),))
    assert request_stop(copy, live.status.run)
    with reading(copy) as connection:
        live = RunHeartbeat().read(connection)
    assert live.stopping
    assert live.silent > 1e6


def test_what_cannot_be_seen_is_made_visible():
    assert visible("a\x00\x1b[31m\u202eb\u200b\U000e0041\x7f\n\tc") == "a␀␛[31m⟨U+202E⟩b⟨U+200B⟩⟨U+E0041⟩␡\n\tc"
    assert visible("שלום می\u200cخواهم 👩\u200d🔬") == "שלום می\u200cخواهم 👩\u200d🔬"


def test_a_finished_file_can_be_read_where_nothing_can_be_written(file, tmp_path, monkeypatch):
    copy = tmp_path / "copy.sqlite"
    _copy(file, copy)
    monkeypatch.setattr("runner.store.database.os.access", lambda path, mode: False)
    assert checked(copy) == copy
    assert len(effects(copy).overall) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["copy.sqlite"]


@pytest.mark.parametrize(
    ("page", "search", "shown"),
    [
        (overview, "", ["good", "bad"]),
        (explore, "?status=failed", ["Trials", "failed (no answer)"]),
        (items, "", ["changed most answers", "items-beat"]),
        (compare_page, "", ["Choose two different ones"]),
        (compare_page, "?what=model&first=good&second=bad", ["two models", "good", "bad"]),
    ],
)
def test_a_page_shows_what_its_address_asks_for(source, page, search, shown):
    text = json.dumps(page.render(source, search), cls=PlotlyJSONEncoder)
    assert [each for each in shown if each not in text] == []


def test_the_page_of_a_trial_has_its_prompt_its_answer_and_its_key(file, source):
    with reading(file) as connection:
        (row, *_) = trials.page(connection, TrialFilter(), 10**9, 0, 1)
        found = opened(connection, row.place)
    text = json.dumps(trial.render(source, f"?place={row.place}"), cls=PlotlyJSONEncoder)
    assert "Be brief." in text and found.key in text and found.options[0].text in text
    with pytest.raises(InputError, match="names no trial"):
        trial.render(source, "?place=1-2")

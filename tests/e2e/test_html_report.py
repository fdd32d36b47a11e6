"""The page in a real browser: every plot drawn, nothing fetched, nothing run that a model wrote."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from waiting import wait_until

from scoring.report.findings import findings
from scoring.report.page import page
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.subgroups import Slicing

pytestmark = pytest.mark.slow

HOSTILE = "</script><script>window.stolen = 1</script><img src=x onerror='window.stolen = 2'>"
SQUARE = {
    "type": "Topology",
    "arcs": [[[10, 50], [20, 50], [20, 60], [10, 60], [10, 50]]],
    "objects": {
        name: {
            "type": "GeometryCollection",
            "geometries": [{"type": "Polygon", "arcs": [[0]], "id": "NOR", "properties": {"ct": [15, 55]}}],
        }
        for name in ("coastlines", "land", "ocean", "lakes", "rivers", "countries", "subunits")
    },
}


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> Path:
    random = np.random.default_rng(1)
    people = {
        "country": ["NOR", "SWE", "USA"] * 20,
        "gender": ["female", "male"] * 30,
        "party": [HOSTILE, "other"] * 30,
    }
    scores = as_scores(random.integers(0, 2, (60, 12)), random.integers(0, 2, (2, 12)), None, people)
    scores["benchmark"], scores["model"] = "bbq", pd.Categorical([HOSTILE] * len(scores))
    scores["chosen_by_probability"] = np.nan
    scores["chosen_by_text"] = scores["value"]
    scores["letter"] = pd.Categorical(np.where(scores["value"] == 1, "A", "B"))
    scores["category"], scores["condition"], scores["role"], scores["label_type"] = "Age", "ambig", "biased", ""

    def items(ids):
        rows = [(each, "bbq", "", f"Question of {each}? {HOSTILE}", ["yes", HOSTILE]) for each in ids]
        return pd.DataFrame(rows, columns=["item_id", "benchmark", "part", "question", "choices"])

    about = {
        "name": HOSTILE,
        "study": HOSTILE,
        "code": "0",
        "seed": 1,
        "started": "now",
        "ended": "",
        "trials": 1,
        "packages": {},
        "models": [],
        "data": [],
        "declared": [("by", "[]", "[]")],
    }
    found = findings(scores, Slicing(("country", "gender", "party"), min_n=20), pd.DataFrame(), items, about)
    curve = {"bin": [0.1, 0.6], "personas": 20.0, "options": 40.0, "told": [0.15, 0.65], "own": [0.2, 0.5]}
    head = {"model": HOSTILE, "benchmark": "trait_inference:survey", "shown": "all", "metric": "letter probabilities"}
    found = replace(found, tables={**found.tables, "fidelity_reliability": pd.DataFrame({**head, **curve})})
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(found, json.dumps(SQUARE)), encoding="utf-8")
    return path


@pytest.fixture
def tab(new_context, html):
    opened = new_context(viewport={"width": 1200, "height": 900}).new_page()
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(html.as_uri())
    opened.wait_for_selector("html[data-ready=yes]")
    yield opened
    opened.close()


def open_all(tab) -> None:
    """Open every closed section."""
    tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


def test_every_plot_is_drawn_and_nothing_leaves_the_page(tab, html):
    plots = tab.locator(".plot").count()
    assert plots >= 5
    assert tab.locator(".choroplethlayer path").count() == 0  # behind the dots: drawn when it is chosen
    open_all(tab)
    tab.locator("[role=tab]:has-text('Map')").first.click()
    wait_until(lambda: tab.locator(".choroplethlayer path").count() >= 1)
    hidden = tab.locator("[role=tabpanel][hidden] .plot").count()
    wait_until(lambda: tab.evaluate("document.querySelectorAll('.plot:has(.main-svg)').length") == plots)
    assert hidden == 1  # the dots, which were drawn before
    assert tab.said == []
    assert [url for url in tab.asked if not url.startswith(("data:", "blob:")) and url != html.as_uri()] == []


def test_the_finding_is_on_the_first_screen_and_a_link_opens_its_section(tab):
    assert tab.locator(".finding").first.bounding_box()["y"] < 400
    assert tab.evaluate("document.documentElement.scrollHeight") < 3 * 900
    assert not tab.locator("#gaps table").first.is_visible()
    tab.click("nav a[href='#gaps']")
    wait_until(lambda: tab.locator("#gaps details.section").evaluate("(each) => each.open"))


def test_what_a_model_wrote_is_shown_and_not_run(tab):
    assert tab.evaluate("window.stolen") is None
    assert HOSTILE in tab.locator(".question").first.text_content()
    assert HOSTILE in tab.locator("h1").text_content()


def test_the_item_page_filters(tab):
    assert tab.locator(".item").count() == 12
    open_all(tab)
    tab.fill("#item-search", "item 11?")
    assert tab.locator(".item").count() == 1
    tab.select_option("#item-attribute", "gender")
    assert tab.locator(".level strong").all_text_contents()[1].startswith("women")
    tab.fill("#item-search", "no such words")
    assert tab.locator("#item-count").text_content() == "0 of 12 items"


@pytest.mark.parametrize("width", [400, 900, 1400])
def test_nothing_scrolls_sideways(tab, width):
    tab.set_viewport_size({"width": width, "height": 900})
    open_all(tab)
    wait_until(lambda: tab.evaluate(f"document.documentElement.scrollWidth <= {width}"))
    wide = "[...document.querySelectorAll('.scroll')].filter((each) => each.scrollWidth > each.clientWidth + 1).length"
    wait_until(lambda: tab.evaluate(wide) == 0)
    heads = "[...document.querySelectorAll('details.legend')].every((each) => each.querySelectorAll('dd').length === "
    assert tab.evaluate(f"{heads}each.previousElementSibling.querySelectorAll('thead th').length)")


def test_plots_fit_after_the_window_changed(tab):
    shown = (
        "[...document.querySelectorAll('.plot')].filter((each) => each.offsetParent && each.querySelector('.main-svg'))"
    )
    widest = f"Math.max(...{shown}.map((each) => each.querySelector('.main-svg').getBoundingClientRect().right))"
    taller = f"{shown}.filter((each) => each.querySelector('.main-svg').clientHeight > each.clientHeight + 1).length"
    close_all = "document.querySelectorAll('details').forEach((each) => { each.open = false; })"
    for width in (1400, 400, 1200):
        tab.set_viewport_size({"width": width, "height": 900})
        open_all(tab)
        wait_until(lambda: tab.evaluate(f"{shown}.length") >= 4)
        wait_until(lambda width=width: tab.evaluate(widest) <= width)
        wait_until(lambda: tab.evaluate(taller) == 0)
        tab.evaluate(close_all)


def test_every_plot_and_field_has_a_name(tab):
    assert tab.locator(".plot:not([aria-label])").count() == 0
    assert tab.locator("label input, label select").count() == tab.locator("input, select").count()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"

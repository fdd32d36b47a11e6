"""The live page in a real browser, over a real run in progress."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_llm import FakeLLM
from studies import ROOT, model, rows, start, write_study
from waiting import HUNG, wait_until

pytestmark = pytest.mark.slow

SCRIPT = "<img src=x onerror='window.stolen = 1'><script>window.stolen = 2</script>**bold** [link](http://evil.example)"
TURNED = "\u202eA\u202c שלום \x1b[31m\x00 \u200b"
LONG = "x" * 1_000_000 + "the end"
SETTLED = "!document.querySelector('[data-dash-is-loading], .ag-overlay-loading-center')"
PAGES = ("/", "/items", "/explore", "/compare?what=format&first=prose&second=bullets", "/report")


async def _sometimes(server, request, raw):
    """One request in forty is turned away, one in sixty cannot be answered."""
    from aiohttp import web

    chance = server.random.random()
    if chance < 1 / 40:
        return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0"})
    return web.json_response({"error": {"message": SCRIPT}}, status=400) if chance > 1 - 1 / 60 else None


class HostileLLM(FakeLLM):
    """Answers with what a page must not obey."""

    def letter(self, body: str) -> str:
        if '"hostile"' not in body:
            return super().letter(body)
        return (SCRIPT, TURNED, LONG)[sum(body.encode()) % 3]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A run of a few minutes, and the page over its file, each in a process of its own."""
    folder = tmp_path_factory.mktemp("run")
    with HostileLLM(latency=0.2, misbehave=_sometimes) as server:
        price = {"input": 1.0, "output": 2.0}
        models = [
            model(server.url, name="steady", id="steady", answer="probabilities", concurrency=8, price=price),
            model(server.url, name="hostile", id="hostile", concurrency=2),
        ]
        budget = {"usd": 50.0, "confirm_above": 100.0}
        tables = {"variants": {"formats": ["prose", "bullets"]}, "budget": budget, "report": {"by": ["gender"]}}
        study = write_study(folder, models, n=200, groups=20, **tables)
        going = start(study, "--yes", "--no-pilot")
        wait_until(lambda: (folder / "study.sqlite").exists() and _count(folder) > 50)
        page = subprocess.Popen(
            [sys.executable, "-m", "runner", "--study", str(study), "view"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert page.stdout is not None
        url = page.stdout.readline().strip()
        yield SimpleNamespace(folder=folder, going=going, url=url, base=url.split("/?")[0], other=server.url)
        page.terminate()
        page.wait(HUNG)
        going.kill()
        going.wait(HUNG)


def _count(folder: Path) -> int:
    tables = rows(folder, "SELECT count(*) FROM sqlite_schema WHERE name = 'score'")
    return rows(folder, "SELECT count(*) FROM score")[0][0] if tables[0][0] else 0


@pytest.fixture(scope="module")
def context(new_context):
    return new_context(viewport={"width": 1300, "height": 900})


@pytest.fixture
def tab(context, run):
    opened = context.new_page()
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(run.url)
    opened.wait_for_selector("h1")
    yield opened
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith((run.base, "data:", "blob:"))] == []
    opened.close()


def _done(tab) -> int:
    return int(tab.locator(".summary .big").text_content().split()[0].replace(",", ""))


def test_numbers_move_and_the_effect_appears(tab, run):
    assert tab.url == f"{run.base}/"
    before = _done(tab)
    wait_until(lambda: _done(tab) > before + 20)
    said = tab.locator(".summary").text_content()
    assert "Running" in said
    assert re.search(r"trials/s · about .* left", said)
    assert re.search(r"\$0\.\d+ of \$50\.00 spent", said)
    assert re.search(r"steady\d of 8|steady\d+\d of 8", tab.locator("#live").text_content())
    tab.wait_for_selector("#forest .main-svg")
    tab.wait_for_selector("#narrowing .main-svg")
    assert re.search(r"on [\d,]+ answers", tab.locator("#figures").text_content())


def test_filter_open_a_trial_and_go_back(tab, run):
    tab.click("nav >> text=Trials")
    tab.wait_for_selector(".ag-row a")
    tab.click("#explore-format")
    tab.click("label:has-text('bullets')")
    tab.wait_for_url("**/explore?format=bullets")
    wait_until(lambda: tab.evaluate(_every_row_is("format", "bullets")))
    tab.wait_for_selector("[role=status]:has-text('trials.')")
    address = tab.url
    tab.click(".ag-row a >> nth=0")
    tab.wait_for_selector("h2:has-text('Prompt as sent')")
    assert "\n- Background: " in tab.locator("section:has-text('Prompt as sent') pre").first.text_content()
    assert tab.locator("text=These messages hash to the request's key").count() == 1
    opened = tab.url
    tab.click("text=Next →")
    wait_until(lambda: tab.url != opened and tab.locator("a:has-text('← Previous')").count() == 1)
    assert "format=bullets" in tab.url
    tab.click("text=← Previous")
    tab.wait_for_url(opened)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=run.base)
    tab.click("#copy")
    tab.wait_for_selector("#copied:has-text('Copied')")
    copied = json.loads(tab.evaluate("navigator.clipboard.readText()"))
    assert copied["who"] in tab.locator("main").text_content() and len(copied["options"]) == 2
    tab.click("text=Back to the table")
    tab.wait_for_selector(".ag-row a")
    for _ in range(4):
        tab.go_back()
        tab.wait_for_load_state()
    wait_until(lambda: tab.evaluate(_every_row_is("format", "bullets")))
    assert tab.url == address
    tab.go_back()
    tab.wait_for_url("**/explore")


def test_only_what_the_persona_changed_the_most_changed_first(tab, run):
    tab.goto(f"{run.base}/explore?model=steady&only=changed&order=change")
    tab.wait_for_selector(".ag-row a")
    cells = "(name) => [...document.querySelectorAll(`.ag-row [col-id=${name}]`)].map((each) => each.textContent)"
    wait_until(lambda: len(tab.evaluate(cells, "answer")) > 3)
    chosen, before = tab.evaluate(cells, "answer"), tab.evaluate(cells, "baseline")
    assert all(one != other for one, other in zip(chosen, before, strict=True))
    assert all(re.fullmatch(r"(man|woman), \d+, [A-Z].*", each) for each in tab.evaluate(cells, "persona"))


def test_an_item_shows_who_changed(tab, run):
    tab.goto(f"{run.base}/items")
    tab.click("table a >> nth=0")
    tab.wait_for_selector("table:has-text('without persona')")
    assert tab.locator("progress").count() >= 4


def _every_row_is(column: str, value: str) -> str:
    cells = f"[...document.querySelectorAll('.ag-row [col-id={column}]')]"
    return f"{cells}.length > 3 && {cells}.every((cell) => cell.textContent === '{value}')"


def test_two_formats_beside_each_other(tab, run):
    tab.goto(f"{run.base}/compare?what=format&first=prose&second=bullets&only=different")
    tab.wait_for_selector(".ag-row a")
    tab.wait_for_selector("#difference table")
    assert "second − first" in tab.locator("#difference").text_content()
    wait_until(lambda: tab.evaluate("document.querySelectorAll('.ag-row').length > 3"))


@pytest.mark.parametrize(("scheme", "width", "pages"), [("light", 1300, ("/", "/report")), ("dark", 400, PAGES[:4])])
def test_no_fault_for_who_cannot_see_or_has_a_small_screen(new_context, run, scheme, width, pages):
    context = new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    tab = context.new_page()
    tab.goto(run.url)
    tab.wait_for_selector("h1")
    trial = rows(run.folder, "SELECT model, persona, variant, item, rotation, replicate FROM score LIMIT 1")[0]
    for path in (*pages, f"/trial?place={'-'.join(map(str, trial))}"):
        tab.goto(f"{run.base}{path}")
        tab.wait_for_selector("h1")
        tab.wait_for_selector(".ag-row [col-id], #account, h2, main table, #report-state")
        wait_until(lambda: tab.evaluate(SETTLED))
        _assert_no_grave_fault(tab)
        wait_until(lambda: tab.evaluate(f"document.documentElement.scrollWidth <= {width}"))
        background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")
    context.close()


def test_with_the_keyboard_alone(tab):
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    _press_until(tab, "Tab", "document.activeElement.textContent === 'Trials'")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".ag-row a")
    _press_until(tab, "Tab", "document.activeElement.id === 'explore-status'")
    tab.keyboard.press("Enter")
    wait_until(lambda: tab.evaluate("document.activeElement.closest('.dash-dropdown-content') !== null"))
    _assert_no_grave_fault(tab)
    _press_until(tab, "ArrowDown", "document.activeElement.value === 'unparsed'")
    tab.keyboard.press("Space")
    tab.wait_for_url("**/explore?status=unparsed")
    wait_until(lambda: tab.evaluate("document.activeElement.id === 'explore-status'"))
    wait_until(lambda: tab.evaluate(_every_row_is("status", "unparsed")))
    _press_until(tab, "Tab", "document.activeElement.closest('.ag-header') !== null")
    _press_until(tab, "ArrowDown", "document.activeElement.closest('.ag-row') !== null")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("h2:has-text('Prompt as sent')")


def _press_until(tab, key: str, true: str) -> None:
    """Press a key that moves the focus; lists move it a moment after the key."""
    for _ in range(40):
        before = tab.evaluate_handle("document.activeElement")
        tab.keyboard.press(key)
        wait_until(lambda before=before: tab.evaluate("before => document.activeElement !== before", before))
        if tab.evaluate(true):
            return
    raise AssertionError(f"{key} never made it true: {true}")


def test_two_tabs_look_at_different_things(tab, context, run):
    other = context.new_page()
    other.goto(f"{run.base}/explore?model=steady&format=bullets")
    wait_until(lambda: other.evaluate(_every_row_is("format", "bullets")))
    before = _done(tab)
    wait_until(lambda: _done(tab) > before)
    other.wait_for_selector("text=newer have landed")
    assert other.evaluate(_every_row_is("format", "bullets"))
    other.close()


def _assert_no_grave_fault(tab) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = [each for each in Axe().run(tab).response["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], tab.url


def test_hostile_answers_are_inert_and_readable(tab, run):
    sql = (
        "SELECT s.model, s.persona, s.variant, s.item, s.rotation, s.replicate, c.id FROM score s "
        "JOIN completion c ON c.id = s.completion JOIN model m ON m.id = s.model WHERE m.name = 'hostile' AND {}"
    )
    wanted = {"script": "c.answer LIKE '<img%'", "turned": "length(c.answer) < 30", "long": "length(c.answer) > 999999"}
    wait_until(lambda: all(rows(run.folder, sql.format(where) + " LIMIT 1") for where in wanted.values()))
    found = {name: rows(run.folder, sql.format(where) + " LIMIT 1")[0] for name, where in wanted.items()}
    shown = {}
    for name, row in found.items():
        tab.goto(f"{run.base}/trial?place={'-'.join(map(str, row[:6]))}")
        tab.wait_for_selector("h2:has-text('Prompt as sent')")
        shown[name] = tab.locator("section:has-text('Answer') pre").first.text_content()
        assert tab.locator("main img, main script, main b").count() == 0
    assert shown["script"] == SCRIPT
    assert shown["turned"] == "⟨U+202E⟩A⟨U+202C⟩ שלום ␛[31m␀ ⟨U+200B⟩"
    assert len(shown["long"]) == 20_000
    assert tab.locator("text=The first 20,000 of 1,000,007 characters.").count() == 1
    read = "async (url) => { const got = await fetch(url); return [await got.text(), [...got.headers]]; }"
    whole, headers = tab.evaluate(read, f"{run.base}/answer/{found['long'][6]}.txt")
    assert whole == LONG
    assert dict(headers)["content-type"].startswith("text/plain")
    assert dict(headers)["content-disposition"].startswith("attachment")
    tab.goto(f"{run.base}/explore?model=hostile")
    tab.wait_for_selector(".ag-row a")
    tab.goto(f"{run.base}/explore?status=failed&model=%3Cscript%3Ewindow.stolen%3D3%3C%2Fscript%3E")
    tab.wait_for_selector("text=0 trials.")
    tab.goto(run.base)
    tab.wait_for_selector("#tables:has-text('onerror')")
    assert tab.evaluate("window.stolen") is None


def test_another_origin_cannot_read_it(context, run):
    tab = context.new_page()
    tab.goto(f"{run.other}/models")
    read = f"fetch('{run.base}/_dash-layout', {{credentials: 'include'}}).then((answer) => answer.status, () => 'no')"
    assert tab.evaluate(read) == "no"
    frame = f"new Promise((done) => {{ const f = document.createElement('iframe'); f.src = '{run.base}/'; "
    frame += "f.onload = () => done(f.contentDocument === null); document.body.append(f); })"
    assert tab.evaluate(frame) is True
    tab.close()


def test_the_report_is_the_same_page(tab, run):
    tab.goto(f"{run.base}/report")
    frame = tab.frame_locator("iframe.report")
    frame.locator("h1:has-text('Persona effect: study')").wait_for()
    frame.locator(".plot .main-svg").first.wait_for()
    assert tab.evaluate("document.querySelector('iframe.report').contentDocument") is None


def test_stop_asks_first_and_then_the_run_ends_tidily(tab, run):
    with tab.expect_event("dialog") as asked:
        tab.once("dialog", lambda dialog: dialog.dismiss())
        tab.click("#stop")
    assert "Stop this run" in asked.value.message
    before = _done(tab)
    wait_until(lambda: _done(tab) > before)
    assert run.going.poll() is None
    assert rows(run.folder, "SELECT stop_requested FROM run") == [(0,)]
    tab.once("dialog", lambda dialog: dialog.accept())
    tab.click("#stop")
    tab.wait_for_selector("text=Asked: the run ends after what is in flight.")
    said, _ = run.going.communicate(timeout=HUNG)
    assert run.going.returncode == 130, said
    tab.wait_for_selector(".summary:has-text('Ended')")
    tab.wait_for_selector("#stop", state="hidden")
    tab.wait_for_selector(".finding")
    ((answers,),) = rows(run.folder, "SELECT count(*) FROM score")
    assert f"Computed on all {answers:,} answers" in tab.locator("#account").text_content()


def test_a_run_is_waited_for_and_what_it_found_is_there_though_nobody_looked(new_context, tmp_path):
    with FakeLLM() as server:
        study = write_study(tmp_path, [model(server.url, answer="probabilities")], n=12, groups=6)
        page = subprocess.Popen(
            [sys.executable, "-m", "runner", "--study", str(study), "view"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert page.stdout is not None
            address = page.stdout.readline().strip()
            context = new_context()
            tab = context.new_page()
            tab.goto(address)
            tab.wait_for_selector("h1:has-text('Waiting for the run')")
            going = start(study, "--yes", "--no-pilot")
            tab.wait_for_selector("h1:has-text('Overview')")
            tab.close()
            said, _ = going.communicate(timeout=HUNG)
            assert going.returncode == 0, said
            tab = context.new_page()
            tab.goto(address)
            tab.wait_for_selector(".finding")
            tab.wait_for_selector("#forest .main-svg")
            assert tab.locator("#now").is_hidden()
            assert f"Computed on all {6 * 13} answers" in tab.locator("#account").text_content()
        finally:
            page.terminate()
            page.wait(HUNG)

"""The live page over a million trials: first paint and filters against what is wanted, and what a run loses beside it.

    python tests/bench/view.py [--trials 1000000] [--file FILE.sqlite] [--seconds 20]

The last part runs the same study with the page open in a browser and without it, in turn, against a server that takes
200 ms an answer; a ratio of 1 means that looking costs the run nothing. Needs Debian's Chromium.
"""

import argparse
import asyncio
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
PAINT_SECONDS, FILTER_SECONDS = 2.0, 1.0
ROUNDS = 5
SETTLING_SECONDS = 12.0
FILTERS = (
    ("model", "fake", ""),
    ("country", "USA", ""),
    ("level", "female", "?trait=gender"),
    ("format", "prose", "?benchmark=bbq"),
    ("status", "refused", ""),
    ("item", "none such", ""),
)


def _engine() -> ModuleType:
    """The engine's own benchmark, which has the studies and the fast server."""
    spec = importlib.util.spec_from_file_location("bench_engine", HERE / "engine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


engine = _engine()


def filled(folder: Path, trials: int) -> Path:
    """A file with this many trials, each of them put there by a run."""
    study = engine.larger(engine.study_on(folder, "http://127.0.0.1:1/v1", 1_000, concurrency=256), trials)
    began = time.perf_counter()
    state = asyncio.run(engine.run(study, pilot=False, backend=engine.Instant))
    print(f"filled {state.total('answered'):,} trials in {time.perf_counter() - began:.0f} s", flush=True)
    return Path(study.database)


@contextmanager
def opened(database: Path) -> Iterator[Page]:
    """A browser that has let itself in."""
    command = [sys.executable, "-m", "runner", "view", str(database)]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert served.stdout is not None
    try:
        address = served.stdout.readline().strip()
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
            page = browser.new_page(viewport={"width": 1300, "height": 900})
            page.goto(address)
            page.wait_for_selector(".summary")
            yield page
            browser.close()
    finally:
        served.terminate()
        served.wait()


def looked_at(database: Path) -> None:
    """Medians of five: until something is painted, until the rows are there, and from a filter to its rows."""
    with opened(database) as page:
        base = page.url.rstrip("/")
        for path, shown in (("/", ".summary"), ("/explore", ".ag-row a")):
            painted, ready = [], []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                page.goto(f"{base}{path}")
                page.wait_for_selector(shown)
                ready.append(time.perf_counter() - began)
                entry = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
                painted.append(entry / 1000)
            _say(f"{path}: first paint", painted, PAINT_SECONDS)
            _say(f"{path}: what was asked for is there", ready, PAINT_SECONDS)
        for name, value, before in FILTERS:
            taken = [_filtered(page, f"{base}/explore{before}", name, value) for _ in range(ROUNDS)]
            _say(f"filter: {name} is {value}", taken, FILTER_SECONDS)


def _filtered(page: Page, address: str, name: str, value: str) -> float:
    """Seconds from the choice of a filter to its first rows, or to the count where it finds none."""
    page.goto(address)
    page.wait_for_selector(".ag-row a")
    table = page.locator(".grid").element_handle()
    assert table is not None
    if name == "item":
        page.fill("#explore-item", value)
        began = time.perf_counter()
        page.keyboard.press("Enter")
    else:
        page.click(f"#explore-{name}")
        option = page.locator(f".dash-options-list-option-text span:text-is('{value}')")
        option.wait_for()
        began = time.perf_counter()
        option.click()
    while page.evaluate("(table) => table.isConnected && table === document.querySelector('.grid')", table) and (
        time.perf_counter() - began < 30
    ):
        time.sleep(0.005)
    page.wait_for_selector(".ag-row a, [role=status]:has-text('0 trials.')")
    return time.perf_counter() - began


def _say(what: str, seconds: list[float], wanted: float) -> None:
    middle = statistics.median(seconds)
    print(f"{what:42s} {1000 * middle:6.0f} ms, {middle / wanted:.2f} of the {wanted:.0f} s wanted", flush=True)


def beside(seconds: float, concurrency: int) -> None:
    """The rate of a run with the page open, over its rate without, in turn."""
    with_page, without = [], []
    for _ in range(3):
        without.append(_rate(seconds, concurrency, False))
        with_page.append(_rate(seconds, concurrency, True))
    ratio = statistics.median(one / other for one, other in zip(with_page, without, strict=True))
    rates = f"{statistics.median(without):.0f}/s without the page, {statistics.median(with_page):.0f}/s with it"
    print(f"{concurrency} in flight, 200 ms each: {rates}, ratio {ratio:.3f}", flush=True)


def _rate(seconds: float, concurrency: int, is_watched: bool) -> float:
    """Trials a second of a run that has settled, which a browser looks at or not."""
    with engine.Server(0.2) as server, tempfile.TemporaryDirectory() as folder:
        requests = round((seconds + 4 * SETTLING_SECONDS) * concurrency / 0.2)
        study = engine.study_on(Path(folder), server.url, min(requests, 230_000), concurrency=concurrency)
        command = [sys.executable, "-m", "runner", "--study", str(study.path), "--yes", "--no-pilot"]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not _answered(study.database):
                time.sleep(0.2)
            with opened(study.database) if is_watched else nullcontext():
                return _measured(study.database, seconds)
        finally:
            run.terminate()
            run.wait()


def _measured(database: Path, seconds: float) -> float:
    time.sleep(SETTLING_SECONDS)
    before, began = _answered(database), time.perf_counter()
    time.sleep(seconds)
    return (_answered(database) - before) / (time.perf_counter() - began)


def _answered(database: Path) -> int:
    from runner.view.queries.file import reading

    if not database.exists():
        return 0
    with reading(database) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'score'").fetchone()[0]
        return int(connection.execute("SELECT coalesce(max(id), 0) FROM score").fetchone()[0]) if tables else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path, help="look at this file, and fill none")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each run is measured")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        looked_at(chosen.file or filled(Path(place), chosen.trials))
    beside(chosen.seconds, 64)

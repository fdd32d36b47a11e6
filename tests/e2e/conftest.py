"""The browser that the pages are opened in."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import HUNG

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium: make browser")
        pytest.skip("no chromium: make browser")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=quiet)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def new_context(browser) -> Iterator[Callable]:
    """A function that opens a context in which only what hangs is too slow."""
    opened = []

    def new(**options):
        opened.append(browser.new_context(**options))
        opened[-1].set_default_timeout(1000 * HUNG)
        return opened[-1]

    yield new
    for context in opened:
        context.close()

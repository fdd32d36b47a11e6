"""The documentation as a reader has it who opened a page from a folder, without a server or a network."""

from pathlib import Path

import pytest
from pages import build_site


@pytest.mark.slow
def test_the_search_works_in_a_page_that_was_opened_from_a_file(new_context, tmp_path: Path) -> None:
    page = new_context(viewport={"width": 1400, "height": 900}).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((build_site(tmp_path) / "how-to" / "share.html").as_uri())
    page.click("input[name=query]")
    page.keyboard.type("counterfactual twins")
    page.wait_for_selector(".md-search-result__item")
    assert "twins" in page.inner_text(".md-search-result__list")
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:", "about:"))] == []

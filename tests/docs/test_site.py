"""The site: built strictly from the pages that are there, and read without a network."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from pages import blocks, build_site
from studies import ROOT
from typer.testing import CliRunner

from runner.cli.app import app

LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background"}
LINKS_THAT_LOAD = {
    "stylesheet",
    "preconnect",
    "dns-prefetch",
    "preload",
    "modulepreload",
    "icon",
    "manifest",
    "prefetch",
}


class Loaded(HTMLParser):
    """What a browser would load of a page by itself, in `addresses`."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        kinds = set(given.get("rel", "").split())
        wanted = LOADING | ({"href"} if tag == "link" and kinds & LINKS_THAT_LOAD else set())
        self.addresses += [value for name, value in given.items() if name in wanted]


def loaded(page: Path) -> list[str]:
    parser = Loaded()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.addresses


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("site"))


def test_every_page_is_in_the_site_and_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).exists(), page
    pages = list(site.rglob("*.html"))
    found = {(page.name, address) for page in pages for address in loaded(page)}
    assert len(found) > 20
    assert {each for each in found if re.match(r"(\w+:)?//", each[1])} == set()
    # Every script and style that a page names is there.
    for page in pages:
        here = (page.parent / address for address in loaded(page) if address[:1] not in "#/" and ":" not in address)
        assert [each for each in here if not Path(str(each).partition("?")[0]).exists()] == []
    styles = "".join(style.read_text(encoding="utf-8") for style in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\s*['\"]?https?:[^)]*", styles) == []


def test_the_build_servers_workflow_has_commands_that_there_are() -> None:
    (block,) = (each for each in blocks(ROOT / "docs" / "how-to" / "watch.md") if each.language == "yaml")
    steps = yaml.safe_load(block.text)["jobs"]["watch"]["steps"]
    lines = [line for step in steps for line in step.get("run", "").splitlines() if "mtpa-run" in line]
    assert len(lines) == 4
    for line in lines:
        words = line.partition("mtpa-run --study planned.toml")[2].split()
        command = [word for word in words[:1] if not word.startswith("-")]
        shown = CliRunner().invoke(app, [*command, "--help"])
        assert shown.exit_code == 0
        assert all(word in shown.output for word in words if word.startswith("--")), line


def test_the_public_names_are_in_the_site(site: Path) -> None:
    import mtpa

    text = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert [name for name in mtpa.__all__ if f'id="mtpa.{name}"' not in text] == []


def test_the_tutorial_reads_the_report_that_the_readme_shows() -> None:
    def squeezed(text: str) -> str:
        return " ".join(text.split())

    report = squeezed(next(block.text for block in blocks(ROOT / "README.md") if "Persona effect" in block.text))
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    quotes = [squeezed(each.replace("\n> ", " ")) for each in re.findall(r"^> ((?:.|\n> )+)", tutorial, re.MULTILINE)]
    table = next(block.text for block in blocks(ROOT / "docs" / "tutorial.md") if "Persona effect" in block.text)
    assert len(quotes) > 4
    assert [quote for quote in (*quotes, squeezed(table)) if quote not in report] == []

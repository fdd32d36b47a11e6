"""The version stands in pyproject.toml; what repeats it for others says the same."""

import tomllib

import yaml
from studies import ROOT


def test_the_citation_is_of_this_version_and_of_the_paper_as_it_was_printed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    paper = citation["preferred-citation"]
    assert paper["title"] == "MPTA: MultiTask Personalization Assessment"
    assert (paper["start"], paper["end"]) == (11982, 11992)
    assert paper["url"].rstrip("/").endswith("2025.findings-emnlp.640")

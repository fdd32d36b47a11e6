"""`plan --resolve` plans every facet that the file has varied."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from runner.cli.resolve import print_resolution
from runner.planning import facet_plan
from runner.study.config import Study

STUDY = """
[study]
name = "s"
database = "s.sqlite"
[personas]
sources = ["starter_wvs3"]
n = 20
traits = "all"
[[benchmarks]]
name = "normad"
part = "rot"
groups = 8
[[models]]
name = "m"
backend = "openai-compatible"
id = "m"
base_urls = ["http://localhost:9/v1"]
answer = "text"
[report]
by = ["country"]
"""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "s.toml").write_text(STUDY)
    return Study.load(tmp_path / "s.toml")


def test_without_a_file_it_plans_with_defaults(study: Study) -> None:
    (row,) = facet_plan.facet_plans(study, 0.05)
    assert (row.source, row.scope, row.held) == (
        "defaults",
        facet_plan.ONE_WORDING,
        ("wording", "rotation", "replicate"),
    )
    assert row.design is not None and row.design.half_width <= 0.05 and row.unpriced


def test_what_is_assumed_is_printed(study: Study) -> None:
    console = Console(width=200, file=StringIO(), record=True)
    print_resolution(study, 0.05, None, console)
    text = console.export_text()
    assert "Δ known to ± 0.05" in text
    assert "Not varied in the file, so taken as they are: replicate, rotation, wording." in text

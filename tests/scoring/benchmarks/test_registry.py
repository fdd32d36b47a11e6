"""Installed benchmarks: the project's own, and one of somebody else's package."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from personas.errors import InputError
from scoring.answers.items import option_order
from scoring.answers.responses import Outcome, Response
from scoring.benchmarks.base import Benchmark
from scoring.benchmarks.registry import benchmark, broken, registry

DOCS = Path(__file__).parents[3] / "docs" / "benchmarks"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path that holds what the wheel of the documented package holds."""
    shutil.copytree(DOCS, tmp_path / "source")
    build = "from setuptools.build_meta import build_wheel; build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path / "source", check=True, capture_output=True)
    site = tmp_path / "site"
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    monkeypatch.syspath_prepend(site)
    registry.cache_clear()
    yield next(site.glob("*.dist-info"))
    registry.cache_clear()


def test_a_package_registers_its_benchmark_by_entry_point(installed: Path) -> None:
    found = benchmark("capitals")
    items = list(found.load(Path()))
    assert len((DOCS / "capitals.py").read_text().splitlines()) <= 25
    assert isinstance(found, Benchmark) and [item.id for item in items] == ["capitals/France", "capitals/Kenya"]
    order = option_order(items[1])
    assert found.score(items[1], order, Response(text="Nairobi"), None) == Outcome("ok", 0, None, 1.0)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("capitals = mtpa_capitals.capitals:Absent", "cannot be loaded"),
        ("capitals = pathlib:Path", "is not a Benchmark"),
        ("capitals = sys:exit", "cannot be loaded: SystemExit"),
        ("cities = mtpa_capitals.capitals:Capitals", "calls itself 'capitals'"),
    ],
)
def test_a_broken_entry_point_is_named_and_stops_no_other(installed: Path, entry: str, sentence: str) -> None:
    (installed / "entry_points.txt").write_text(f"[mtpa.benchmarks]\n{entry}\n")
    name = entry.partition(" ")[0]
    assert "bbq" in registry() and name not in registry() and list(broken()) == [name]
    with pytest.raises(InputError, match=f"benchmark '{name}' .*{sentence}"):
        benchmark(name)


def test_the_projects_own_benchmarks_are_all_there_and_whole() -> None:
    names = {"bbq", "crows_pairs", "normad", "trait_inference", "truthfulqa_2025", "truthfulqa_v0"}
    assert names <= registry().keys()
    assert all(
        registry()[name].name == name and registry()[name].better in ("higher", "lower", "half") for name in names
    )
    with pytest.raises(InputError, match="unknown benchmark 'truthfulqa_v1'; did you mean 'truthfulqa_v0'"):
        benchmark("truthfulqa_v1")

"""Installed benchmarks: the project's own, and one of somebody else's package."""

import shutil
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
    """A folder on the path that holds the documented package as pip would leave it."""
    for name in ("capitals.py", "capitals.csv"):
        shutil.copy(DOCS / name, tmp_path)
    info = tmp_path / "capitals-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: capitals\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mtpa.benchmarks]\ncapitals = capitals:Capitals\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry.cache_clear()
    yield info
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
        ("capitals = capitals:Absent", "cannot be loaded"),
        ("capitals = pathlib:Path", "is no Benchmark"),
        ("capitals = sys:exit", "cannot be loaded: SystemExit"),
        ("cities = capitals:Capitals", "calls itself 'capitals'"),
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

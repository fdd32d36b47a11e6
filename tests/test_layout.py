"""The house: how many modules a folder has, that names are unique, where tests are, and what is known where."""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("personas", "scoring", "runner", "migrations")
MOST_MODULES, MOST_LINES = 18, 400
UNTESTED = 80  # lines of a module that needs no test file of its own name
SHARED_TESTS = ROOT / "tests" / "shared_tests.toml"
# One word for one job in every folder that has it, and folders that mirror what they show.
SHARED_NAMES = {"__init__", "app", "base", "errors"}
TEMPLATES = Path("runner/cli/init.py")  # names the studies that it can write, by whose endpoint they ask
TOPICS = Path("personas/surveys/drafts/draft_words.py")  # a group of survey questions is called as a benchmark is
MIRRORS = ("runner/cli", "runner/view/pages")


def modules() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *(f"{name}/*.py" for name in PACKAGES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in listed.stdout.split() if (ROOT / line).exists()]


def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_folders_and_modules_stay_small() -> None:
    folders = Counter(path.parent for path in modules() if path.stem != "__init__")
    assert {str(folder): count for folder, count in folders.items() if count > MOST_MODULES} == {}
    lines = {str(path): text(path).count("\n") for path in modules()}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_a_module_has_its_name_to_itself() -> None:
    mirrored = [path for path in modules() if not str(path.parent).startswith(MIRRORS)]
    counts = Counter(path.stem for path in mirrored if path.stem not in SHARED_NAMES)
    assert [name for name, count in counts.items() if count > 1] == []


def test_a_module_of_some_length_has_a_test_file() -> None:
    """Of its own name, or one that `shared_tests.toml` names."""
    shared = {Path(name) for names in tomllib.loads(SHARED_TESTS.read_text()).values() for name in names}
    long = {path for path in modules() if path.stem != "__init__" and text(path).count("\n") > UNTESTED}
    mirrored = {path for path in long if (ROOT / "tests" / path.with_name(f"test_{path.name}")).exists()}
    assert sorted(map(str, long - mirrored - shared)) == []
    assert sorted(map(str, shared - long | shared & mirrored)) == []  # what needs no entry has none


def test_a_shared_test_reaches_its_modules() -> None:
    """Through imports, or through the names of modules that are imported when they are needed."""
    named = {path.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path for path in modules()}
    leads_to = {name: imported(path) & set(named) for name, path in named.items()}
    for test, wanted in tomllib.loads(SHARED_TESTS.read_text()).items():
        reached, new = set(), imported(Path(test)) & set(named)
        while new:
            reached |= new
            new = set().union(*(leads_to[name] for name in new)) - reached
        assert {Path(name) for name in wanted} <= {named[name] for name in reached}, test


def imported(path: Path) -> set[str]:
    """What a file may import, and every text in it that could be a module's name."""
    found = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value.partition(":")[0])
    return found


def test_a_class_has_its_name_to_itself() -> None:
    trees = {path: ast.parse(text(path)) for path in modules()}
    counts = Counter(node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef))
    assert [name for name, count in counts.items() if count > 1] == []


def test_no_benchmark_is_known_by_name_outside_its_room() -> None:
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["mtpa.benchmarks"]
    names = re.compile(rf"['\"]({'|'.join(entries)})[:'\"]")
    found = [
        str(path)
        for path in modules()
        if "scoring/benchmarks" not in str(path) and path != TOPICS and names.search(text(path))
    ]
    assert found == []


def test_no_provider_is_known_by_name_outside_its_room() -> None:
    """What a study, the engine or a report does is the same whoever answers; texts for people may name providers."""
    imports = re.compile(r"^\s*(import|from) (openai|google|anthropic)\b", re.MULTILINE)
    names = {"openai", "gemini", "anthropic", "google", "openai-compatible"}
    found = []
    for path in (path for path in modules() if "runner/backends" not in str(path) and path != TEMPLATES):
        said = {node.value for node in ast.walk(ast.parse(text(path))) if isinstance(node, ast.Constant)}
        found += [str(path)] if imports.search(text(path)) or said & names else []
    assert found == []


def test_the_public_names_are_these() -> None:
    import mtpa

    errors = ["InputError", "MachineError", "MtpaError"]
    assert mtpa.__all__ == [*errors, "Study", "effects", "findings", "load_scores", "persona_effect", "run"]
    assert all(getattr(mtpa, name) is not None for name in mtpa.__all__)


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md"])
def test_what_a_reader_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 500


def test_the_version_stands_in_one_place() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()

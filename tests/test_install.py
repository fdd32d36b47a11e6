"""The wheel and the sdist: whole, the same by both ways, and usable where the repository is not."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from studies import ROOT

PACKAGES = ("personas", "scoring", "runner", "migrations")
pytestmark = pytest.mark.slow

BUILT = {"__pycache__", "build", "dist"}


def _build(tree: Path, what: str, to: Path) -> Path:
    """What the build backend makes of a tree, as `pip` and `build` call it, without fetching the backend."""
    to.mkdir(exist_ok=True)
    code = f"from setuptools.build_meta import build_{what}; print(build_{what}({str(to)!r}))"
    printed = subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=True).stdout
    return to / printed.splitlines()[-1]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel of the tree, and that of the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    tree = folder / "tree"
    hidden = shutil.ignore_patterns(".*", "*.egg-info", *BUILT)
    for name in (*PACKAGES, "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=hidden)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, tree)
    sdist = _build(tree, "sdist", folder / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return _build(tree, "wheel", folder / "wheel"), _build(unpacked, "wheel", folder / "from-sdist")


def _modules(wheel: Path) -> dict[str, int]:
    """Every file of a wheel but its own record, with its checksum."""
    with zipfile.ZipFile(wheel) as archive:
        return {each.filename: each.CRC for each in archive.infolist() if not each.filename.endswith("RECORD")}


def test_the_wheel_has_every_file_of_the_packages_also_by_way_of_the_sdist(wheels: tuple[Path, Path]) -> None:
    of_tree, of_sdist = map(_modules, wheels)
    here = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {*here, "mtpa.py"} - set(of_tree) == set()
    assert of_tree == of_sdist


def test_the_installed_command_writes_and_plans_a_study_without_the_repository(
    wheels: tuple[Path, Path], tmp_path: Path
) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, str(wheels[1])], check=True, capture_output=True)
    (site,) = (home / "lib").glob("python*/site-packages")
    # What mtpa depends on is there already; the tree itself is not on the path.
    others = [each for each in sys.path if each.endswith("site-packages")] or [sysconfig.get_path("purelib")]
    (site / "dependencies.pth").write_text("\n".join(others) + "\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def command(*options: str) -> str:
        found = subprocess.run(
            [home / "bin" / "mtpa-run", *options],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    where = subprocess.run(
        [python, "-c", "import mtpa, runner; print(mtpa.__file__, runner.__file__, mtpa.__version__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert where.count(str(home)) == 2
    assert where.split()[-1] in command("--version")
    assert "mtpa-run plan" in command("init", "api")
    assert "At most $" in command("plan")

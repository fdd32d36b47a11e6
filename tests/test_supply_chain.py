"""What is installed and run from elsewhere is named exactly: actions by their commit, files by their sha256."""

import importlib.util
import re

import pytest
import yaml
from studies import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _hashes() -> object:
    spec = importlib.util.spec_from_file_location("hashes", ROOT / ".ci" / "hashes.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_may_read_only(path: object) -> None:
    workflow = yaml.safe_load(path.read_text())  # type: ignore[attr-defined]
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each) for each in used), used
    assert workflow["permissions"] == {"contents": "read"}
    writing = {name for name, job in workflow["jobs"].items() if job.get("permissions")}
    assert writing <= {"release"}


def test_every_file_of_an_install_has_its_hash() -> None:
    def entry(name: str, **info: object) -> dict[str, object]:
        return {"metadata": {"name": name, "version": "1"}, "is_direct": name == "mtpa", "download_info": info}

    told = {"archive_info": {"hashes": {"sha256": "ab" * 32}}}
    report = {"install": [entry("mtpa", dir_info={}), entry("b", **told), entry("A", **told)]}
    hashes = _hashes()
    assert hashes.requirements(report) == [f"{name}==1 --hash=sha256:{'ab' * 32}" for name in "Ab"]  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="odd 1: the index tells no sha256"):
        hashes.requirements({"install": [entry("odd", archive_info={})]})  # type: ignore[attr-defined]

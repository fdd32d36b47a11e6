"""Who may read what: restricted answers their owner alone, all else as the umask says, nothing more than it says."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_llm import FakeLLM
from studies import load, model

from personas.people.respondents import Respondents
from personas.release.jsonl import write_jsonl
from personas.release.parquet import write_personas
from personas.whole_file import replaced, write_whole
from runner.engine.run import run
from runner.store.merge import merge
from runner.study.config import Study
from runner.study.sources import load_personas


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
async def test_a_study_and_its_personas(
    mask: int, restricted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def people(study: Study, *more: Any) -> Respondents:
        found = load_personas(study, *more)
        return replace(
            found, sources={name: replace(each, restricted=restricted) for name, each in found.sources.items()}
        )

    monkeypatch.setattr("runner.crossing.prepare.load_personas", people)
    wanted = 0o600 if restricted else 0o666 & ~mask
    with FakeLLM(latency=0.01) as server, umask(mask):
        study = load(tmp_path, [model(server.url)], n=2, groups=2)
        await run(study)
        respondents = people(study, lambda line: None)
        write_personas(tmp_path / "p.parquet", [respondents], {})
        write_jsonl(tmp_path / "p.jsonl", respondents, core_only=True)
        merge([study.database], tmp_path / "into.sqlite")
    names = ("study.sqlite", "study.sqlite.lock", "p.parquet", "p.jsonl", "into.sqlite")
    assert {name: oct(mode(tmp_path / name)) for name in names} == dict.fromkeys(names, oct(wanted))


@pytest.mark.parametrize("mask", [0o002, 0o077])
def test_a_file_is_as_the_umask_says(mask: int, tmp_path: Path) -> None:
    with umask(mask):
        with replaced(tmp_path / "table.csv") as file:
            file.write(b"x")
        write_whole(tmp_path / "cache" / "asset", b"x")  # others may share the cache
    assert {mode(tmp_path / "table.csv"), mode(tmp_path / "cache" / "asset")} == {0o666 & ~mask}

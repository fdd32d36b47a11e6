"""Bundles: every table again without a survey, nothing of a persona inside, nothing from outside that is trusted."""

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model

from personas.errors import InputError, MachineError
from personas.people.respondents import Respondents
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.results.study_report import study_findings
from runner.sharing.bundle import MANIFEST, unbundle, write_bundle
from runner.sharing.rehydrate import rehydrate
from runner.store.database import open_database
from runner.study.config import Study
from runner.study.sources import load_personas
from scoring.report.export import write_tables

TABLES = {"variants": {"formats": ["prose"], "neutral": True}, "report": {"by": ["gender"], "weights": "survey"}}


def tables(study: Study, folder: Path) -> dict[str, bytes]:
    """Every table of the study's report as CSV, by name."""
    folder.mkdir()
    written = write_tables(folder / "x.sqlite", study_findings(study).tables, "csv")
    return {path.name: path.read_bytes() for path in written}


async def answered(folder: Path, server: FakeLLM, **changes: object) -> Study:
    folder.mkdir(exist_ok=True)
    study = load(folder, [model(server.url)], n=8, groups=4, **{**TABLES, **changes})
    text = study.path.read_text().replace('traits = "all"', 'traits = "all"\nswap = ["gender"]')
    study.path.write_text(text)
    await run(Study.load(study.path))
    return Study.load(study.path)


async def test_a_bundle_makes_every_table_again_and_tells_nothing_of_anybody(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = await answered(tmp_path / "here", server)
        before = tables(study, tmp_path / "before")
        path = write_bundle(study, tmp_path / "b.zip")
        assert write_bundle(study, tmp_path / "again.zip").read_bytes() == path.read_bytes()
        other = unbundle(path, tmp_path / "there")
        assert tables(other, tmp_path / "after") == before
        assert {"x.effects.csv", "x.personas.csv", "x.counterfactuals.csv", "x.answers.csv"} <= set(before)

        with prepared(study) as ready:
            people = [persona for _, persona in ready.crossing.personas]
            texts = {asked.persona_text for asked in ready.crossing.trials(ready.crossing.models[0])} - {""}
            keys = {asked.request.key for asked in ready.crossing.trials(ready.crossing.models[0])}
            clusters = {row[0] for row in ready.cache.connection.execute("SELECT cluster FROM persona")}
        raw = b"".join(each.read_bytes() for each in (tmp_path / "there").rglob("*") if each.is_file())
        lines = {line for text in texts for line in text.splitlines()}
        wanted = [*(person.persona_id for person in people), *lines, *clusters]
        assert not [each for each in wanted if each.encode() in raw]
        assert not [key for key in keys if key in raw]

        with pytest.raises(InputError, match="redacted"):
            await run(other)
        sent = server.requests
        found = rehydrate(other)
        assert found.personas == len(people) and found.gone == 0
        assert (await run(other)).sent == 0 and server.requests == sent
    connection = open_database(other.database)
    assert {text for (text,) in connection.execute("SELECT text FROM text")} >= texts
    connection.close()


async def test_a_long_answer_stays_at_home_and_is_asked_again(tmp_path: Path) -> None:
    with FakeLLM() as server:
        server.letter = lambda body: "A. I am 34 years old."  # type: ignore[method-assign]
        study = await answered(tmp_path / "here", server, variants={"formats": ["prose"]})
        other = unbundle(write_bundle(study, tmp_path / "b.zip"), tmp_path / "there")
        connection = open_database(other.database)
        kept = connection.execute("SELECT count(*), sum(answer IS NULL) FROM completion").fetchone()
        connection.close()
        asked = server.requests
        assert kept == (asked, asked - 4)
        assert rehydrate(other).gone == asked - 4
        assert (await run(other)).sent == asked - 4


async def test_with_leave_the_personas_go_along(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = await answered(tmp_path / "here", server)
        other = unbundle(write_bundle(study, tmp_path / "b.zip", share=True), tmp_path / "there")
        assert (await run(other)).sent == 0


async def test_another_survey_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeLLM() as server:
        study = await answered(tmp_path / "here", server)
    other = unbundle(write_bundle(study, tmp_path / "b.zip"), tmp_path / "there")

    def older(study: Study, rule: int) -> Respondents:
        found = load_personas(study, rule)  # type: ignore[arg-type]
        return replace(found, frame=found.frame.assign(age=found.frame["age"] + 1))

    monkeypatch.setattr("runner.sharing.rehydrate.load_personas", older)
    with pytest.raises(InputError, match="their answers or weights are not those"):
        rehydrate(other)
    monkeypatch.setattr(
        "runner.sharing.rehydrate.load_personas", lambda study, rule: load_personas(study, rule).take([0, 1])
    )
    with pytest.raises(InputError, match="respondents of the bundle are not among"):
        rehydrate(other)
    monkeypatch.undo()
    assert rehydrate(other).personas > 0
    with pytest.raises(InputError, match="is not redacted"):
        rehydrate(other)


async def test_scores_that_tell_a_restricted_answer_are_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)])
        text = study.path.read_text().replace('"crows_pairs"', '"trait_inference"')
        study.path.write_text(text.replace('"choice"', '"exact"').replace("groups = 10\n", "groups = 3\n"))
        study = Study.load(study.path)
        await run(study)
    write_bundle(study, tmp_path / "free.zip")
    found = load_personas(study).sources["starter_wvs3"]
    monkeypatch.setattr("runner.sharing.redaction.source_of", lambda name: replace(found, restricted=True))
    with pytest.raises(InputError, match="trait_inference tell respondents' own answers"):
        write_bundle(study, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def odd(folder: Path, whole: Path, name: str) -> Path:
    """The bundle with something wrong in it."""
    with zipfile.ZipFile(whole) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    about = json.loads(members[MANIFEST])
    path, added = folder / f"{name}.zip", []
    if name == "leaves":
        about["files"]["../mtpa.toml"] = about["files"]["mtpa.toml"]
        members["../mtpa.toml"] = members["mtpa.toml"]
    elif name == "more":
        added = [("extra.txt", b"hello")]
    elif name == "twice":
        added = [("mtpa.toml", b"")]
    elif name == "other":
        members["mtpa.toml"] += b"\n# changed"
    elif name == "elsewhere":
        text = members["mtpa.toml"].replace(b'name = "study"\n', b'name = "study"\ndatabase = "/tmp/x.sqlite"\n')
        members["mtpa.toml"] = text
        about["files"]["mtpa.toml"] = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    elif name == "huge":
        about["files"]["results/study.sqlite"]["bytes"] = 10**15
    elif name == "long":
        about["files"]["mtpa.toml"]["bytes"] = 10**9
    elif name == "newer":
        about["format"] = 99
    elif name == "nonsense":
        about["files"] = 3
    elif name == "endless":
        about["format"] = float("inf")
    members[MANIFEST] = json.dumps(about).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in [*members.items(), *added]:
            archive.writestr(entry, content)
    return path


# What SQLite would run, under names that pass for its own.
CODE = {
    "CREATE TRIGGER sqliteXstat1 AFTER INSERT ON score BEGIN DELETE FROM completion; END": "holds a trigger",
    "CREATE VIEW more_migrations AS SELECT 1": "holds a view",
    "CREATE TABLE sqliteXstat4 (x)": "its database has not the tables that mtpa makes",
    "CREATE VIRTUAL TABLE v USING fts5(x)": "holds a virtual table",
}


def repacked(path: Path, members: dict[str, bytes]) -> Path:
    """An archive whose manifest is right about every member."""
    about = json.loads(members[MANIFEST])
    about["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
        if name != MANIFEST
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, MANIFEST: json.dumps(about).encode()}.items():
            archive.writestr(name, content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_what_is_no_bundle_is_one_sentence(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = await answered(tmp_path / "here", server, variants={"formats": ["prose"]})
    whole = write_bundle(study, tmp_path / "b.zip")
    words = {
        "leaves": "has no name that a bundle gives",
        "more": "other files than",
        "twice": "other files than",
        "other": "is not what its manifest",
        "elsewhere": "does not keep its results",
        "huge": "GB",
        "long": "larger than such a file can be",
        "newer": "newer version",
        "nonsense": "makes no sense",
        "endless": "makes no sense",
    }
    for name, said in words.items():
        with pytest.raises((InputError, MachineError), match=said):
            unbundle(odd(tmp_path, whole, name), tmp_path / "there")
        assert not (tmp_path / "there").exists() and not (tmp_path.parent / "mtpa.toml").exists()
    (tmp_path / "text.zip").write_text("hello")
    raw = whole.read_bytes()
    (tmp_path / "cut.zip").write_bytes(raw[:-200])
    (tmp_path / "broken.zip").write_bytes(raw[:200] + bytes(200) + raw[400:])
    said_of = {"text": "not a bundle", "cut": "not a bundle", "broken": "not a bundle", "none": "no such file"}
    for name, said in said_of.items():
        with pytest.raises(InputError, match=said):
            unbundle(tmp_path / f"{name}.zip", tmp_path / "there")
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for sql, said in CODE.items():
        connection = open_database(study.database)
        connection.execute(sql)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        packed = repacked(tmp_path / "code.zip", {**members, "results/study.sqlite": study.database.read_bytes()})
        with pytest.raises(InputError, match=rf"code\.zip: {said}"):
            unbundle(packed, tmp_path / "there")
        connection = open_database(study.database)
        kind, name = sql.removeprefix("CREATE ").removeprefix("VIRTUAL ").split()[:2]
        connection.execute(f"DROP {kind} {name}")
        connection.close()
    more = repacked(tmp_path / "more.zip", {**members, "notes/x.toml": b"a = 1"})
    with pytest.raises(InputError, match=r"holds 'notes/x\.toml', which its study does not name"):
        unbundle(more, tmp_path / "there")
    bomb = repacked(tmp_path / "bomb.zip", {**members, "results/study.sqlite": bytes(200_000_000)})
    with pytest.raises(InputError, match="packed better than results are"):
        unbundle(bomb, tmp_path / "there")
    with pytest.raises(InputError, match="is there already"):
        unbundle(whole, tmp_path / "here")

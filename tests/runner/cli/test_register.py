"""`mtpa-run register`, and what reports say of a study that was registered or was not."""

import asyncio
import hashlib
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from fake_llm import FakeLLM
from studies import model, rows, start, write_study
from typer.testing import CliRunner
from waiting import HUNG

from personas.errors import InputError, MachineError
from runner.backends.request import canonical
from runner.cli.app import app
from runner.engine.run import run
from runner.store.database import opened
from runner.store.merge import merge
from runner.study.config import Study


def call(path: Path, *options: str) -> str:
    found = CliRunner().invoke(app, ["--study", str(path), *options], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def refused(path: Path, *options: str) -> str:
    with pytest.raises(InputError) as error:
        CliRunner().invoke(app, ["--study", str(path), *options], catch_exceptions=False)
    assert error.value.exit_code == 2
    return str(error.value)


def ask(path: Path) -> None:
    assert asyncio.run(run(Study.load(path), pilot=False)).exit_code == 0


def test_a_registered_study_says_what_was_not_registered(tmp_path: Path) -> None:
    with FakeLLM() as server:
        path = write_study(tmp_path, [model(server.url)], n=6, groups=5, report={"by": ["gender"], "min_n": 2})
        assert "Registered" in call(path, "register")
        assert not server.requests
        told = json.loads((tmp_path / "study.registration.json").read_text())
        canonical = json.dumps(told["document"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == told["sha256"]
        ((kept, text),) = rows(tmp_path, "SELECT sha256, document FROM registration")
        assert (kept, text) == (told["sha256"], canonical)
        assert server.url not in canonical

        assert "Nothing has changed" in call(path, "register")
        before = path.read_text()
        path.write_text(before.replace("n = 6", "n = 8"))
        assert "keys changed: personas.n" in refused(path, "register")
        path.write_text(before)

        ask(path)
        assert "Nothing has changed" in call(path, "register")
        call(path, "report", "--csv")
        effects = pd.read_csv(tmp_path / "study.effects.csv", keep_default_na=False)
        assert set(effects["registration"]) == {""}
        assert "nothing differs from it" in call(path, "report", "--methods")

        other = '[[models]]\nname = "later"\n' + before.partition('[[models]]\nname = "fake"\n')[2]
        changed = before.replace('by = ["gender"]', 'by = ["gender", "country"]').replace("min_n = 2", "min_n = 3")
        other = other.replace('id = "fake"', 'id = "later"')
        path.write_text(changed.replace("[report]", f"{other.partition('[report]')[0]}[report]"))
        ask(path)
        first = call(path, "report", "--csv").lstrip().splitlines()[0]
        assert first.startswith("Not as registered on ")
        assert "model added: later; attribute added: country; keys changed: report.by, report.min_n." in first
        effects = pd.read_csv(tmp_path / "study.effects.csv", comment="#", keep_default_na=False)
        new = (effects["model"] == "later") | (effects["attribute"] == "country")
        assert new.any() and not new.all()
        assert ((effects["registration"] == "not registered") == new).all()
        call(path, "report", "--html")
        assert (tmp_path / "study.html").read_text().count(">not registered</td>") >= new.sum()


def test_a_study_that_was_asked_cannot_be_registered(tmp_path: Path) -> None:
    with FakeLLM() as server:
        path = write_study(tmp_path, [model(server.url)], n=4, groups=3)
        ask(path)
        assert "there are answers already" in refused(path, "register")
        assert rows(tmp_path, "SELECT count(*) FROM registration") == [(0,)]
        assert "registered" not in call(path, "report")
        methods = call(path, "report", "--methods")
        assert "nothing of this study was registered before its first request" in " ".join(methods.split())
        call(path, "report", "--csv")
        assert "registration" not in pd.read_csv(tmp_path / "study.effects.csv").columns


def test_a_registration_is_merged_where_no_answer_came_before_it(tmp_path: Path) -> None:
    with FakeLLM() as server:
        path = write_study(tmp_path, [model(server.url)], n=4, groups=3)
        call(path, "register")
        ask(path)
        (tmp_path / "other").mkdir()
        ask(write_study(tmp_path / "other", [model(server.url)], n=4, groups=3))
    registered, other = tmp_path / "study.sqlite", tmp_path / "other" / "study.sqlite"
    merge([registered, other], tmp_path / "first.sqlite")
    with opened(tmp_path / "first.sqlite") as connection:
        assert [tuple(row) for row in connection.execute("SELECT * FROM registration")] == rows(
            tmp_path, "SELECT * FROM registration"
        )
    found = merge([other, registered], tmp_path / "second.sqlite")
    assert "there are answers here that were not registered" in found.remarks[0]
    with opened(tmp_path / "second.sqlite") as connection:
        assert not connection.execute("SELECT * FROM registration").fetchall()


def test_a_key_that_mtpa_did_not_have_yet_is_no_change(tmp_path: Path) -> None:
    with FakeLLM() as server:
        path = write_study(tmp_path, [model(server.url)], n=4, groups=3)
        call(path, "register")
        with closing(sqlite3.connect(tmp_path / "study.sqlite")) as connection, connection:
            document = json.loads(connection.execute("SELECT document FROM registration").fetchone()[0])
            assert document["personas"].pop("profiles")
            text = canonical(document).decode()
            sha = hashlib.sha256(text.encode()).hexdigest()
            connection.execute("UPDATE registration SET document = ?, sha256 = ?", (text, sha))
        assert "Nothing has changed" in call(path, "register")
        path.write_text(path.read_text().replace("n = 4", "n = 4\nshow = 'random:2'\nprofiles = 2"))
        assert "keys changed: personas.profiles, personas.show" in refused(path, "register")


@pytest.mark.parametrize("change", ["document = '{}'", "document = 'x'", "sha256 = 'x'"])
def test_a_registration_that_was_changed_is_not_compared_with(change: str, tmp_path: Path) -> None:
    with FakeLLM() as server:
        path = write_study(tmp_path, [model(server.url)], n=4, groups=3)
        call(path, "register")
        ask(path)
    connection = sqlite3.connect(tmp_path / "study.sqlite")
    with closing(connection), connection:
        connection.execute(f"UPDATE registration SET {change}")
        if "{}" in change:
            connection.execute("UPDATE registration SET sha256 = ?", (hashlib.sha256(b"{}").hexdigest(),))
    assert "its registration is not as it was made" in refused(path, "report")


def test_a_study_is_not_registered_while_it_is_asked(tmp_path: Path) -> None:
    with FakeLLM(latency=3.0) as server:
        path = write_study(tmp_path, [model(server.url)], n=4, groups=3)
        going = start(path, "--yes")
        try:
            waited = time.monotonic() + HUNG
            while not server.requests and time.monotonic() < waited:
                time.sleep(0.05)
            with pytest.raises(MachineError, match="a run is on"):
                CliRunner().invoke(app, ["--study", str(path), "register"], catch_exceptions=False)
        finally:
            going.kill()
            going.communicate()


def test_other_people_and_items_are_told_apart(tmp_path: Path) -> None:
    with FakeLLM() as server:
        path = write_study(tmp_path, [model(server.url)], n=4, groups=3)
        call(path, "register")
        path.write_text(path.read_text().replace("n = 4", "n = 5").replace("groups = 3", "groups = 4"))
        ask(path)
        first = " ".join(call(path, "report").split())
        assert "other items asked of: crows_pairs" in first
        assert "other personas asked (5, registered were 4)" in first
        assert "keys changed: [[benchmarks]], personas.n." in first

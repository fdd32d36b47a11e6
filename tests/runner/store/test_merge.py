"""Shards and merging: the parts are the whole, whatever the order, however often, and when killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from fake_llm import FakeLLM
from studies import load, model
from waiting import HUNG

from personas.errors import InputError, MachineError
from runner.backends.request import Usage, digest
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.store import foreign
from runner.store import merge as merging
from runner.store.cache import Completion, Failure, ResultCache, Score, Trial, as_stored
from runner.store.database import mark_redacted, open_database, opened
from runner.store.leases import Leases
from runner.store.merge import merge
from runner.store.prune import prune
from runner.store.rows import insert
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study
from scoring.answers.items import Item
from scoring.answers.responses import Outcome, Response

COUNT = 3
_CONTENT = (
    "SELECT hex(c.key), m.sha, coalesce(p.text, ''), i.text, c.answer, c.letters, c.finish, c.micro_usd "
    "FROM completion c JOIN model m ON m.id = c.model JOIN text i ON i.id = c.item_text "
    "LEFT JOIN text p ON p.id = c.persona_text",
    "SELECT m.sha, i.sha, p.sha, v.sha, s.rotation, s.replicate, hex(c.key), s.chosen_by_text, s.value, s.status "
    "FROM score s JOIN model m ON m.id = s.model JOIN item i ON i.id = s.item JOIN completion c ON c.id = s.completion "
    "LEFT JOIN persona p ON p.id = s.persona LEFT JOIN variant v ON v.id = s.variant",
    "SELECT hex(key), kind, message, at FROM failure",
    "SELECT study, seed, started, ended, heartbeat FROM run WHERE heartbeat != '{\"merged\": true}'",
    "SELECT started, reserved_micro_usd, settled_micro_usd FROM spend JOIN run ON run.id = process",
    "SELECT survey FROM acknowledgement",
    "SELECT persona_id, subgroups FROM persona",
)


def content(path: Path) -> list[list[tuple[Any, ...]]]:
    """What a file holds, without its row numbers."""
    connection = open_database(path, create=False)
    found = [sorted(connection.execute(sql).fetchall(), key=repr) for sql in _CONTENT]
    connection.close()
    return found


def small(path: Path, keys: range, answer: str = "A", served: str = "fake-1") -> Path:
    """A file with these keys answered, each by a trial of its own; key 0 also failed once."""
    connection = open_database(path)
    sql = "INSERT INTO model (sha, name, provider, model, revision, dtype, parameters, answer, served) VALUES "
    connection.execute(f"{sql} (x'01', 'm', 'p', 'm', '', '', '{{}}', 'text', ?)", (served,))
    records = [asdict(Item(f"x/{number}", "x", "1", "Why?", ("yes", "no"), "g")) for number in keys]
    items = [
        (place, record["id"], digest(record), "x", "", "g", json.dumps(record))
        for place, record in enumerate(records, start=1)
    ]
    insert(connection, "INSERT", "item", ("id", "item_id", "sha", "benchmark", "part", "grp", "record"), items)
    chosen = json.dumps({"models": [1], "items": [row[0] for row in items], "personas": [], "variants": []})
    head = "INSERT INTO run (study, selection, code, packages, seed, started, ended, heartbeat) VALUES "
    connection.execute(f"{head} ('', ?, '', '{{}}', 0, ?, '2026-01-02T03:04:05+00:00', '{{}}')", (chosen, f"at {keys}"))
    connection.execute("INSERT INTO spend VALUES (1, 1, 0, ?, 0)", (len(keys),))
    connection.close()
    cache = ResultCache(path)
    for place, number in enumerate(keys):
        trial = Trial(1, 0, 0, place + 1, 0, 0)
        if not number:
            cache.record(b"failed", failures=[Failure(b"failed", trial, 1, "429", "slow down")])
        response = as_stored(Response(answer, (-0.1, -2.0)))
        key = number.to_bytes(32, "big")
        done = Completion(key, 1, "", f"question {number}", "", response, Usage(prompt_tokens=7), 1)
        cache.record(key, done, [Score(trial, Outcome("ok", 0, 0, 1.0), 0.9, "1")])
    cache.close()
    return path


async def test_shards_are_disjoint_and_complete_and_merge_into_the_whole(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"n": 12, "groups": 6, "variants": {"formats": ["prose", "bullets"], "neutral": True}}
    budget = {"usd": 1.0}
    with FakeLLM() as server:
        table = model(server.url, price={"input": 1.0, "output": 1.0}, usd=0.7)
        (tmp_path / "whole").mkdir()
        whole = load(tmp_path / "whole", [table], budget=budget, **changes)
        await run(whole)
        asked, server.bodies = server.bodies, type(server.bodies)()
        study = load(tmp_path, [table], budget=budget, **changes)
        parts = [study.part(f"{number}/{COUNT}") for number in range(1, COUNT + 1)]
        for part in parts:
            await run(part)
        assert server.bodies == asked and server.repeats == 0
        assert sum(part.budget.usd or 0 for part in parts) <= 1.0
        assert sum(part.models[0].usd or 0 for part in parts) <= 0.7
        first = merge([part.database for part in parts[1:]], study.database)
        assert first.remarks == [f"not merged yet: part 1/{COUNT}"]
        found = merge([parts[0].database], study.database)
        assert (found.conflicting, found.left_out, found.remarks) == (0, 0, [])
        assert content(study.database)[:2] == content(whole.database)[:2]
        scores = load_scores(study.database, last_selection(study.database))
        assert len(scores) == len(load_scores(whole.database))
        assert (await run(study)).sent == 0
        assert server.bodies == asked


async def test_a_part_in_which_nobody_is_asked_has_its_share_of_the_baseline(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)], n=1, groups=6)
        parts = [study.part(f"{number}/{COUNT}") for number in range(1, COUNT + 1)]
        for part in parts:
            assert (await run(part)).exit_code == 0
        assert merge([part.database for part in parts], study.database).brought["score"] == 12
        assert (server.requests, (await run(study)).sent) == (12, 0)


def test_a_target_that_cannot_be_written_is_the_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = small(tmp_path / "source.sqlite", range(2)), small(tmp_path / "target.sqlite", range(2, 4))

    @contextmanager
    def read_only(path: Path, create: bool = False) -> Iterator[sqlite3.Connection]:
        with opened(path, create=create) as connection:
            if path == target:  # a mode is nothing to who runs the tests as root
                connection.execute("PRAGMA query_only = ON")
            yield connection

    monkeypatch.setattr(merging, "opened", read_only)
    with pytest.raises(MachineError, match=r"target\.sqlite: the file is read-only"):
        merge([source], into=target)


def test_a_part_does_not_depend_on_the_size_of_the_study(tmp_path: Path) -> None:
    table = model("http://127.0.0.1:9/v1")

    def keys(n: int, part: str) -> set[bytes]:
        study = load(tmp_path, [table], n=n, groups=8).part(part)
        with prepared(study) as ready:
            (asked,) = ready.crossing.models
            trials = list(ready.crossing.trials(asked))
            assert sum(count for _, count in ready.crossing.counts(asked)) == len(trials)
            return {each.request.key for each in trials}

    more = [keys(40, f"{number}/2") for number in (1, 2)]
    assert not more[0] & more[1]
    assert 0.3 < len(more[0]) / len(more[0] | more[1]) < 0.7
    stable = keys(20, "1/2") & (more[0] | more[1])
    assert stable and stable <= more[0]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "-1/2", "a/b", "2"])
def test_a_shard_that_is_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"--shard {text}"):
        Study.load(load(tmp_path, [model("http://127.0.0.1:9/v1")]).path).part(text)


def test_merging_is_idempotent_and_commutative(tmp_path: Path) -> None:
    one, other = small(tmp_path / "1.sqlite", range(900)), small(tmp_path / "2.sqlite", range(600, 1300))
    before = content(one), content(other)
    merge([one, other], tmp_path / "a.sqlite")
    merge([other, one], tmp_path / "b.sqlite")
    assert content(tmp_path / "a.sqlite") == content(tmp_path / "b.sqlite")
    assert len(load_scores(tmp_path / "a.sqlite", last_selection(tmp_path / "a.sqlite"))) == 1300
    again = merge([other, one, other], tmp_path / "a.sqlite")
    assert not any(again.brought.values())
    assert content(tmp_path / "a.sqlite") == content(tmp_path / "b.sqlite")
    assert (content(one), content(other)) == before


def test_runs_that_began_in_the_same_second_keep_a_ledger_each(tmp_path: Path) -> None:
    source = small(tmp_path / "1.sqlite", range(3))
    connection = open_database(source)
    columns = "study, selection, code, packages, seed, started, ended, heartbeat"
    connection.execute(f"INSERT INTO run ({columns}) SELECT {columns} FROM run")
    connection.execute("INSERT INTO spend VALUES (2, 1, 0, 5, 0)")
    connection.close()
    for _ in range(2):
        merge([source], tmp_path / "into.sqlite")
        assert content(tmp_path / "into.sqlite")[4] == content(source)[4]


def test_of_two_answers_the_first_is_kept_and_the_other_listed(tmp_path: Path) -> None:
    one, other = small(tmp_path / "1.sqlite", range(5)), small(tmp_path / "2.sqlite", range(3, 9), "B")
    found = merge([one, other], tmp_path / "a.sqlite")
    assert (found.conflicting, found.left_out, len(found.conflicts)) == (2, 2, 2)
    shown = [(key[-1], kept[:3], new[:3]) for key, kept, new in found.conflicts]
    assert shown == [("3", "'A'", "'B'"), ("4", "'A'", "'B'")]
    connection = open_database(tmp_path / "a.sqlite")
    answers = connection.execute("SELECT answer FROM completion ORDER BY key").fetchall()
    connection.close()
    assert answers == [("A",)] * 5 + [("B",)] * 4


def test_a_judged_score_takes_the_place_of_one_that_waits(tmp_path: Path) -> None:
    one, other = small(tmp_path / "1.sqlite", range(4)), small(tmp_path / "2.sqlite", range(4))
    connection = open_database(one)
    connection.execute("UPDATE score SET status = 'pending', value = NULL WHERE item = 2")
    connection.close()
    for order in ([one, other], [other, one]):
        into = tmp_path / f"{order[0].stem}-first.sqlite"
        merge(order, into)
        assert load_scores(into)["status"].eq("ok").all()


def test_what_is_refused(tmp_path: Path) -> None:
    good = small(tmp_path / "good.sqlite", range(3))
    with pytest.raises(InputError, match="no such database"):
        merge([tmp_path / "none.sqlite"], tmp_path / "into.sqlite")
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(InputError, match="not an SQLite database"):
        merge([tmp_path / "empty.sqlite"], tmp_path / "into.sqlite")
    assert not (tmp_path / "empty.sqlite").stat().st_size
    with pytest.raises(InputError, match="into itself"):
        merge([good], good)
    with pytest.raises(InputError, match=r"fake-2.*fake-1.*not mixed"):
        merge([good, small(tmp_path / "v2.sqlite", range(4), served="fake-2")], tmp_path / "v.sqlite")
    newer = open_database(tmp_path / "newer.sqlite")
    newer.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('mtpa', '9999_x', '')")
    newer.close()
    broken = small(tmp_path / "broken.sqlite", range(2000))
    raw = bytearray(broken.read_bytes())
    raw[len(raw) // 2 :] = bytes(len(raw) - len(raw) // 2)
    broken.write_bytes(raw)
    redacted = small(tmp_path / "redacted.sqlite", range(3))
    connection = open_database(redacted)
    mark_redacted(connection, True)
    connection.close()
    for path, words in (("newer", "newer version"), ("broken", "damaged"), ("redacted", "rehydrate")):
        with pytest.raises((InputError, MachineError), match=words):
            merge([good, tmp_path / f"{path}.sqlite"], tmp_path / "into.sqlite")
    assert not (tmp_path / "into.sqlite").exists()


CODE = {
    "CREATE TRIGGER t AFTER UPDATE ON model BEGIN DELETE FROM completion; END": "a trigger",
    "CREATE VIEW more AS SELECT * FROM score": "a view",
    "ALTER TABLE text ADD COLUMN twice TEXT AS (text || text)": "computed columns in",
}


@pytest.mark.parametrize("sql", CODE)
def test_a_source_is_data(tmp_path: Path, sql: str) -> None:
    good, odd = small(tmp_path / "good.sqlite", range(3)), small(tmp_path / "odd.sqlite", range(3))
    connection = open_database(odd)
    connection.execute(sql)
    connection.close()
    with pytest.raises(InputError, match=rf"odd\.sqlite: holds {CODE[sql]}"):
        merge([good, odd], tmp_path / "into.sqlite")
    assert not (tmp_path / "into.sqlite").exists()
    os.mkfifo(tmp_path / "pipe.sqlite")
    with pytest.raises(InputError, match="a pipe, not a file"):
        merge([good, tmp_path / "pipe.sqlite"], tmp_path / "into.sqlite")


def test_a_statement_without_an_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "_LEAST", 0.2)
    path = small(tmp_path / "1.sqlite", range(3))
    connection = open_database(path)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(InputError, match="not read after"), foreign.in_time(connection, path):
        connection.execute(endless)
    connection.close()


def test_a_file_that_a_run_writes_to_is_not_merged_into(tmp_path: Path) -> None:
    into, one = small(tmp_path / "into.sqlite", range(3)), small(tmp_path / "1.sqlite", range(5))
    connection = open_database(into)
    connection.execute("UPDATE run SET ended = NULL")
    with Leases(connection, into, 1), pytest.raises(MachineError, match="a run is on"):
        merge([one], into)
    merge([one], into)
    connection.close()


_KILLED = """
import os, signal, sys
from pathlib import Path
import runner.store.merge as module
name, times, *files = sys.argv[1:]
job, calls = getattr(module, name), []
def killed(*arguments):
    found = job(*arguments)
    calls.append(name)
    if len(calls) == int(times):
        os.kill(os.getpid(), signal.SIGKILL)
    return found
setattr(module, name, killed)
module.merge([Path(each) for each in files[:-1]], Path(files[-1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "times", "kept"),
    [("_bring_scores", 1, 0), ("_bring", 1, 800), ("_bring_spend", 2, 800), ("select_together", 1, 1600)],
)
def test_a_killed_merge_leaves_whole_files_or_nothing(where: str, times: int, kept: int, tmp_path: Path) -> None:
    one, other = small(tmp_path / "1.sqlite", range(800)), small(tmp_path / "2.sqlite", range(700, 1600))
    merge([one, other], tmp_path / "clean.sqlite")
    into = tmp_path / "killed.sqlite"
    command = [sys.executable, "-c", _KILLED, where, str(times), str(one), str(other), str(into)]
    assert subprocess.run(command, timeout=HUNG).returncode == -signal.SIGKILL
    connection = sqlite3.connect(into)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM completion").fetchone() == (kept,)
    connection.close()
    merge([one, other], into)
    assert content(into) == content(tmp_path / "clean.sqlite")


def test_what_batch_jobs_cost_is_carried_once_and_an_open_job_is_refused(tmp_path: Path) -> None:
    source, into = small(tmp_path / "a.sqlite", range(3)), tmp_path / "c.sqlite"
    connection = open_database(source, create=False)
    names = "marker, model, process, state, requests, reserved_micro_usd, settled_micro_usd, made, changed"
    head = f"INSERT INTO job ({names})"
    connection.execute(f"{head} VALUES ('one', 1, 1, 'closed', 3, 0, 70, '', '')")
    for _ in range(2):
        merge([source], into)
    merged = open_database(into, create=False)
    assert merged.execute("SELECT marker, settled_micro_usd FROM job").fetchall() == [("one", 70)]
    merged.close()
    connection.execute(f"{head} VALUES ('two', 1, 1, 'running', 3, 90, 0, '', '')")
    connection.close()
    with pytest.raises(InputError, match=r"a\.sqlite: 1 of its batch jobs are open"):
        merge([source], into)
    with pytest.raises(InputError, match="batch jobs are open"):
        prune(source, delete=True)

"""What endpoints take of what a study asks of them.

It is found out once and kept in the file and beside it, where shards find it.

In the file it stands with the model that is asked so, under the hash of what the study says; beside it, in a JSON file
of the study's name.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from personas.errors import InputError, MachineError
from runner.backends.request import digest
from runner.study.sections import ModelSection

SUFFIX = ".resolved.json"


class Resolution(NamedTuple):
    """The parameters that a model is asked with, and what was changed of the study's, in sentences."""

    parameters: Mapping[str, Any]
    remarks: Sequence[str] = ()


def asked(section: ModelSection) -> Mapping[str, Any]:
    """What a study asks of a model, as far as an endpoint may not take it."""
    named = {"provider": section.backend, "model": section.id, "revision": section.revision}
    return {**named, "answer": section.answer, "decoding": section.decoding}


def in_file(connection: sqlite3.Connection, section: ModelSection) -> Resolution | None:
    """What the file knows of a model."""
    sql = "SELECT parameters, resolved FROM model WHERE provider = ? AND model = ? AND resolved != '{}'"
    key = _key(section)
    for parameters, resolved in connection.execute(sql, (section.backend, section.id)):
        if (found := json.loads(resolved).get(key)) is not None:
            return Resolution(json.loads(parameters), found["remarks"])
    return None


def in_sibling_file(section: ModelSection, database: Path) -> Resolution | None:
    """What stands of a model beside the file of the whole study; None where nothing does. Raises InputError."""
    path = database.with_suffix(SUFFIX)
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # another shard may be writing it
            kept = json.loads(file.read() or b"{}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    entry = kept.get(_key(section)) if isinstance(kept, dict) else {}
    return None if entry is None else _read(entry, path)


def keep(
    connection: sqlite3.Connection, model: int, section: ModelSection, found: Resolution, database: Path
) -> Resolution:
    """Note down, in the file and beside it, how a model is asked, and return it: what another shard found before."""
    with _locked(path := database.with_suffix(SUFFIX)) as kept:
        entry = kept.get(_key(section))
        if entry is None:
            told = {"name": section.name, **asked(section)}
            kept[_key(section)] = {**told, "parameters": found.parameters, "remarks": list(found.remarks)}
        else:
            found = _read(entry, path)
    note(connection, model, section, found)
    return found


def has_answers(connection: sqlite3.Connection, section: ModelSection) -> bool:
    """Whether the file has answers of a model, or jobs that may bring some: these stay as they were asked for."""
    models = "SELECT id FROM model WHERE provider = ? AND model = ? AND revision = ? AND answer = ?"
    row = (section.backend, section.id, section.revision, section.answer)
    sql = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE model IN ({models})" for table in ("completion", "job"))
    return connection.execute(f"{sql} LIMIT 1", (*row, *row)).fetchone() is not None


def ask_otherwise(connection: sqlite3.Connection, model: int, row: Mapping[str, Any]) -> int:
    """Have a model without answers be asked as `row` says from now on.

    Returns the id of its row, which is another where the file has such a row already.
    """
    sha = digest({name: value for name, value in row.items() if name != "name"})
    text = json.dumps(row["parameters"], sort_keys=True, ensure_ascii=False)
    sql = "UPDATE OR IGNORE model SET sha = ?, parameters = ? WHERE id = ?"
    connection.execute(sql, (sha, text, model))
    (number,) = connection.execute("SELECT id FROM model WHERE sha = ?", (sha,)).fetchone()
    return int(number)


def select_instead(connection: sqlite3.Connection, run: int, model: int, other: int) -> None:
    """Have a run be about another model's row."""
    (selection,) = connection.execute("SELECT selection FROM run WHERE id = ?", (run,)).fetchone()
    chosen = json.loads(selection)
    chosen["models"] = [other if number == model else number for number in chosen["models"]]
    connection.execute("UPDATE run SET selection = ? WHERE id = ?", (json.dumps(chosen), run))


def note(connection: sqlite3.Connection, model: int, section: ModelSection, found: Resolution) -> None:
    """Note down in the file by which study's words a model is asked as its row says."""
    entry = {_key(section): {"asked": dict(asked(section)), "remarks": list(found.remarks)}}
    connection.execute("UPDATE model SET resolved = json_patch(resolved, ?) WHERE id = ?", (json.dumps(entry), model))


def refuse_other_resolutions(connection: sqlite3.Connection, source: Path) -> None:
    """Raises InputError where the attached file `source` asks a model otherwise for the same words of a study."""
    sql = (
        "SELECT ours.name, ours.parameters, theirs.parameters "
        "FROM main.model AS ours, json_each(ours.resolved) AS our, "
        "source.model AS theirs, json_each(theirs.resolved) AS their "
        "WHERE our.key = their.key AND ours.parameters != theirs.parameters"
    )
    for name, ours, theirs in connection.execute(sql):
        raise InputError(
            f"{source}: {name!r} was asked with {theirs} there and with {ours} in what was merged before, as its "
            "endpoint took other parameters; such answers are not mixed: leave one of the files out"
        )


def remarks(connection: sqlite3.Connection, models: Sequence[int]) -> list[str]:
    """What was changed of what the study asks of these models, a sentence each."""
    sql = "SELECT name, resolved FROM model WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    found = [
        f"{name}: {remark}"
        for name, resolved in connection.execute(sql, (json.dumps(list(models)),))
        for entry in json.loads(resolved).values()
        for remark in entry["remarks"]
    ]
    return list(dict.fromkeys(found))


def _key(section: ModelSection) -> str:
    return digest(asked(section)).hex()


def _read(entry: Any, path: Path) -> Resolution:
    try:
        parameters, told = entry["parameters"], entry["remarks"]
        if not (
            isinstance(parameters, dict) and isinstance(told, list) and all(isinstance(each, str) for each in told)
        ):
            raise TypeError("not as it was written")
    except (KeyError, TypeError) as error:
        raise _unreadable(path, error) from None
    return Resolution(parameters, told)


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: what the endpoints take cannot be read from it ({error}); delete it, and it is found out again"
    )


@contextmanager
def _locked(path: Path) -> Iterator[dict[str, Any]]:
    """The file's mapping, for one process at a time; what is put into it is written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            kept = json.loads(file.read() or "{}")
            before = json.dumps(kept)
            yield kept
            if json.dumps(kept) != before:
                file.seek(0)
                file.truncate()
                json.dump(kept, file, indent=1, sort_keys=True, ensure_ascii=False)
                file.write("\n")
    except ValueError as error:
        raise _unreadable(path, error) from None
    except OSError as error:
        raise MachineError(f"{path}: {error.strerror}") from None

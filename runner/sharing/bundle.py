"""A bundle: a study, the versions it ran with and its redacted file, in one archive that makes every table again.

The archive is a zip of `manifest.json` (format, versions, sha256 and size of every other member), `mtpa.toml`,
`results/NAME.sqlite`, and the files of benchmarks that the study describes itself. The same study and file give the
same bytes. What comes from elsewhere is not trusted: names, sizes, hashes and the schema are checked before anything
is used.
"""

import hashlib
import json
import re
import shutil
import sqlite3
import tomllib
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from personas.bounded import check_file, open_archive, parse_json
from personas.errors import InputError, MachineError, NewerFile
from personas.whole_file import replaced
from runner.sharing.redaction import temporary_copy
from runner.sharing.scratch import scratch_folder
from runner.store.database import is_redacted, keep_private, opened, read_only
from runner.store.foreign import in_time, refuse_code, refuse_odd_contents
from runner.store.ledger import forget_agreements, refuse_false_amounts
from runner.study.config import Study
from runner.study.sources import DESCRIPTIONS, described

FORMAT = 1
STUDY = "mtpa.toml"
MANIFEST = "manifest.json"
MOST_MEMBERS = 64
MOST_TEXT = 1_000_000
MOST_BYTES = 200_000_000_000
_CHUNK = 1 << 20
_SMALL = 100_000_000  # bytes that may be packed however well
_PLAUSIBLE = 200  # times smaller than its content
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*){0,4}")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


def write_bundle(study: Study, path: Path, share: bool = False) -> Path:
    """Write the study's bundle, redacted unless `share`; there as a whole or not at all.

    Raises InputError where the study has not run, or names files that cannot go along; MachineError where the disk
    refuses.
    """
    texts = {STUDY: _without_database(study).encode(), **_descriptions(study)}
    name = f"results/{study.study.name}.sqlite"
    _folder(path)
    with temporary_copy(study.database, study.report, share, beside=path) as copy:
        files = {
            member: {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)} for member, text in texts.items()
        }
        files[name] = {"sha256": _sha256(copy), "bytes": copy.stat().st_size}
        about = {"format": FORMAT, "mtpa": version("mtpa"), "redacted": not share, "files": files, **_versions(copy)}
        texts[MANIFEST] = json.dumps(about, indent=1, sort_keys=True).encode()
        with (
            replaced(path, private=study.study.is_private(share)) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for member in sorted(texts):
                archive.writestr(_entry(member), texts[member])
            with copy.open("rb") as source, archive.open(_entry(name), "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, _CHUNK)
    return path


def unbundle(path: Path, folder: Path) -> Study:
    """Unpack a bundle into a folder that does not exist yet, or is empty; returns its study.

    Raises InputError for an archive that is no bundle, or is not what its manifest says; MachineError where the disk
    refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is there already; name a new folder with --to")
    check_file(path, MOST_BYTES)
    _folder(folder)
    try:
        with open_archive(path) as archive, scratch_folder(folder) as scratch:
            target = scratch / "bundle"
            files = _manifest(path, archive)
            _refuse_unknown_members(path, archive, files)
            _refuse_full_disk(folder, sum(int(each["bytes"]) for each in files.values()))
            for name, entry in files.items():
                _extract(path, archive, name, entry, target / name)
            study = _checked_study(path, target)
            if folder.exists():
                folder.rmdir()
            target.rename(folder)
    # RuntimeError: encrypted, or odd packing; UnicodeDecodeError: a member's name
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a bundle of mtpa ({error}); ask for a new one") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise MachineError(f"{folder}: cannot be written ({error.strerror}); choose another place with --to") from None
    return Study.load(folder / study.path.name)


def _folder(path: Path) -> Path:
    """The folder that a file or folder will be made in."""
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{path}: cannot be written ({error.strerror}); choose another place with --to") from None
    return path.absolute().parent


def _without_database(study: Study) -> str:
    """The study's text without [study] database: in a bundle the file is where it is by default."""
    tables = tomllib.loads(study.text)
    if "database" not in tables["study"]:
        return study.text
    table, kept = "", []
    for line in study.text.splitlines(keepends=True):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table = header[1].strip()
        if not (table == "study" and re.match(r"\s*database\s*=", line)):
            kept.append(line)
    text = "".join(kept)
    del tables["study"]["database"]
    if not _same_toml(text, tables):
        raise InputError(
            f"{study.path}, key 'study.database': write it on one line, below [study], to bundle the study"
        )
    return text


def _same_toml(text: str, tables: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == tables
    except tomllib.TOMLDecodeError:
        return False


def _descriptions(study: Study) -> dict[str, bytes]:
    """The files of the benchmarks that the study describes itself."""
    found = {}
    for section in study.benchmarks:
        if not section.name.endswith(DESCRIPTIONS):
            continue
        if not _NAME.fullmatch(section.name) or section.name == STUDY:
            raise InputError(
                f"{study.path}: {section.name!r} lies outside of the study's folder; move it there to bundle"
            )
        described(section.name, study)  # says what is wrong with a file that cannot be read
        content = (study.path.parent / section.name).read_bytes()
        if section.name.endswith((".yaml", ".yml")) and re.search(rb"^include\s*:", content, re.M):
            raise InputError(f"{study.path}: {section.name!r} includes other files; write it in one file to bundle")
        found[section.name] = content
    return found


def _versions(copy: Path) -> dict[str, Any]:
    with closing(read_only(copy)) as connection:
        code, packages = connection.execute("SELECT code, packages FROM run").fetchone()
    return {"ran_with": code, "packages": json.loads(packages)}


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    """The members that the manifest lists, each checked: exactly those of the archive, with harmless names."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise InputError(f"{path}: packed in a way that a bundle is not; ask for a new bundle")
    if MANIFEST not in names or len(names) > MOST_MEMBERS or archive.getinfo(MANIFEST).file_size > MOST_TEXT:
        raise InputError(f"{path}: not a bundle of mtpa; make one with `mtpa-run bundle`")
    try:
        with archive.open(MANIFEST) as file:
            about = parse_json(file.read(MOST_TEXT).decode())
        number, files = int(about["format"]), {str(name): dict(entry) for name, entry in about["files"].items()}
        sizes = [int(entry["bytes"]) for entry in files.values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise InputError(f"{path}: its {MANIFEST} makes no sense; ask for a new bundle") from None
    if number > FORMAT:
        raise NewerFile(path, f"{str(about.get('mtpa'))!r:.40}")
    if odd := next((name for name in files if not _NAME.fullmatch(name)), None):
        raise InputError(f"{path}: the member {odd!r:.100} has no name that a bundle gives; ask for a new bundle")
    if sorted(names) != sorted([*files, MANIFEST]) or STUDY not in files:
        raise InputError(f"{path}: holds other files than its {MANIFEST} lists; ask for a new bundle")
    if big := next(
        (n for n, size in zip(files, sizes, strict=True) if size > MOST_TEXT and n.endswith(DESCRIPTIONS)), None
    ):
        raise InputError(f"{path}: {big} is larger than such a file can be; ask for a new bundle")
    if min(sizes) < 0 or sum(sizes) > MOST_BYTES:
        raise InputError(
            f"{path}: would take {sum(sizes) / 1e9:,.0f} GB, more than a bundle may ({MOST_BYTES / 1e9:.0f})"
        )
    return files


def _refuse_unknown_members(path: Path, archive: zipfile.ZipFile, files: Mapping[str, Any]) -> None:
    """A bundle holds its study, its results, and the files of benchmarks that the study names; nothing else."""
    try:
        with archive.open(STUDY) as file:
            study = Study.parse(file.read(MOST_TEXT).decode(), Path(STUDY))
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: its study cannot be read ({error}); ask for a new bundle") from None
    database = f"results/{study.study.name}.sqlite"
    if study.study.database is not None or database not in files:
        raise InputError(f"{path}: its study does not keep its results in {database}; ask for a new bundle")
    known = {STUDY, database, *(each.name for each in study.benchmarks if each.name.endswith(DESCRIPTIONS))}
    if odd := sorted(files.keys() - known):
        raise InputError(f"{path}: holds {odd[0]!r:.100}, which its study does not name; ask for a new bundle")
    for name, entry in files.items():
        packed = archive.getinfo(name).compress_size
        if int(entry["bytes"]) > max(_SMALL, _PLAUSIBLE * packed):
            raise InputError(f"{path}: {name} is packed better than results are; ask for a new bundle")


def _refuse_full_disk(folder: Path, size: int) -> None:
    free = shutil.disk_usage(_folder(folder)).free
    if size > free:
        raise MachineError(
            f"{folder}: needs {size / 1e6:,.0f} MB, and the disk has {free / 1e6:,.0f} MB; free some space"
        )


def _extract(path: Path, archive: zipfile.ZipFile, name: str, entry: Mapping[str, Any], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with archive.open(name) as source, target.open("xb") as file:
        size = _copy_at_most(source, file, int(entry["bytes"]), found)
    if size != entry["bytes"] or found.hexdigest() != entry.get("sha256"):
        raise InputError(f"{path}: {name} is not what its {MANIFEST} says; ask for a new bundle")


def _copy_at_most(source: IO[bytes], target: IO[bytes], most: int, found: Any) -> int:
    """Copy no more than `most` bytes and one chunk, whatever the archive says it holds; returns how many came."""
    size = 0
    while size <= most and (chunk := source.read(_CHUNK)):
        size += len(chunk)
        found.update(chunk)
        target.write(chunk)
    return size


def _checked_study(path: Path, target: Path) -> Study:
    """The study of an unpacked bundle, its file where it belongs and with our schema alone."""
    study = Study.load(target / STUDY)
    where = f"{study.database}: "  # a copy in a folder that is about to go, of which a sentence would say nothing
    try:
        _check_database(path, study.database, target.with_name("fresh.sqlite"))
    except (InputError, MachineError) as error:
        if not str(error).startswith(where):
            raise
        if isinstance(error, NewerFile):
            raise MachineError(str(error).replace(where, f"{path}: ")) from None
        what = str(error).removeprefix(where).partition(":")[0]
        raise InputError(f"{path}: its database cannot be used ({what}); ask for a new bundle") from None
    return study


def _check_database(path: Path, database: Path, fresh: Path) -> None:
    refuse_code(database, path)  # before it is opened to be brought up to date, which writes
    with opened(database) as connection, in_time(connection, database):
        sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        if not sound or not _is_plain(connection, fresh):
            raise InputError(f"{path}: its database has not the tables that mtpa makes; ask for a new bundle")
        refuse_false_amounts(connection, path)
        refuse_odd_contents(connection, path)
        forget_agreements(connection)
        if not is_redacted(connection):
            keep_private(database)


def _is_plain(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file has our tables and indexes and nothing else under any name, as a new one at `path` has."""
    ours = "CASE WHEN name = '_sqlite_migrations' THEN '' ELSE sql END"  # that table is sqlite-utils' own
    internal = "type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4')"  # what ANALYZE leaves
    sql = f"SELECT type, name, tbl_name, {ours} FROM sqlite_schema WHERE NOT ({internal}) ORDER BY type, name"
    with opened(path, create=True) as fresh:
        return connection.execute(sql).fetchall() == fresh.execute(sql).fetchall()

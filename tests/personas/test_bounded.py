"""What is looked at before it is believed: an archive's list of members, a path that is no file."""

import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from personas.bounded import DIRECTORY, check_archive, check_file, open_archive, parse_json, parse_toml
from personas.errors import InputError


def ending(size: int, start: int) -> bytes:
    """The end of a zip whose list of members begins at `start` and takes `size` bytes."""
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, start, 0)


def test_a_list_of_members_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with path.open("wb") as file:
        file.truncate(600_000_000)  # holes take no disk
        file.seek(0, os.SEEK_END)
        file.write(ending(600_000_000, 0))
    tracemalloc.start()
    with pytest.raises(zipfile.BadZipFile, match=r"list of members would take 600\.0 MB"), open_archive(path):
        pass
    assert tracemalloc.get_traced_memory()[1] < 2 * DIRECTORY
    tracemalloc.stop()


def test_a_zip_that_points_outside_of_itself_is_no_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\1\2") + 42  # where the member begins
    content[at : at + 4] = struct.pack("<L", 0xFFFFFF00)
    path.write_bytes(content)
    with pytest.raises((zipfile.BadZipFile, EOFError)), open_archive(path) as opened:
        opened.read("a")
    path.write_bytes(b"x" * 50 + ending(10_000, 0))
    with pytest.raises(zipfile.BadZipFile), open_archive(path):
        pass


@pytest.mark.parametrize("parse", [parse_toml, parse_json])
def test_a_number_without_an_end_is_one_clause(parse: Callable[[str], object]) -> None:
    number = "1" + "0" * 100_000
    with pytest.raises(ValueError, match=r"^an integer of more than 64 bits$"):
        parse(f"a = {number}" if parse is parse_toml else number)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe"), (tmp_path, "a folder"), (Path("/dev/zero"), "a device")):
        with pytest.raises(InputError, match=f"{kind}, not a file"):
            check_file(path)


def test_an_archive_of_many_members_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(2_001):
            archive.writestr(str(number), "")
    with pytest.raises(InputError, match="2,001 members"):
        check_archive(tmp_path / "a.zip")

"""A file that is written is there as a whole or not at all."""

from pathlib import Path

import pytest

from personas.errors import MachineError
from personas.whole_file import replaced, whole_file, write_whole


def test_a_reader_sees_the_old_file_or_the_whole_new_one(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.txt"
    write_whole(path, b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [each.name for each in path.parent.iterdir()] == ["a.txt"], "a half file was left behind"
    with whole_file(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_what_the_disk_refuses_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"absent.a\.txt cannot be written"), replaced(tmp_path / "absent" / "a.txt"):
        pass

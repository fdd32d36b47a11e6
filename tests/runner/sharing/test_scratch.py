"""Scratch folders: what a killed process left goes, what another one uses stays."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from personas.errors import MachineError
from runner.sharing.scratch import PREFIX, scratch_folder

_KILLED = """
import os, signal, sys
from pathlib import Path
from runner.sharing.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "copy.sqlite").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_a_folder_that_the_next_removes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "b.zip")]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(f"{PREFIX}*")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path)
    with scratch_folder(tmp_path / "other.zip") as used, scratch_folder(tmp_path / "third.zip") as folder:
        assert not left.exists() and used.exists() and folder != used
    assert [each.name for each in tmp_path.iterdir()] == [f"{PREFIX}link"]


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be written"), scratch_folder(tmp_path / "absent" / "b.zip"):
        pass

"""Streams that go away, and signals: what is said, what the exit code is, and that a run goes on."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import ROOT, model, rows, start, write_study
from waiting import HUNG, wait_until

from runner.cli import app
from runner.cli.terminal.streams import Stream, finished

COMMAND = [sys.executable, "-m", "runner"]


def _shell(line: str) -> "subprocess.CompletedProcess[str]":
    """What a line of bash gives, in which $MTPA is the command."""
    environment = {**os.environ, "MTPA": f"{sys.executable} -m runner"}
    return subprocess.run(
        ["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HUNG, check=False
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("$MTPA data list | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}", 0, ""),
        ("$MTPA data list >/dev/full", 5, "standard output cannot be written (No space left on device)"),
        ("$MTPA data list >&-", 5, "standard output is closed"),
    ],
)
def test_a_stream_that_cannot_be_written_ends_in_a_sentence_at_most(line: str, code: int, said: str) -> None:
    ended = _shell(line)
    assert (ended.returncode, "Traceback" in ended.stderr, "Exception ignored" in ended.stderr) == (code, False, False)
    assert said in ended.stderr


def test_a_run_goes_on_without_its_terminal_and_a_hangup_drains_it(tmp_path: Path) -> None:
    """Both streams are pipes without a reader; the hang-up comes twice, as from a shell and its terminal."""
    with FakeLLM(latency=0.1) as server:
        study = write_study(tmp_path, [model(server.url, concurrency=8)], n=50, groups=40)
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what nohup has ignored stays ignored in a child
        process = start(study)
        signal.signal(signal.SIGHUP, before)
        assert process.stdout is not None
        process.stdout.close()
        wait_until(lambda: server.requests >= 80 or process.poll() is not None)
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=HUNG) == 130
        assert rows(tmp_path, "SELECT count(*) FROM completion") == [(server.requests,)]


class _Broken:
    def __init__(self, number: int, file: int) -> None:
        self._error, self._file = OSError(number, os.strerror(number)), file

    def write(self, text: str) -> int:
        raise self._error

    flush = write

    def fileno(self) -> int:
        return self._file


@pytest.mark.parametrize(("number", "code"), [(errno.EPIPE, 0), (errno.EIO, 0), (errno.ENOSPC, 5), (errno.EDQUOT, 5)])
def test_only_who_left_early_is_not_told(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", Stream(_Broken(number, file.fileno())))  # type: ignore[arg-type]
        sys.stdout.write("result")
        assert finished(0) == code


@pytest.mark.parametrize(
    "error", [MemoryError(), PermissionError(13, "Permission denied", "x.lock"), OSError(30, "ro")]
)
def test_what_the_machine_refuses_is_a_sentence(error: Exception) -> None:
    failure = app._failure(error)
    assert failure.exit_code == 5 and str(failure)


def test_a_fault_of_ours_is_not_called_the_machines() -> None:
    with pytest.raises(ZeroDivisionError):
        app._failure(ZeroDivisionError())

"""A few damaged files for every reader; `tests/bench/fuzz.py` tries hundreds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing import READERS

from personas import bounded

SUPPORT = Path(__file__).parents[1] / "support" / "fuzzing.py"
COUNT = 8


@pytest.mark.slow
def test_every_reader_reads_a_damaged_file_or_says_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, str(SUPPORT), ",".join(READERS), str(COUNT), "7", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    tried = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert done.returncode == 0 and len(tried) == COUNT * len(READERS), done.stderr[-2000:]
    assert not [each for each in tried if each[3]]
    assert {reader for reader, _, deep, _, _ in tried if deep} == set(READERS)


def test_what_a_few_bytes_stand_for() -> None:
    for text, said in (
        (".".join(["a"] * 300_000) + " = 1", "a key of more than 64 parts"),
        ("a = 0x" + "f" * 900_000, "64 bits"),
        ("a = " + "[" * 900_000, "nested more than 64 deep"),
    ):
        with pytest.raises(ValueError, match=said):
            bounded.parse_toml(text)
    assert bounded.parse_toml(f'a = "{"x." * 200}"\nb.c.d = 1.5\n') == {"a": "x." * 200, "b": {"c": {"d": 1.5}}}
    assert bounded.parse_json('["\\ud83d\\ude00"]') == ["\U0001f600"]

"""200 damaged files for every reader: no traceback, no crash, under 10 s and 1 GB each. Ends by itself.

python tests/bench/fuzz.py [--count 200] [--seed 1] [reader ...]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from fuzzing import READERS, SECONDS

SUPPORT = Path(__file__).parents[1] / "support" / "fuzzing.py"


def main() -> int:
    """Print a line a reader; the exit code is 1 where any file did harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("readers", nargs="*", default=READERS)
    chosen = parser.parse_args()
    harm = 0
    for reader in chosen.readers or READERS:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(SUPPORT), reader, str(chosen.count), str(chosen.seed), folder]
            limit = 60 + SECONDS * chosen.count
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
            lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
            errors = [f"{number}: {error}" for _, number, _, error, _ in lines if error]
            errors += [f"{number}: {seconds:.1f} s" for _, number, _, _, seconds in lines if seconds > SECONDS]
            if done.returncode or len(lines) < chosen.count:
                errors.append(f"ended at {len(lines)} with {done.returncode}: {done.stderr[-300:]}")
            deep = sum(1 for line in lines if line[2]) / max(1, len(lines))
            slowest = max((line[4] for line in lines), default=0.0)
            print(
                f"{reader:10} {len(lines):4} files, {deep:4.0%} past the header, slowest {slowest:5.2f} s", flush=True
            )
            print("".join(f"    {error[:300]}\n" for error in errors[:8]), end="", flush=True)
            harm += len(errors)
    return 1 if harm else 0


if __name__ == "__main__":
    sys.exit(main())

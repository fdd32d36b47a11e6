"""Requirements with the sha256 of every file that pip would install, from the report of

    pip install --dry-run --ignore-installed --report FILE -c constraints.txt .

for `pip install --require-hashes`. They name no index, and hold for the platform that the report was made on.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def requirement(entry: Mapping[str, Any]) -> str:
    """The line of one entry of the report's list. Raises ValueError where there is no sha256."""
    name, version = entry["metadata"]["name"], entry["metadata"]["version"]
    sha256 = entry["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
    if not sha256:
        raise ValueError(f"{name} {version}: the index tells no sha256")
    return f"{name}=={version} --hash=sha256:{sha256}"


def requirements(report: Mapping[str, Any]) -> list[str]:
    """A line a package, without the project itself, which is a folder here."""
    packages = [entry for entry in report["install"] if not entry["is_direct"]]
    return sorted(map(requirement, packages), key=str.lower)


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(json.loads(Path(sys.argv[1]).read_text()))) + "\n")

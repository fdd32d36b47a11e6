"""The pages of the documentation as a reader would follow them: their blocks in order, as one script.

A block with a title is a file that the page tells the reader to write, or to add to. Blocks of `sh` are commands, other
blocks of `python` are programs; both run where the repository's root would be.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from studies import ROOT

FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
APPENDED = "add to "


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is ("" if none), its text."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    return [Block(*(each or "" for each in found)) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def commands(block: Block) -> list[str]:
    """The command lines of a block, each with its continuations and without the comment behind it."""
    lines = (re.sub(r"(^|\s+)#.*$", "", line) for line in re.split(r"(?<!\\)\n", block.text))
    return [line for line in lines if line.strip()]


def script(found: list[Block], unrunnable: dict[str, str]) -> str:
    """The page as a script for bash, without the commands that cannot run here."""
    parts = ["set -euo pipefail"]
    for number, block in enumerate(found):
        name, here = block.title, f"block_{number}.py"
        if name:
            way, name = (">>", name.removeprefix(APPENDED)) if name.startswith(APPENDED) else (">", name)
            if "/" in name:
                parts.append(f"mkdir -p {shlex.quote(name.rpartition('/')[0])}")
            parts.append(f"cat {way} {shlex.quote(name)} <<'END OF FILE'\n{block.text}END OF FILE")
        elif block.language == "python":
            parts.append(f"cat > {here} <<'END OF FILE'\n{block.text}END OF FILE\npython {here}")
        elif block.language == "sh":
            parts += [line for line in commands(block) if line not in unrunnable]
    return "\n".join(parts) + "\n"


def build_site(folder: Path) -> Path:
    """The site as `make docs` builds it, in a folder, with a proxy that nothing answers in place of a network."""
    dead = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, **dead, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder

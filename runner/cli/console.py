"""Where commands print: results to standard output, remarks to standard error."""

import sys

from rich.console import Console
from rich.markup import escape

PLAIN_WIDTH = 120

out = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
err = Console(stderr=True)


def say(line: str) -> None:
    """A remark that is not a result."""
    err.print(escape(line), style="dim", highlight=False, soft_wrap=True)

"""Where commands print: results to standard output, remarks to standard error.

Everything passes through `SafeConsole`: no control character from outside reaches the terminal, nor a key.
"""

import io
import json
import logging
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

from runner.cli.terminal.streams import Stream
from runner.study.logs import ROOT
from runner.study.masking import scrub

PLAIN_WIDTH = 120
KEPT = "\n\t"
# C0 and C1 (with ESC, NUL, DEL, CSI and OSC), line and paragraph separators; marks, embeddings, overrides and isolates
# that change the order of what is read; invisible tags; halves of surrogate pairs
_RANGES = (
    (0x00, 0x1F),
    (0x7F, 0x9F),
    (0x061C, 0x061C),
    (0x200E, 0x200F),
    (0x2028, 0x202E),
    (0x2066, 0x206F),
    (0xFFF9, 0xFFFB),
    (0xD800, 0xDFFF),
    (0xE0000, 0xE007F),
)
_UNSAFE = dict.fromkeys(
    (code for first, last in _RANGES for code in range(first, last + 1) if chr(code) not in KEPT), "\ufffd"
)


class SafeConsole(Console):
    """Prints text from anywhere as text: what would control the terminal is shown as U+FFFD."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable; only those that Rich itself makes control the terminal."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


def printable(text: str) -> str:
    """The text without what a terminal would obey rather than show, and without a key that an endpoint echoes."""
    return scrub(text if text.isascii() and text.isprintable() else text.translate(_UNSAFE))


def replace_what_cannot_be_encoded() -> None:
    """Let a terminal or a log that is not in UTF-8 get `?` for a character that it lacks.

    Otherwise the run would end in an error after everything was paid for.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper | Stream) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


out = SafeConsole(width=None if sys.stdout.isatty() else PLAIN_WIDTH, emoji=False)
err = SafeConsole(stderr=True, emoji=False)


AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for other programs.")]


def print_json(document: Any) -> None:
    """A result for other programs: JSON on standard output, in ASCII; what is not a number is null, a path a text."""
    sys.stdout.write(json.dumps(_plain(document), indent=2) + "\n")


def _plain(value: Any) -> Any:
    """A value as JSON has it, keys taken out of its texts: out of the whole document, a number could lose digits."""
    if isinstance(value, Mapping):
        return {scrub(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):  # a number of numpy's
        value = value.item()
    if value is None or isinstance(value, int):
        return value
    return (value if math.isfinite(value) else None) if isinstance(value, float) else scrub(str(value))


def say(line: str) -> None:
    """A remark that is not a result."""
    err.print(escape(line), style="dim", highlight=False, soft_wrap=True)


class LogLines(logging.Handler):
    """Shows log records on standard error, a line each; with `detailed`, with time, level and module."""

    def __init__(self, detailed: bool) -> None:
        super().__init__()
        self._detailed = detailed
        form = "%(asctime)s %(levelname)s %(name)s: %(message)s" if detailed else "%(message)s"
        self.setFormatter(logging.Formatter(form, "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record. What the command's last lines repeat is left out unless details are wanted."""
        if self._detailed or not getattr(record, "in_summary", False):
            line, dim = " ".join(self.format(record).split()), record.levelno < logging.WARNING
            err.print(escape(line), style="dim" if dim else None, highlight=False, soft_wrap=True)


def show_log(verbosity: int) -> None:
    """Show the package's log from now on: warnings; with 1 what is done too, with 2 every failed attempt.

    Of what libraries say, errors are shown, and with 1 warnings.
    """
    log = logging.getLogger(ROOT)
    for handler in [each for each in log.handlers if isinstance(each, LogLines)]:
        log.removeHandler(handler)
    log.addHandler(LogLines(verbosity > 0))
    log.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)])
    # of libraries, which may quote what came from outside: Python would write it to the terminal as it is
    others = LogLines(True)
    others.setLevel(logging.WARNING if verbosity else logging.ERROR)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").handlers = [others]
    logging.lastResort = others


def show_steps(package: str) -> None:
    """Show what a package of ours does without `-v` too: of a command that is waited for while it does it."""
    log = logging.getLogger(f"{ROOT}.{package}")
    log.setLevel(min(logging.INFO, log.getEffectiveLevel()))

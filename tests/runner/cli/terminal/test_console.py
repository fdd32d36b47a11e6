"""What reaches the terminal: text as text, whatever it holds, and whatever the terminal can show."""

import io
import json
import logging
import sys
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from runner.cli.terminal import console
from runner.cli.terminal.console import SafeConsole, printable, replace_what_cannot_be_encoded, show_log, show_steps
from runner.study.logs import IN_SUMMARY, logger
from runner.study.masking import MASK, remember

HOSTILE = "a\x1b[2Jb\x1b]8;;http://x\x07c\x00\x9bd\u202ee\u2066f\u200f\x7f\r"


def _printed(*things: object, **options: object) -> str:
    stream = io.StringIO()
    console = SafeConsole(file=stream, width=60, force_terminal=True, color_system=None, emoji=False)
    console.print(*things, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def _table() -> Table:
    table = Table("name", title=Text(HOSTILE))
    table.add_row(Text(HOSTILE))
    table.add_row(escape(HOSTILE))
    return table


@pytest.mark.parametrize("thing", [Text(HOSTILE), escape(HOSTILE), Panel(HOSTILE, title=Text(HOSTILE)), _table()])
def test_nothing_from_outside_controls_the_terminal(thing: object) -> None:
    shown = _printed(thing)
    assert not {"\x1b", "\x00", "\x07", "\x9b", "\r", "\x7f"} & set(shown)
    assert not any(unicodedata.bidirectional(each) in ("RLO", "LRI", "RLE", "PDI") for each in shown)
    assert "a" in shown and "\ufffd" in shown


def test_what_libraries_say_of_what_came_from_outside_is_text_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(logging.getLogger("py.warnings"), "handlers", [])
    logging.captureWarnings(False)  # a command that another test ran has them captured, and pytest has undone it
    try:
        show_log(1)
        warnings.warn(f"{HOSTILE} is not a valid FinishReason", stacklevel=1)
        logging.getLogger("somebodys").warning("%s", HOSTILE)
        show_log(0)
        logging.getLogger("somebodys").warning("not shown")
    finally:
        logging.captureWarnings(False)
    said = capsys.readouterr().err
    assert "is not a valid FinishReason" in said and "somebodys" in said and "not shown" not in said
    assert not {"\x1b", "\x00", "\x07", "\x9b", "\x7f"} & set(said)


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "L"])))
def test_what_is_printable_stays_and_nothing_else(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    shown.encode()
    assert all(each in "\n\t" or unicodedata.category(each) != "Cc" for each in shown)
    assert printable(shown) == shown


def test_a_key_in_a_message_is_masked() -> None:
    remember("sk-console-0123456789")
    assert _printed("it is sk-console-0123456789", highlight=False).strip() == f"it is {MASK}"


def test_a_key_in_json_is_masked_and_the_json_stays_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("runner.study.masking._secrets", set())
    for secret in ("33333333", 'say "open" é', '": 14, "'):
        remember(secret)
    document = {"rate": 2.533333333333, 'a say "open" é': ["of 33333333", float("nan"), np.float64(0.5), Path("x")]}
    console.print_json({**document, "to_send": 14, "sent": 15})
    read = json.loads(capsys.readouterr().out)
    masked = {"rate": 2.533333333333, f"a {MASK}": [f"of {MASK}", None, 0.5, "x"]}
    assert read == {**masked, "to_send": 14, "sent": 15}


def test_rich_may_still_colour() -> None:
    stream = io.StringIO()
    SafeConsole(file=stream, force_terminal=True, color_system="standard").print("[bold]loud[/]")
    assert "\x1b[1m" in stream.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "koi8-r"])
def test_a_terminal_that_lacks_a_character_gets_another(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding=encoding))
    replace_what_cannot_be_encoded()
    SafeConsole(width=60).print("Δ = −0.1 ± 0.2 \udc80 中")
    sys.stdout.write("Δ of a question")
    sys.stdout.flush()
    assert b"0.1" in shown.getvalue() and b"of a question" in shown.getvalue()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is printed on standard error, with the package's log left as it was."""
    log, stream = logging.getLogger("mtpa"), io.StringIO()
    before = log.level, list(log.handlers)
    monkeypatch.setattr(console, "err", SafeConsole(file=stream, color_system=None, emoji=False))
    yield stream
    log.level, log.handlers[:] = before
    logging.getLogger("mtpa.runner.serve").setLevel(logging.NOTSET)


@pytest.mark.parametrize(("verbosity", "count"), [(0, 1), (1, 3), (2, 4), (5, 4)])
def test_the_log_shows_as_much_as_was_asked_for(shown: io.StringIO, verbosity: int, count: int) -> None:
    show_log(0)
    show_log(verbosity)  # the second takes the place of the first
    log = logger("runner.store.merge")
    log.warning("no map: [bold]%s[/]\nERROR all is lost", HOSTILE)
    log.warning("model m stops", extra=IN_SUMMARY)
    log.info("merging")
    log.debug("tried")
    lines = shown.getvalue().splitlines()
    assert len(lines) == count
    assert not {"\x1b", "\x07", "\x9b"} & set(lines[0])
    assert "no map: [bold]a\ufffd" in lines[0] and lines[0].endswith("[/] ERROR all is lost")
    assert lines[0].startswith("no map") == (verbosity == 0)


def test_a_server_shows_its_steps_unasked(shown: io.StringIO) -> None:
    show_log(0)
    show_steps("runner.serve")
    logger("runner.serve.loading").info("converting")
    logger("runner.store.merge").info("merging")
    assert shown.getvalue() == "converting\n"

"""Help texts as they are written: the list of commands is wrapped, not cut; and all of them as a page."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

LONGEST = 400  # letters of a command's first sentence
_HEAD = """# Every command

<!-- Made by `make docs` from runner/cli: change the help texts there. -->

`mtpa-run -h` and `mtpa-run COMMAND -h` print what stands here. `--study FILE` comes before the command, and names
another study than `./mtpa.toml`. After `make run` the command is `.venv/bin/mtpa-run`. `mtpa-run --install-completion`
teaches the shell to complete commands and options.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 2 | wrong usage, study or input |
| 3 | done, with failures |
| 4 | the budget is reached |
| 5 | this machine: disk, permission, database, asset |
| 6 | a gate is not passed |
| 130 | interrupted |
"""


class WholeHelp(TyperGroup):
    """A group whose help shows the whole first sentence of each command."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands with what they do."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        shown = [(name, command) for name, command in found if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(LONGEST)) for name, command in shown])


def page(app: typer.Typer, name: str) -> str:
    """The reference as Markdown: every command with its usage, arguments and options."""
    return "\n".join([_HEAD, *_sections(typer.main.get_command(app), name, None)])


def _sections(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=name, parent=parent)
    yield f"## `{context.command_path}`\n\n{_prose(command.help or '')}\n"
    if parent is None or not hasattr(command, "commands"):
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        yield f"```text\n{usage}\n```\n\n{_parameters(command, context)}"
    for each in getattr(command, "commands", {}).values():
        if not each.hidden:
            yield from _sections(each, each.name, context)


def _parameters(command: Any, context: Any) -> str:
    """A table of the arguments and options; `--help` is the same everywhere, and left out."""
    found = (each.get_help_record(context) for each in command.get_params(context) if "--help" not in each.opts)
    rows = [f"| `{_cell(name)}` | {_prose(_cell(words))} |" for name, words in filter(None, found)]
    return "\n".join(["| option | meaning |", "| --- | --- |", *rows, ""]) if rows else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _prose(text: str) -> str:
    """Help is plain text: its brackets, angles and stars are no links, tags or styles."""
    return re.sub(r"(?<!`)([\[\]<>*_](?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$))", r"\\\1", inspect.cleandoc(text))

"""Help texts as they are written: the list of commands is wrapped, not cut; and all of them as a page."""

import inspect
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup

LONGEST = 400  # letters of a command's first sentence
_KINDS = {
    "<int range>": "N",
    "<float range>": "X",
    "<int>": "N",
    "<float>": "X",
    "<str>": "TEXT",
    "<path>": "PATH",
    "<list[str]>": "TEXT",
    "<list[Path]>": "PATH",
}
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
    """A group whose help shows the whole first sentence of each command, and names values in words."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for command in self.commands.values():
            if not hasattr(command, "commands"):
                vars(command)["format_options"] = partial(_write_parameters, command)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The group's own options, then its commands."""
        _write_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands with what they do."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        shown = [(name, command) for name, command in found if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(LONGEST)) for name, command in shown])


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    for title, wanted in (("Arguments", "argument"), ("Options", "option")):
        if found := list(_records(command, ctx, wanted)):
            with formatter.section(title):
                formatter.write_dl(found)


def _records(command: Any, context: Any, wanted: str = "") -> Iterator[tuple[str, str]]:
    """The name of each parameter and what it is for; Typer names a value by the type that it has in Python."""
    for each in command.get_params(context):
        if (found := each.get_help_record(context)) and wanted in ("", each.param_type_name):
            name = found[0]
            for kind, word in _KINDS.items():
                name = name.replace(kind, "" if each.param_type_name == "argument" else word)
            yield name.strip(), found[1]


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
    found = [record for record in _records(command, context) if "--help" not in record[0]]
    rows = [f"| `{_cell(name)}` | {_prose(_cell(words))} |" for name, words in found]
    return "\n".join(["| option | meaning |", "| --- | --- |", *rows, ""]) if rows else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _prose(text: str) -> str:
    """Help is plain text: its brackets, angles and stars are no links, tags or styles."""
    return re.sub(r"(?<!`)([\[\]<>*_](?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$))", r"\\\1", inspect.cleandoc(text))

"""Help texts as they are written: the list of commands is wrapped, not cut."""

from typing import Any

from typer.core import TyperGroup

LONGEST = 400  # letters of a command's first sentence


class WholeHelp(TyperGroup):
    """A group whose help shows the whole first sentence of each command."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands with what they do."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        shown = [(name, command) for name, command in found if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(LONGEST)) for name, command in shown])

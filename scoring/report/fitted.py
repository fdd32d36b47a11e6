"""A table that keeps its row labels at every width: where its columns do not fit side by side, a row is a block."""

from collections.abc import Iterator

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

LEAST = 16  # letters of a column of words
INDENT = 2
_EDGE = 3  # a column's padding and rule


class FittedTable:
    """Columns of words, which fold, then right-aligned columns of numbers, which do not.

    A column of words is never narrower than `least`, unless its longest cell is.
    """

    def __init__(self, title: str, caption: str, names: list[str], numbers: list[str], least: int = LEAST) -> None:
        self.title, self.caption, self._least = title, caption, least
        self._names, self._numbers = names, numbers
        self._rows: list[tuple[list[Text], str]] = []

    def add_row(self, *cells: str, style: str = "") -> None:
        """Add a row; cells are text as Rich marks it up. Columns that are not given stay empty."""
        texts = [Text.from_markup(cell) for cell in cells]
        texts += [Text("")] * (len(self._names) + len(self._numbers) - len(cells))
        self._rows.append((texts, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table where it fits, else its rows as blocks."""
        if self._least_width() <= options.max_width:
            yield self._table()
        else:
            yield from self._blocks(options.max_width - INDENT)

    def _widths(self) -> list[int]:
        """The width of each column's widest cell."""
        columns = zip(*(cells for cells, _ in self._rows), strict=True) if self._rows else ()
        widest = [max(cell_len(line) for cell in column for line in cell.plain.split("\n")) for column in columns]
        heads = [cell_len(head) for head in (*self._names, *self._numbers)]
        return [max(pair) for pair in zip(heads, widest or heads, strict=True)]

    def _least_width(self) -> int:
        widths = self._widths()
        words = len(self._names)
        return sum(min(width, self._least) for width in widths[:words]) + sum(widths[words:]) + _EDGE * len(widths)

    def _table(self) -> Table:
        shown = Table(
            title=Text(self.title, style="bold"),
            caption=Text(self.caption, style="dim"),
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
        )
        widths = self._widths()
        for name, width in zip(self._names, widths, strict=False):
            shown.add_column(Text(name), overflow="fold", min_width=min(width, self._least))
        for name in self._numbers:
            shown.add_column(Text(name), justify="right", no_wrap=True)
        for cells, style in self._rows:
            shown.add_row(*cells, style=style)
        return shown

    def _blocks(self, width: int) -> Iterator[Text | Padding]:
        if self.title:
            yield Text(self.title, style="bold")
        words = len(self._names)
        for cells, style in self._rows:
            labels = [cell.plain.replace("\n", ", ") for cell in cells[:words] if cell.plain]
            yield Text(" · ".join(labels), style=style or "bold")
            pairs = zip(self._numbers, cells[words:], strict=True)
            facts = _filled([f"{name} {cell.plain}" for name, cell in pairs if cell.plain], width)
            yield Padding(Text(facts, style=style), (0, 0, 0, INDENT))
        if self.caption:
            yield Text(self.caption, style="dim")


def _filled(facts: list[str], width: int) -> str:
    """Facts in lines of this width that end between two of them."""
    lines: list[str] = []
    for number, fact in enumerate(facts):
        text = f"{fact};" if number < len(facts) - 1 else fact
        if lines and cell_len(f"{lines[-1]} {text}") <= width:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return "\n".join(lines)

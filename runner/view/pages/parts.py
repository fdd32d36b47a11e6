"""What the pages have in common: tables, labelled fields, links, sentences."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import dash_ag_grid as dag
import plotly.graph_objects as go
from dash import dcc, html

from runner.view.pages.text import line, visible
from runner.view.queries.trial_table import Place, TrialFilter

BLOCK = 100
_PLOT: Any = {"displayModeBar": False, "displaylogo": False, "responsive": True}


def named(component: Any, name: str) -> Any:
    """The component with a name for screen readers."""
    setattr(component, "aria-label", name)
    return component


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[str] = ()) -> Any:
    """A table that scrolls sideways by itself; on a narrow screen its rows are blocks.

    `numbers` names the columns that are right-aligned.
    """
    head = [html.Th(name, scope="col", className=_aligned(name, numbers)) for name in columns]
    body = [html.Tr([_cell(cell, name, numbers) for cell, name in zip(row, columns, strict=True)]) for row in rows]
    shown = html.Table([html.Caption(caption), html.Thead(html.Tr(head)), html.Tbody(body)])
    return named(html.Div(shown, className="scroll", tabIndex=0, role="region"), caption)


def table_of_models(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[str] = ()
) -> Any:
    """A table with the model in a column, or in its caption where there is only one."""
    place = columns.index("model")
    if len({row[place] for row in rows}) > 1:
        return table(caption, columns, rows, numbers)
    columns, without = _without(columns, place), [_without(row, place) for row in rows]
    return table(f"{rows[0][place]}: {caption}", columns, without, numbers)


def _without(row: Sequence[Any], place: int) -> list[Any]:
    return [*row[:place], *row[place + 1 :]]


def _cell(content: Any, column: str, numbers: Sequence[str]) -> html.Td:
    shown = html.Td(content, className=_aligned(column, numbers))
    setattr(shown, "data-label", column)
    return shown


def _aligned(column: str, numbers: Sequence[str]) -> str:
    return "n" if column in numbers else ""


def plot(name: str, title: str, figure: go.Figure) -> html.Figure:
    """A figure under its title."""
    graph = dcc.Graph(id=name, figure=figure, config=_PLOT, style={"height": figure.layout.height})
    shown = named(html.Div(graph, role="img"), f"{title}; the table has the numbers")
    return html.Figure([html.Figcaption(title), shown])


def pairs(rows: Sequence[tuple[str, Any]]) -> html.Dl:
    """Names and their values."""
    return html.Dl([each for name, value in rows for each in (html.Dt(name), html.Dd(value))])


def bar(done: float, whole: float, label: str) -> Any:
    """A progress bar with a name."""
    return named(html.Progress(value=str(min(done, whole)), max=str(whole or 1)), label)


def dropdown(identity: str, label: str, choices: Sequence[Any], value: str) -> html.Div:
    """A choice that may be left open; `choices` as `options` takes them."""
    control = dcc.Dropdown(id=identity, options=options(choices, value), value=value or None, placeholder="any")
    # dcc.Dropdown is labelled by this id and its value's
    return html.Div([html.Span(label, className="label", id=f"{identity}-value-count"), control], className="field")


def options(choices: Sequence[Any], value: str) -> list[dict[str, str]]:
    """What a dropdown offers: values, or (value, label); a value from an address that is not among them, too."""
    pairs = [each if isinstance(each, tuple) else (each, line(each, 80)) for each in choices]
    if value and value not in {known for known, _ in pairs}:
        pairs.append((value, line(value, 80)))
    return [{"value": known, "label": name} for known, name in pairs]


def entry(identity: str, label: str, value: str) -> html.Div:
    """A text to type; it counts when Enter is pressed or the field is left."""
    control = dcc.Input(id=identity, value=value, debounce=True, type="text", placeholder="any")
    return html.Div([html.Label(label, className="label", htmlFor=identity), control], className="field")


def moment(time: str) -> str:
    """A time as it is kept, for reading: "2026-11-23 13:28:28 UTC"."""
    return visible(time).replace("T", " ").replace("+00:00", " UTC")


def money(micro: int, cap: float | None) -> str:
    """Millionths of a dollar, and of which budget in dollars they are."""
    return f"${micro / 1e6:,.4f}" + (f" of ${cap:,.2f} spent ({micro / cap / 1e4:.1f}%)" if cap else " spent")


def trial_address(place: Place, wanted: TrialFilter | None = None) -> str:
    """The address of one trial, as one of those that a filter finds."""
    of_filter = wanted.search().replace("?", "&", 1) if wanted else ""
    return f"/trial?place={quote(str(place))}{of_filter}"


def number(value: float | None, form: str = "g") -> str:
    """A number, or a dash."""
    return "–" if value is None or value != value else format(value, form)


def grid(identity: dict[str, Any], columns: list[dict[str, Any]], label: str) -> Any:
    """A table that asks for its rows a block at a time as it is scrolled."""
    table = dag.AgGrid(
        id=identity,
        columnDefs=columns,
        defaultColDef={"sortable": False, "resizable": True, "suppressHeaderMenuButton": True, "wrapText": True},
        rowModelType="infinite",
        dashGridOptions={
            "cacheBlockSize": BLOCK,
            "maxBlocksInCache": 50,
            "infiniteInitialRowCount": 1,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            "rowHeight": 43,
            "headerHeight": 38,
        },
        eventListeners={"cellKeyDown": ["openTrial(params)"]},
        style={"height": "100%"},
    )
    return named(html.Div(table, className="grid", role="region"), label)


def block(request: dict[str, Any]) -> tuple[int, int]:
    """Where a block of rows starts and how many there are to be, from a grid's request."""
    start = max(0, int(request.get("startRow") or 0))
    return start, max(1, min(int(request.get("endRow") or start + BLOCK) - start, 10 * BLOCK))


def response(rows: list[dict[str, Any]], start: int, wanted: int, count: int | None) -> dict[str, Any]:
    """A block of rows for a grid; where the count is not known, a short block is the last one."""
    last = start + len(rows) if len(rows) < wanted else None
    return {"rowData": rows, "rowCount": last if count is None else count}
